import Foundation
import Testing

@testable import FastForward

/// The types of a real API server, as its discovery told them, with a core group beside.
enum RecordedDiscovery {
    private static let core = """
        {"kind": "APIGroupDiscoveryList", "items": [{"versions": [{"version": "v1", "resources": [
          {"resource": "pods", "responseKind": {"kind": "Pod"}, "scope": "Namespaced", "singularResource": "pod",
           "shortNames": ["po"]},
          {"resource": "services", "responseKind": {"kind": "Service"}, "singularResource": "service",
           "shortNames": ["svc"]},
          {"resource": "configmaps", "responseKind": {"kind": "ConfigMap"}, "scope": "Namespaced",
           "singularResource": "configmap", "shortNames": ["cm"]},
          {"resource": "nodes", "responseKind": {"kind": "Node"}, "scope": "Cluster",
           "singularResource": "node", "shortNames": ["no"]}]}]}]}
        """

    /// What a client gets at a path; nil: nothing.
    static func body(at path: [String]) throws -> [UInt8]? {
        switch path {
        case ["api"]: Array(core.utf8)
        case ["apis"]: try answer("http-discovery.bin").body
        case _: nil
        }
    }

    static func type(meantBy text: String) throws -> ResourceType? {
        try search(text, body).type
    }

    /// Runs a search to its end.
    ///
    /// - Returns: what it found, and how often it asked.
    static func search(
        _ text: String,
        _ body: ([String]) throws -> [UInt8]?
    ) throws -> (type: ResourceType?, requests: Int) {
        var search = TypeSearch(for: text)
        var action = search.start()
        var requests = 0
        while true {
            switch action {
            case .get(let path):
                requests += 1
                action = search.answered(try body(path))
            case .found(let type): return (type, requests)
            case .failed: return (nil, requests)
            }
        }
    }
}

@Suite struct `Looking a type up in discovery` {
    @Test func `the kinds that lead to pods are in the table as a real server tells them`() throws {
        for kind in TargetKind.allCases where !kind.type.group.isEmpty {
            let (type, _) = try RecordedDiscovery.search(kind.type.resourceName, RecordedDiscovery.body)
            #expect(type == kind.type)
            #expect(type.flatMap { TargetKind($0) } == kind)
        }
    }

    @Test(
        arguments: [
            ("cm", "configmaps"), ("ConfigMap", "configmaps"), ("cm.v1.", "configmaps"),
            ("cm.v7.", "configmaps"),
            ("no", "nodes"), ("pdb", "poddisruptionbudgets.policy"),
            ("ing.networking", "ingresses.networking.k8s.io"),
            ("cronjobs.v1.batch", "cronjobs.batch"), ("CronJob.bat", "cronjobs.batch"),
        ]
    )
    func `a type is found by its names`(text: String, resource: String) throws {
        #expect(try RecordedDiscovery.type(meantBy: text)?.resourceName == resource)
    }

    @Test(arguments: ["CM", "cm.v1", "configmaps.v2.", "cronjobs.v2.batch", "cronjobs.BATCH", "x", ""])
    func `another text means no type`(text: String) throws {
        #expect(try RecordedDiscovery.type(meantBy: text) == nil)
    }

    @Test func `a server that is older is asked version by version`() throws {
        let answers: [[String]: String] = [
            ["api"]: #"{"kind": "APIVersions", "versions": ["v1"]}"#,
            ["apis"]: """
            {"kind": "APIGroupList", "groups": [
              {"versions": [{"groupVersion": "../x", "version": "x"}, {"groupVersion": "gone/v1"}]},
              {"versions": [{"groupVersion": "example.com/v1"}]}]}
            """,
            ["api", "v1"]: #"{"resources": [{"name": "pods", "kind": "Pod", "singularName": "pod"}]}"#,
            ["apis", "example.com", "v1"]: """
            {"kind": "APIResourceList", "resources": [
              {"name": "widgets/status", "kind": "Widget"},
              {"name": "widgets", "kind": "Widget", "singularName": "widget", "namespaced": false,
               "shortNames": ["wd"]}]}
            """,
        ]
        let (type, requests) = try RecordedDiscovery.search("wd") { answers[$0].map { Array($0.utf8) } }
        let widgets = ResourceType(
            "widgets",
            "Widget",
            ["wd"],
            group: "example.com",
            version: "v1",
            isNamespaced: false
        )
        #expect(type == widgets)
        #expect(requests == 5, "not the path that would leave the API")
    }

    @Test func `an answer that is no discovery is told from one without the type`() {
        var search = TypeSearch(for: "foo")
        _ = search.start()
        #expect(search.answered(Array("<html>".utf8)) == .get(["apis"]))
        #expect(search.problem == .malformed(problem: "not JSON"))
        #expect(search.answered(Array(#"{"kind": "APIGroupList"}"#.utf8)) == .failed)
        #expect(search.problem == nil)
    }

    @Test func `a name goes before a short name`() throws {
        let body = """
            {"items": [{"metadata": {"name": "a.io"}, "versions": [{"version": "v1", "resources": [
              {"resource": "things", "responseKind": {"kind": "Thing"}, "shortNames": ["wheel"]}]}]},
             {"metadata": {"name": "b.io"}, "versions": [{"version": "v1", "resources": [
              {"resource": "wheels", "responseKind": {"kind": "Wheel"}}]}]}]}
            """
        let (type, _) = try RecordedDiscovery.search("wheel") { $0 == ["apis"] ? Array(body.utf8) : nil }
        #expect(type?.group == "b.io")
    }

    @Test(
        arguments: [
            ("cm", "cannot attach to *v1.ConfigMap: selector for *v1.ConfigMap not implemented"),
            ("ing", "cannot attach to *v1.Ingress: selector for *v1.Ingress not implemented"),
            (
                "crd",
                "no kind \"CustomResourceDefinition\" is registered for version \"apiextensions.k8s.io/v1\" "
                    + "in scheme \"k8s.io/client-go/kubernetes/scheme/register.go:83\""
            ),
        ]
    )
    func `what cannot be forwarded to is refused in kubectl's words`(text: String, problem: String) throws {
        let type = try #require(try RecordedDiscovery.type(meantBy: text))
        #expect(PodSelectorError.hasNoPods(type).description == problem)
    }
}

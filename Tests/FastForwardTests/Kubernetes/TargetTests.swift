import Foundation
import Testing

@testable import FastForward

@Suite struct `Finding a target's pods` {
    @Test func `a real service leads to its pods' port`() throws {
        let body = try answer("http-service.bin").body
        let selector = try PodSelector(of: .service, body: body, namespace: "other")
        #expect(selector.labelSelector == "app=web")
        #expect(selector.namespace == "default")
        let service = try APIObjects.decode(Service.self, from: body)
        let pods = try APIObjects.decode(PodList.self, from: answer("http-pod-list.bin").body).items
        let web = try #require(pods.first { $0.metadata.name.hasPrefix("web-") })
        let http = try PortArgument("http")
        let (local, podPort) = try http.resolve(against: service)
        #expect(local == 80)
        #expect(podPort == .name("http"))
        #expect(
            try PortArgument.resolve([http], against: service, at: web) == [
                ForwardedPort(local: 80, remote: 8080)
            ]
        )
        let name = web.metadata.name
        let other = try #require(pods.first { !$0.ports.contains { $0.name == "http" } } ?? pods.first)
        if !other.ports.contains(where: { $0.name == "http" }) {
            #expect(throws: PortArgumentError.noSuchPort(pod: other.metadata.name, name: "http")) {
                try podPort.number(at: other)
            }
        }
        #expect(PodChoice.best(of: [web])?.metadata.name == name)
    }

    @Test func `a real deployment selects by its labels`() throws {
        let body = try answer("http-deployment.bin").body
        #expect(try PodSelector(of: .deployment, body: body, namespace: "n").labelSelector == "app=web")
    }

    @Test func `of a real list, the best is one that runs and stays`() throws {
        let list = try APIObjects.decode(PodList.self, from: answer("http-pod-list.bin").body)
        let best = try #require(PodChoice.best(of: list.items))
        #expect(best.isRunning && best.isReady && !best.isBeingDeleted)
        #expect(PodChoice.best(of: list.items.reversed())?.metadata.uid == best.metadata.uid)
        #expect(PodChoice.ranked(list.items).first?.metadata.uid == best.metadata.uid)
        #expect(list.metadata?.resourceVersion == "2980")
    }

    private static let service = """
        {"metadata": {"name": "x"}, "spec": {"clusterIP": "10.0.0.1", "ports": [
          {"name": "http", "port": 80, "targetPort": "web"}, {"name": "plain", "port": 81, "targetPort": 9090},
          {"port": 82}, {"port": 83, "targetPort": 0}, {"name": "udp", "port": 53, "protocol": "UDP"},
          {"port": 54, "protocol": "UDP", "targetPort": 5454}, {"port": 54, "protocol": "TCP"}]}}
        """
    private static let pod = """
        {"metadata": {"name": "p"}, "spec": {"containers": [{"ports": [{"name": "web", "containerPort": 8080}]}]}}
        """

    @Test(
        arguments: [
            ("80", 80, 8080), ("8080:80", 8080, 8080), (":80", 0, 8080), ("http", 80, 8080),
            ("1:http", 1, 8080),
            ("http:http", 80, 8080), (":http", 0, 8080), ("plain", 81, 9090), ("82", 82, 82), ("83", 83, 83),
            ("54", 54, 5454), ("080", 80, 8080),
        ] as [(String, UInt16, UInt16)]
    )
    func `a service's port becomes the pod's`(text: String, local: UInt16, remote: UInt16) throws {
        let service = try APIObjects.decode(Service.self, from: Array(Self.service.utf8))
        let pod = try APIObjects.decode(Pod.self, from: Array(Self.pod.utf8))
        let ports = try PortArgument.resolve([try PortArgument(text)], against: service, at: pod)
        #expect(ports == [ForwardedPort(local: local, remote: remote)])
    }

    @Test func `a headless service has the pods' own ports`() throws {
        let text = Self.service.replacing("10.0.0.1", with: "None")
        let service = try APIObjects.decode(Service.self, from: Array(text.utf8))
        #expect(try PortArgument("http").resolve(against: service).podPort == .number(80))
        #expect(try PortArgument("81").resolve(against: service).podPort == .number(81))
    }

    @Test(
        arguments: [
            (#"{"spec": {"selector": {}}}"#, "invalid service '': Service is defined without a selector"),
            (#"{"spec": {}}"#, "invalid service '': Service is defined without a selector"),
            ("{}", "invalid service '': Service is defined without a selector"),
        ]
    )
    func `a service without a selector leads nowhere`(text: String, problem: String) {
        let error = #expect(throws: PodSelectorError.self) {
            try PodSelector(of: .service, body: Array(text.utf8), namespace: "n")
        }
        #expect(error?.description == "cannot attach to *v1.Service: " + problem)
    }

    @Test func `a search lists, watches, lists again, and takes the first pod that appears`() throws {
        let none = try APIObjects.decode(
            PodList.self,
            from: Array(#"{"metadata": {"resourceVersion": "7"}, "items": []}"#.utf8)
        )
        let change = try APIObjects.decode(
            PodSearch.Change.self,
            from: Array(#"{"type": "ADDED", "object": {"metadata": {"name": "p"}}}"#.utf8)
        )
        let bookmark = try APIObjects.decode(
            PodSearch.Change.self,
            from: Array(#"{"type": "BOOKMARK", "object": {"kind": "Pod"}}"#.utf8)
        )
        let start = Instant(milliseconds: 5)
        var search = PodSearch(at: start, timeout: .seconds(60))
        #expect(search.listed(none) == .watch(resourceVersion: "7"))
        #expect(search.changed(bookmark) == nil)
        #expect(search.watchEnded() == .list)
        #expect(search.listed(none) == .watch(resourceVersion: "7"))
        var patient = search
        guard case .found(let pod) = search.changed(change) else {
            Issue.record("the pod that appears is taken")
            return
        }
        #expect(pod.metadata.name == "p")
        #expect(search.expire(at: start + .seconds(60)) == nil)
        #expect(patient.expire(at: start + .seconds(59)) == nil)
        #expect(patient.expire(at: start + .seconds(60)) == .failed(PodSearchTimeout()))
        #expect(patient.watchEnded() == nil)
    }
}

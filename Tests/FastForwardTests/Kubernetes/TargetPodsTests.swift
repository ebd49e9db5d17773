import Testing

@testable import FastForward

@Suite struct `Following the pods of a service` {
    private func pod(_ name: String, uid: String = "u", isReady: Bool = true, more: String = "") -> String {
        #"""
        {"metadata":{"name":"\#(name)","uid":"\#(uid)"\#(more)},"spec":{"nodeName":"n"},"status":{"phase":"Running",
        "conditions":[{"type":"Ready","status":"\#(isReady ? "True" : "False")"}]}}
        """#
    }

    private func pods(_ pods: String...) throws -> PodTracker {
        var tracker = PodTracker()
        let list = #"{"metadata":{"resourceVersion":"4"},"items":[\#(pods.joined(separator: ","))]}"#
        _ = tracker.listed(try APIObjects.decode(PodList.self, from: Array(list.utf8)))
        return tracker
    }

    /// An endpoint for a pod; `ready` as in JSON, or nothing.
    private func endpoint(_ pod: String, uid: String = "u", ready: String? = "true") -> String {
        let conditions = ready.map { #""conditions":{"ready":\#($0)},"# } ?? ""
        return #"{\#(conditions)"targetRef":{"kind":"Pod","name":"\#(pod)","uid":"\#(uid)"}}"#
    }

    private func slice(_ name: String, _ endpoints: String..., version: String = "9", ports: String = "null")
        -> String
    {
        #"""
        {"metadata":{"name":"\#(name)","uid":"of-\#(name)","resourceVersion":"\#(version)"},"addressType":"IPv4",
        "endpoints":[\#(endpoints.joined(separator: ","))],"ports":\#(ports)}
        """#
    }

    private func slices(_ slices: String...) throws -> EndpointTracker {
        var tracker = EndpointTracker()
        let list = #"{"metadata":{"resourceVersion":"4"},"items":[\#(slices.joined(separator: ","))]}"#
        let decoded = try APIObjects.decode(ObjectList<EndpointSlice>.self, from: Array(list.utf8))
        #expect(tracker.listed(decoded) == .watch(resourceVersion: "4"))
        return tracker
    }

    private func change(_ type: String, _ object: String) throws -> EndpointTracker.Change {
        let line = #"{"type":"\#(type)","object":\#(object)}"#
        return try APIObjects.decode(EndpointTracker.Change.self, from: Array(line.utf8))
    }

    private func names(_ pods: PodTracker, _ slices: EndpointTracker?, named: Bool = false) -> [String] {
        TargetPods(pods, slices: slices, areNamedBySlices: named).serving.map(\.name).sorted()
    }

    @Test func `the slices say which pods the service leads to, ready or not`() throws {
        let pods = try pods(pod("a"), pod("b", isReady: false), pod("c"))
        #expect(names(pods, nil) == ["a", "c"])
        // Before a list has come, and where nobody keeps slices, the pods' own readiness counts.
        #expect(names(pods, EndpointTracker()) == ["a", "c"])
        #expect(names(pods, try slices()) == ["a", "c"])
        let told = try slices(
            slice("s", endpoint("a", ready: "false"), endpoint("b"), endpoint("c", ready: nil))
        )
        #expect(names(pods, told) == ["b", "c"])
        // Of a service that leads nowhere, there is an empty one.
        #expect(names(pods, try slices(slice("s"))) == [])
    }

    @Test func `a pod that is told to go serves no more, whatever a slice says`() throws {
        let deleted = #","deletionTimestamp":"2026-01-01T00:00:00Z""#
        let pods = try pods(pod("a", more: deleted), pod("b", uid: "new"))
        let told = try slices(slice("s", endpoint("a"), endpoint("b", uid: "old")))
        #expect(names(pods, told) == [])
        #expect(TargetPods(pods, slices: told).loss(of: "a", uid: "u") == .terminating)
        #expect(TargetPods(pods, slices: told).loss(of: "b", uid: "new") == nil)
    }

    @Test func `pods that run are known too where none of them is ready, the ready ones first`() throws {
        func running(_ pods: PodTracker, _ slices: EndpointTracker?, named: Bool = false) -> [String] {
            TargetPods(pods, slices: slices, areNamedBySlices: named).running.map(\.name)
        }
        let deleted = #","deletionTimestamp":"2026-01-01T00:00:00Z""#
        let ended = pod("ended", isReady: false).replacing("Running", with: "Failed")
        let pods = try pods(
            pod("unready", isReady: false),
            pod("ready"),
            pod("going", more: deleted),
            ended
        )
        #expect(running(pods, nil) == ["ready", "unready"])
        #expect(running(pods, try slices(slice("s"))) == ["ready", "unready"])
        // Of a service without a selector the others are somebody else's.
        #expect(running(pods, nil, named: true) == [])
        let named = try slices(slice("s", endpoint("unready", ready: "false"), endpoint("ended")))
        #expect(running(pods, named, named: true) == ["unready"])
    }

    @Test func `slices are split and merged, and a pod may be in two`() throws {
        let pods = try pods(pod("a"), pod("b"))
        var tracker = try slices(slice("one", endpoint("a"), endpoint("b")))
        #expect(tracker.changed(try change("ADDED", slice("two", endpoint("b", ready: "false")))) == nil)
        #expect(names(pods, tracker) == ["a", "b"])
        #expect(tracker.changed(try change("MODIFIED", slice("one", endpoint("a")))) == nil)
        #expect(names(pods, tracker) == ["a"])
        #expect(tracker.changed(try change("MODIFIED", slice("two", endpoint("b"), version: "12"))) == nil)
        #expect(names(pods, tracker) == ["a", "b"])
        #expect(tracker.changed(try change("DELETED", slice("one"))) == nil)
        #expect(names(pods, tracker) == ["b"])
        #expect(tracker.changed(try change("BOOKMARK", #"{"metadata":{"resourceVersion":"77"}}"#)) == nil)
        #expect(tracker.watchEnded() == .watch(resourceVersion: "77"))
        #expect(tracker.changed(try change("ERROR", #"{"kind":"Status","code":410}"#)) == .list)
        // What is known stays so until the list has come.
        #expect(names(pods, tracker) == ["b"])
        var none = ObjectTracker<EndpointSlice>()
        #expect(none.failed(status: 404) == .stop)
    }

    @Test func `of a service without a selector only the pods that a slice names are its own`() throws {
        let pods = try pods(pod("a"), pod("b"), pod("stranger"))
        #expect(names(pods, EndpointTracker(), named: true) == [])
        #expect(names(pods, try slices(), named: true) == [])
        var tracker = try slices(slice("s", endpoint("a"), endpoint("b", ready: "false")))
        #expect(names(pods, tracker, named: true) == ["a"])
        #expect(TargetPods(pods, slices: tracker, areNamedBySlices: true).loss(of: "b", uid: "u") == nil)
        _ = tracker.changed(try change("MODIFIED", slice("s", endpoint("a"))))
        #expect(
            TargetPods(pods, slices: tracker, areNamedBySlices: true).loss(of: "b", uid: "u") == .withdrawn
        )
        #expect(TargetPods(pods, slices: tracker).loss(of: "b", uid: "u") == nil)
    }

    @Test func `its ports lead where the slice with the pod says`() throws {
        let tracker = try slices(
            slice("one", endpoint("a"), ports: #"[{"name":"web","port":8080},{"name":"","port":70000}]"#),
            slice("two", endpoint("b"), ports: #"[{"name":"web","port":9090}]"#)
        )
        let service = try APIObjects.decode(
            Service.self,
            from: Array(
                #"""
                {"metadata":{"name":"s"},"spec":{"ports":[{"name":"web","port":80,"targetPort":"nowhere"},
                {"port":81,"targetPort":81}]}}
                """#.utf8
            )
        )
        #expect(!service.hasSelector)
        let arguments = [try PortArgument("1080:web")]
        for (name, port) in [("a", UInt16(8080)), ("b", 9090)] {
            let tracked = try pods(pod(name))
            let one = try #require(tracked.objects.first)
            let ports = try PortArgument.resolve(
                arguments,
                against: service.translated(by: tracker, at: one),
                at: one
            )
            #expect(ports == [ForwardedPort(local: 1080, remote: port)])
        }
    }

    @Test func `a slice holds no more endpoints than the API allows`() throws {
        let endpoints = (0..<1200).map { endpoint("p\($0)") }.joined(separator: ",")
        let tracker = try slices(slice("s", endpoints))
        #expect(tracker.byName["s"]?.endpoints.count == 1000)
    }
}

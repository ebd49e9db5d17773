import Testing

@testable import FastForward

@Suite struct `Following pods` {
    private func pod(
        _ name: String,
        uid: String = "1",
        version: String = "5",
        phase: String = "Running",
        isReady: Bool = true,
        isDeleted: Bool = false
    ) throws -> String {
        #"""
        {"metadata":{"name":"\#(name)","uid":"\#(uid)","resourceVersion":"\#(version)"\#(
            isDeleted ? #","deletionTimestamp":"2026-01-01T00:00:00Z""# : ""
        )},
        "spec":{"nodeName":"n"},"status":{"phase":"\#(phase)",
        "conditions":[{"type":"Ready","status":"\#(isReady ? "True" : "False")"}]}}
        """#
    }

    private func change(_ type: String, _ object: String) throws -> PodTracker.Change {
        try APIObjects.decode(
            PodTracker.Change.self,
            from: Array(#"{"type":"\#(type)","object":\#(object)}"#.utf8)
        )
    }

    private func list(_ pods: String..., version: String = "4") throws -> PodList {
        let text =
            #"{"metadata":{"resourceVersion":"\#(version)"},"items":[\#(pods.joined(separator: ","))]}"#
        return try APIObjects.decode(PodList.self, from: Array(text.utf8))
    }

    @Test func `nothing is lost before the first list`() throws {
        var tracker = PodTracker()
        #expect(tracker.loss(of: "a", uid: "1") == nil)
        #expect(tracker.listed(try list(pod("b"))) == .watch(resourceVersion: "4"))
        #expect(tracker.loss(of: "a", uid: "1") == .gone)
        #expect(tracker.loss(of: "b", uid: "1") == nil)
    }

    @Test func `a pod is lost when it terminates, ends, goes or is replaced`() throws {
        var tracker = PodTracker()
        _ = tracker.listed(try list(pod("a"), pod("b")))
        #expect(tracker.changed(try change("MODIFIED", pod("a", isDeleted: true))) == nil)
        #expect(tracker.loss(of: "a", uid: "1") == .terminating)
        #expect(TargetPods(tracker).serving.map(\.name) == ["b"])
        #expect(tracker.changed(try change("DELETED", pod("a"))) == nil)
        #expect(tracker.loss(of: "a", uid: "1") == .gone)
        #expect(tracker.changed(try change("ADDED", pod("a", uid: "2"))) == nil)
        #expect(tracker.loss(of: "a", uid: "1") == .gone)
        #expect(tracker.loss(of: "a", uid: "2") == nil)
        // The end of the first one comes late.
        #expect(tracker.changed(try change("DELETED", pod("a", uid: "1"))) == nil)
        #expect(tracker.loss(of: "a", uid: "2") == nil)
        #expect(tracker.changed(try change("MODIFIED", pod("b", phase: "Failed"))) == nil)
        #expect(tracker.loss(of: "b", uid: "1") == .ended(phase: "Failed"))
    }

    @Test func `a pod that is only not ready is kept, but nobody moves to it`() throws {
        var tracker = PodTracker()
        _ = tracker.listed(try list(pod("a", isReady: false), pod("b")))
        #expect(tracker.loss(of: "a", uid: "1") == nil)
        #expect(TargetPods(tracker).serving.map(\.name) == ["b"])
    }

    @Test func `a watch goes on where the last one ended, bookmarks included`() throws {
        var tracker = PodTracker()
        _ = tracker.listed(try list(pod("a")))
        _ = tracker.changed(try change("MODIFIED", pod("a", version: "17")))
        #expect(tracker.watchEnded() == .watch(resourceVersion: "17"))
        _ = tracker.changed(try change("BOOKMARK", #"{"metadata":{"resourceVersion":"99"}}"#))
        #expect(tracker.watchEnded() == .watch(resourceVersion: "99"))
    }

    @Test func `a version that is too old begins anew, anything else after a pause`() throws {
        var tracker = PodTracker()
        _ = tracker.listed(try list(pod("a")))
        #expect(tracker.watchEnded() == .pause)
        #expect(tracker.retry() == .list)
        #expect(tracker.changed(try change("ERROR", #"{"kind":"Status","code":410}"#)) == .list)
        #expect(tracker.changed(try change("ERROR", #"{"kind":"Status","code":500}"#)) == .pause)
        #expect(tracker.failed(status: 500) == .pause)
        #expect(tracker.failed(status: nil) == .pause)
        #expect(tracker.failed(status: 410) == .list)
    }

    @Test func `who may not list asks now and then, as does who may not watch any more`() throws {
        var tracker = PodTracker()
        #expect(tracker.failed(status: 404) == .stop)
        #expect(tracker.failed(status: 403) == .refused)
        #expect(tracker.retry() == .list)
        #expect(tracker.failed(status: 403) == .refused)
        _ = tracker.listed(try list(pod("a")))
        #expect(tracker.failed(status: 403) == .pause)
    }

    @Test func `a list is whole with the page that leads to no other`() throws {
        func page(_ metadata: String, _ pods: String...) throws -> PodList {
            let text = #"{"metadata":{\#(metadata)},"items":[\#(pods.joined(separator: ","))]}"#
            return try APIObjects.decode(PodList.self, from: Array(text.utf8))
        }
        var pages = ObjectPages<Pod>()
        #expect(pages.next == .list)
        #expect(pages.add(try page(#""continue":"x","resourceVersion":"7""#, pod("a"))) == nil)
        #expect(pages.next == .page(continuing: "x"))
        #expect(pages.add(try page(#""continue":"y","resourceVersion":"7""#)) == nil)
        #expect(pages.next == .page(continuing: "y"))
        let whole = try #require(pages.add(try page(#""continue":"","resourceVersion":"7""#, pod("b"))))
        #expect(whole.items.map(\.name) == ["a", "b"])
        #expect(whole.metadata?.resourceVersion == "7")
        let endless = try page(#""continue":"z""#, pod("a"))
        pages = ObjectPages()
        #expect((0..<1000).contains { _ in pages.add(endless) != nil })
        let token = String(repeating: "x", count: 8193)
        #expect(throws: APIObjectError.self) { try page(#""continue":"\#(token)""#) }
    }
}

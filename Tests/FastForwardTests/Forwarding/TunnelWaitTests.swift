import Testing

@testable import FastForward

@Suite struct `Waiting for a tunnel` {
    private let start = Instant(milliseconds: 1000)

    @Test func `who comes back from a tunnel that was lost at once goes on waiting`() {
        var wait = TunnelWait()
        wait.begin(at: start)
        for second in UInt64(1)...9 {
            wait.placed(at: start + .seconds(second))
            wait.begin(at: start + .seconds(second) + .milliseconds(20))
        }
        #expect(wait.since == start)
        // Another pod's tunnels go on where this one's have left off.
        wait.begin(at: start + .seconds(20))
        #expect(wait.since == start)
    }

    @Test func `what nobody could do anything about is no waiting`() {
        var wait = TunnelWait()
        wait.begin(at: start)
        wait.prolong(by: .seconds(5), at: start + .seconds(6))
        #expect(wait.since == start + .seconds(5))
        // It came in the middle of that.
        wait.prolong(by: .seconds(5), at: start + .seconds(7))
        #expect(wait.since == start + .seconds(7))
    }

    @Test func `who comes back from one that has served begins to wait`() {
        var wait = TunnelWait()
        wait.begin(at: start)
        wait.placed(at: start)
        let later = start + ReconnectPolicy.steadySpan
        wait.begin(at: later)
        #expect(wait.since == later)
    }
}

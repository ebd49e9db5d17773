import Testing

@testable import FastForward

@Suite struct `A pod's ports that refuse` {
    private func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    @Test func `are set aside one by one`() {
        var ports = RefusedPorts()
        ports.refused(80, at: at(0))
        #expect(ports.isAside(80, at: at(0)))
        #expect(!ports.isAside(443, at: at(0)))
        #expect(!ports.isAside(80, at: at(1)))
    }

    @Test func `are set aside longer each time, up to 30 s`() {
        var ports = RefusedPorts()
        var now = at(0)
        for seconds: UInt64 in [1, 2, 4, 8, 16, 30, 30] {
            ports.refused(80, at: now)
            #expect(ports.isAside(80, at: now + .milliseconds(seconds * 1_000 - 1)))
            now = now + .seconds(seconds)
            #expect(!ports.isAside(80, at: now), "after \(seconds) s")
        }
    }

    @Test func `are not set aside longer for what was under way`() {
        var ports = RefusedPorts()
        for milliseconds: UInt64 in [0, 1, 500, 999] {
            ports.refused(80, at: at(0) + .milliseconds(milliseconds))
        }
        #expect(!ports.isAside(80, at: at(1)))
    }

    @Test func `begin anew when they have refused nothing for 30 s`() {
        var ports = RefusedPorts()
        ports.refused(80, at: at(0))
        ports.refused(80, at: at(1))
        ports.refused(80, at: at(3 + 30))
        #expect(ports.isAside(80, at: at(33)))
        #expect(!ports.isAside(80, at: at(34)))
    }
}

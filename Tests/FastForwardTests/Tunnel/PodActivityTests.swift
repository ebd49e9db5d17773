import Testing

@testable import FastForward

@Suite struct `Telling whether a pod serves` {
    private let start = Instant(milliseconds: 1000)

    @Test func `it serves once it has for a while, until it is quiet`() {
        var activity = PodActivity()
        #expect(!activity.isServing(at: start))
        activity.received(at: start)
        #expect(!activity.isServing(at: start + .milliseconds(4999)))
        #expect(activity.isServing(at: start + .seconds(5)))
        #expect(activity.isServing(at: start + .seconds(10)))
        #expect(!activity.isServing(at: start + .milliseconds(10_001)))
    }

    /// The first word after a standstill says nothing yet of those whose bytes have not been taken meanwhile.
    @Test func `after a standstill it has to serve for a while again`() {
        var activity = PodActivity()
        activity.received(at: start)
        activity.received(at: start + .seconds(10))
        #expect(activity.isServing(at: start + .seconds(11)))
        activity.received(at: start + .seconds(21))
        #expect(!activity.isServing(at: start + .seconds(25)))
        #expect(activity.isServing(at: start + .seconds(26)))
    }
}

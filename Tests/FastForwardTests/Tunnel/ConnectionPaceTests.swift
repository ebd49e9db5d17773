import Testing

@testable import FastForward

@Suite struct `Telling who waits for more` {
    private let start = Instant(nanoseconds: 10_000_000_000)

    private func pace(_ change: (inout ConnectionPace) -> Void) -> ConnectionPace {
        var pace = ConnectionPace()
        change(&pace)
        return pace
    }

    @Test func `who has spoken waits for an answer, who has had it does not`() {
        #expect(!pace { _ in }.expectsMore(since: start))
        #expect(pace { $0.sent() }.expectsMore(since: start))
        let answered = pace {
            $0.sent()
            $0.received(at: start)
        }
        #expect(!answered.expectsMore(since: start))
        let asksAgain = pace {
            $0.sent()
            $0.received(at: start)
            $0.sent()
        }
        #expect(asksAgain.expectsMore(since: start + .seconds(60)))
    }

    @Test func `who was being sent something waits for the rest, for as long as it is fresh`() {
        let download = pace {
            $0.sent()
            $0.received(at: start)
            $0.received(at: start + .milliseconds(10))
            $0.received(at: start + .milliseconds(20))
        }
        #expect(download.expectsMore(since: start + .milliseconds(30)))
        #expect(!download.expectsMore(since: start + .seconds(2)))
    }
}

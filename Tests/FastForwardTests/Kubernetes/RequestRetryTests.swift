import Testing

@testable import FastForward

@Suite struct `Being put off by the API server` {
    /// As kubectl 1.32 counts them: what it does not wait for it tells at once.
    @Test(
        arguments: [
            (429, "1", 1), (503, "20", 20), (500, "0", 0), (599, "+3", 3), (429, "-4", 0),
            (429, nil, nil), (429, "", nil), (429, "1.5", nil), (429, "2s", nil), (429, "0x10", nil),
            (429, "Wed, 21 Oct 2026 07:28:00 GMT", nil), (429, "99999999999999999999", nil),
            (200, "1", nil), (404, "1", nil), (401, "1", nil), (302, "1", nil),
        ] as [(Int, String?, UInt64?)]
    )
    func `only seconds behind 429 and 5xx count`(status: Int, field: String?, seconds: UInt64?) {
        #expect(RequestRetry.wait(status: status, retryAfter: field) == seconds.map { .seconds($0) })
    }

    @Test func `the longest number is a long wait, and no overflow`() throws {
        let wait = try #require(RequestRetry.wait(status: 429, retryAfter: "\(Int.max)"))
        #expect(wait > .seconds(1 << 33))
    }

    @Test func `a request is repeated ten times, each when the server said`() {
        var retry = RequestRetry()
        var now = Instant(milliseconds: 5)
        for number in 1...10 {
            let next = retry.putOff(for: .seconds(2), at: now, before: nil)
            #expect(next == now + .seconds(2))
            #expect(retry.repeatCount == number)
            now = now + .seconds(3)
        }
        #expect(retry.putOff(for: .zero, at: now, before: nil) == nil)
        #expect(retry.repeatCount == 10)
    }

    @Test func `who is told to wait for too long has the refusal at once`() {
        var retry = RequestRetry()
        let now = Instant(milliseconds: 0)
        #expect(retry.putOff(for: RequestRetry.waitMax, at: now, before: nil) == now + RequestRetry.waitMax)
        let longer = TimeSpan(nanoseconds: RequestRetry.waitMax.nanoseconds + 1)
        #expect(retry.putOff(for: longer, at: now, before: nil) == nil)
    }

    @Test func `the user's time for the request holds for its waits too`() {
        var retry = RequestRetry()
        let due = Instant(milliseconds: 2_500)
        let waits = [0, 1_000, 2_000].map {
            retry.putOff(for: .seconds(1), at: Instant(milliseconds: $0), before: due)
        }
        #expect(waits == [Instant(milliseconds: 1_000), Instant(milliseconds: 2_000), nil])
    }
}

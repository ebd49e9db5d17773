/// Whether, and when, a request is made once more that the API server has put off.
///
/// As client-go does: 429 or 5xx with a `Retry-After` is no answer yet. What that field may hold is Go's `strconv.Atoi`'s
/// to say: a date, which HTTP allows (RFC 9110 §10.2.3), makes nobody come again.
///
/// Source: client-go `rest/with_retry.go`, `rest/request.go` (maxRetries, retryAfterSeconds).
package struct RequestRetry: Equatable, Sendable {
    /// How often one request is repeated; client-go's number.
    package static let repeatsMax = 10
    /// How long a wait may be; who is told to wait for longer has the refusal at once, as nobody sits before it so long.
    ///
    /// client-go has no bound. API servers ask for seconds, load balancers before them for up to some minutes.
    package static let waitMax = TimeSpan.seconds(300)

    /// How often the request has been repeated.
    package private(set) var repeatCount = 0

    package init() {}

    /// For how long a server wants not to be asked again; nil: it does not say.
    package static func wait(status: Int, retryAfter: String?) -> TimeSpan? {
        guard status == 429 || status >= 500, let seconds = retryAfter.flatMap({ Int($0) }) else {
            return nil
        }
        // As with Go's timers, a time in the past is now; one that no clock will show is only far away.
        let secondsMax = UInt64.max / 1_000_000_000
        return .seconds(min(UInt64(max(0, seconds)), secondsMax))
    }

    /// Takes note of an answer by which the server wants not to be asked for `wait`.
    ///
    /// - Parameter due: when the user's time for the request, its waits included, is over; nil: there is no bound.
    /// - Returns: when to repeat the request; nil: the answer stands.
    package mutating func putOff(for wait: TimeSpan, at now: Instant, before due: Instant?) -> Instant? {
        guard repeatCount < Self.repeatsMax, wait <= Self.waitMax else { return nil }
        let next = now + wait
        // client-go waits all the same, to say then that the time is over.
        if let due, next >= due { return nil }
        repeatCount += 1
        return next
    }
}

/// When to try again after a tunnel was lost or could not be made.
///
/// Exponential growth with full jitter: many clients that lost the same server at the same instant must not come
/// back at the same instant.
package struct ReconnectPolicy: Equatable {
    package static let shortest = TimeSpan.milliseconds(100)
    package static let longest = TimeSpan.seconds(10)

    /// How long after an attempt has failed the next one may be made at the soonest where somebody waits for it, so that a
    /// stream of clients, or a link that flaps, does not become a stream of attempts.
    package static let hastenedSpan = TimeSpan.milliseconds(500)

    /// How often it is tried, at the least, in the time that somebody waits: who is given up while the server is back has been
    /// kept waiting for nothing.
    private static let attemptsInPatience: UInt64 = 12

    /// What the growth of the pauses ends at.
    private let bound: TimeSpan
    private var failures = 0
    private var failedAt = Instant(nanoseconds: 0)
    /// Not before this instant; nil: at once.
    package private(set) var nextAttempt: Instant?

    package init(longest bound: TimeSpan = Self.longest) {
        self.bound = bound
    }

    /// Whether the pause is over.
    package func mayTry(at now: Instant) -> Bool { nextAttempt.map { $0 <= now } ?? true }

    /// How long a tunnel must have lived for its loss to be the first again.
    package static let steadySpan = TimeSpan.seconds(10)

    /// A tunnel that had been open for `span` takes no more, or was lost.
    ///
    /// One that opens meanwhile does not end the pause: a server that opens every tunnel and breaks it gets no more of them.
    /// Of several that are lost together only the first one counts: all of them before the pause is over.
    ///
    /// - Parameter patience: how long somebody waits at most; nil: nobody does.
    package mutating func lost(
        after span: TimeSpan,
        at now: Instant,
        random: UInt32,
        patience: TimeSpan? = nil
    ) {
        if span >= Self.steadySpan { failures = 0 }
        guard mayTry(at: now) else { return }
        failed(at: now, random: random, patience: patience)
    }

    /// A tunnel was lost or an attempt failed.
    ///
    /// - Parameters:
    ///   - random: uniform bits; the pause is that share of the current bound.
    ///   - patience: how long somebody waits at most, of which the pause is a small part; nil: nobody does.
    package mutating func failed(at now: Instant, random: UInt32, patience: TimeSpan? = nil) {
        var most = min(Self.shortest.nanoseconds << UInt64(min(failures, 20)), bound.nanoseconds)
        if let patience {
            most = min(
                most,
                max(patience.nanoseconds / Self.attemptsInPatience, Self.hastenedSpan.nanoseconds)
            )
        }
        failures += 1
        failedAt = now
        nextAttempt = now + TimeSpan(nanoseconds: UInt64(Double(most) * Double(random) / Double(UInt32.max)))
    }

    /// Cuts the pause short: a client has come, or the network has changed.
    ///
    /// - Returns: whether ``nextAttempt`` is sooner now.
    package mutating func hasten(at now: Instant, random: UInt32) -> Bool {
        guard let planned = nextAttempt else { return false }
        // The jitter stays: many have noticed the same change.
        let jitter = UInt64(Double(Self.shortest.nanoseconds) * Double(random) / Double(UInt32.max))
        let soonest = max(now, failedAt + Self.hastenedSpan) + TimeSpan(nanoseconds: jitter)
        guard soonest < planned else { return false }
        nextAttempt = soonest
        return true
    }
}

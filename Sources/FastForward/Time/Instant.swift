/// A point on the monotonic clock of whoever runs the cores: the event loop, or a test's virtual time.
///
/// Nanoseconds since an epoch without meaning. Cores never read a clock; they are told the time.
package struct Instant: Comparable, Hashable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package init(milliseconds: UInt64) {
        self.nanoseconds = milliseconds * 1_000_000
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant `span` later.
    package static func + (instant: Instant, span: TimeSpan) -> Instant {
        Instant(nanoseconds: instant.nanoseconds + span.nanoseconds)
    }

    /// The time from `earlier` to `later`; zero where `earlier` is not earlier.
    package static func - (later: Instant, earlier: Instant) -> TimeSpan {
        guard later > earlier else { return .zero }
        return TimeSpan(nanoseconds: later.nanoseconds - earlier.nanoseconds)
    }
}

/// A length of time, never negative.
///
/// (`Swift.Duration` computes in 128 bits, which the way of a byte does not need.)
package struct TimeSpan: Comparable, Hashable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package static func milliseconds(_ count: UInt64) -> TimeSpan { TimeSpan(nanoseconds: count * 1_000_000) }

    package static func seconds(_ count: UInt64) -> TimeSpan { TimeSpan(nanoseconds: count * 1_000_000_000) }

    package static let zero = TimeSpan(nanoseconds: 0)

    /// Whole milliseconds, rounded up, so that a timer never fires before its deadline.
    package var millisecondsRoundedUp: UInt64 { (nanoseconds + 999_999) / 1_000_000 }

    /// For a message: `10 s`, or `250 ms`.
    package var text: String {
        let milliseconds = millisecondsRoundedUp
        return milliseconds.isMultiple(of: 1_000) ? "\(milliseconds / 1_000) s" : "\(milliseconds) ms"
    }

    package static func < (left: TimeSpan, right: TimeSpan) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

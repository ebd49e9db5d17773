import FastForward

/// Decides which lines of a kind are printed: the first ones, then one count a second, and now and then one again.
///
/// A load test opens thousands of connections; its terminal should not be what limits them. But what a count is of is
/// forgotten in a forward of days, and the reason may be another one by then: so lines come back, one each ``lineSpan``.
/// The number of kinds is bounded by the number of forwarded ports, as kinds are ports, or made of ports and of a few words.
struct LineBudget<Kind: Hashable & Comparable> {
    /// How many lines of a kind are printed as they are at once.
    static var wholeLinesMax: Int { 10 }
    /// How long it takes until there may be one more.
    static var lineSpan: TimeSpan { .seconds(5) }

    enum Verdict: Equatable {
        case print
        /// Counted; the next ``drain()`` tells.
        case count
    }

    private struct Tally {
        /// How many may be printed.
        var left = wholeLinesMax
        /// Since when one more is on its way.
        var countedFrom: Instant
        var counted = 0

        mutating func takeLine(at now: Instant) -> Verdict {
            while left < wholeLinesMax, countedFrom + lineSpan <= now {
                left += 1
                countedFrom = countedFrom + lineSpan
            }
            if left == wholeLinesMax { countedFrom = now }
            guard left == 0 else {
                left -= 1
                return .print
            }
            counted += 1
            return .count
        }
    }

    private var kinds: [Kind: Tally] = [:]

    mutating func line(ofKind kind: Kind, at now: Instant) -> Verdict {
        kinds[kind, default: Tally(countedFrom: now)].takeLine(at: now)
    }

    /// What was counted since the last call, by kind, in the kinds' order.
    mutating func drain() -> [(kind: Kind, count: Int)] {
        var counts: [(kind: Kind, count: Int)] = []
        for (kind, value) in kinds where value.counted > 0 {
            counts.append((kind, value.counted))
            kinds[kind]?.counted = 0
        }
        return counts.sorted { $0.kind < $1.kind }
    }
}

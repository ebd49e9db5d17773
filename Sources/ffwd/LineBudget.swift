/// Decides which lines of a kind are printed: the first ones, then one count a second.
///
/// A load test opens thousands of connections; its terminal should not be what limits them. The number of kinds is
/// bounded by the number of forwarded ports, as kinds are ports, or made of ports and of a few words.
struct LineBudget<Kind: Hashable & Comparable> {
    /// How many lines of a kind are printed as they are.
    static var wholeLinesMax: Int { 10 }

    enum Verdict: Equatable {
        case print
        /// Counted; the next ``drain()`` tells.
        case count
    }

    private struct Tally {
        var printed = 0
        var counted = 0

        mutating func takeLine() -> Verdict {
            guard printed >= wholeLinesMax else {
                printed += 1
                return .print
            }
            counted += 1
            return .count
        }
    }

    private var kinds: [Kind: Tally] = [:]

    mutating func line(ofKind kind: Kind) -> Verdict { kinds[kind, default: Tally()].takeLine() }

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

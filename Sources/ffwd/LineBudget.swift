/// Decides which lines of a kind are printed: the first ones, then one count a second.
///
/// A load test opens thousands of connections; its terminal should not be what limits them. The number of kinds is
/// bounded by the number of forwarded ports, as kinds are made of ports and of a few words.
struct LineBudget {
    /// How many lines of a kind are printed as they are.
    static let wholeLinesMax = 10

    enum Verdict: Equatable {
        case print
        /// Counted; the next ``drain()`` tells.
        case count
    }

    private struct Kind {
        var printed = 0
        var counted = 0
    }

    private var kinds: [String: Kind] = [:]
    private(set) var isCounting = false

    mutating func line(ofKind kind: String) -> Verdict {
        if kinds[kind, default: Kind()].printed < Self.wholeLinesMax {
            kinds[kind, default: Kind()].printed += 1
            return .print
        }
        kinds[kind, default: Kind()].counted += 1
        isCounting = true
        return .count
    }

    /// What was counted since the last call, by kind, in the order of the kinds' names.
    mutating func drain() -> [(kind: String, count: Int)] {
        isCounting = false
        var counts: [(kind: String, count: Int)] = []
        for (kind, value) in kinds where value.counted > 0 {
            counts.append((kind, value.counted))
            kinds[kind]?.counted = 0
        }
        return counts.sorted { $0.kind < $1.kind }
    }
}

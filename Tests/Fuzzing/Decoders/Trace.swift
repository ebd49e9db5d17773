import FastForward

/// What a reader told, so that two readings can be compared: payload joined, everything else as text.
struct Trace: Equatable, CustomStringConvertible {
    private enum Item: Equatable {
        case payload([UInt8])
        case note(String)
    }

    private var items: [Item] = []

    mutating func payload(_ bytes: some Collection<UInt8>) {
        if case .payload(let earlier) = items.last {
            items[items.count - 1] = .payload(earlier + bytes)
        } else {
            items.append(.payload(Array(bytes)))
        }
    }

    mutating func note(_ text: String) { items.append(.note(text)) }

    func hasNote(beginningWith prefix: String) -> Bool {
        items.contains { if case .note(let text) = $0 { text.hasPrefix(prefix) } else { false } }
    }

    var description: String { "\(items)" }
}

/// Reads `bytes` whole, byte by byte, and cut at places that depend on them; says where the readings differ.
///
/// - Parameter read: reads the pieces with a fresh reader. It stops at the first error, and notes that.
func differenceBetweenCuts(of bytes: [UInt8], _ read: ([ArraySlice<UInt8>]) -> Trace) -> String? {
    let whole = read([bytes[...]])
    let single = read(bytes.indices.map { bytes[$0...$0] })
    if single != whole { return "byte by byte: \(single)\nwhole: \(whole)" }
    var state = bytes.reduce(UInt64(bytes.count) | 1) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    var pieces: [ArraySlice<UInt8>] = []
    var rest = bytes[...]
    while !rest.isEmpty {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // Half of the pieces are short, so that heads are cut too.
        let count = Int(state >> 33) % (state >> 63 == 0 ? 8 : 400)
        pieces.append(rest.prefix(count))
        rest = rest.dropFirst(count)
    }
    let cut = read(pieces)
    return cut == whole ? nil : "cut as \(pieces.map(\.count)): \(cut)\nwhole: \(whole)"
}

/// Stops at what no reader may do with its cursor and ranges.
func checkContract(_ cursor: Int, after earlier: Int, _ range: Range<Int>?, in piece: ArraySlice<UInt8>) {
    precondition(cursor >= earlier && cursor <= piece.count, "the cursor left the bytes or went back")
    guard let range else { return }
    precondition(
        range.lowerBound >= earlier && range.upperBound <= cursor,
        "a range of what was not consumed"
    )
}

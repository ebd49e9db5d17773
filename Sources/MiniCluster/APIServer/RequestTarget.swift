/// The path and the query of a request's target, percent-decoded; of a name that is repeated, the last value.
func splitTarget(_ target: String) -> (path: String, query: [String: String]) {
    let path = target.prefix { $0 != "?" }
    let query = Dictionary(queryItems(of: target)) { $1 }
    return (percentDecoded(path), query)
}

/// The names and values of a target's query in their order, percent-decoded.
func queryItems(of target: String) -> [(String, String)] {
    guard let mark = target.firstIndex(of: "?") else { return [] }
    return target[target.index(after: mark)...].split(separator: "&").map { item in
        let sides = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return (percentDecoded(sides[0]), sides.count == 2 ? percentDecoded(sides[1]) : "")
    }
}

private func percentDecoded(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "%"), rest.count >= 2,
            let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
        {
            bytes.append(value)
            rest = rest.dropFirst(2)
        } else {
            bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}

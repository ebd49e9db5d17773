/// The bytes of numeric addresses, in network order.
enum IPAddressBytes {
    /// Four bytes of `127.0.0.1`; nil for anything else, and for leading zeros, which some read as octal.
    static func ipv4(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var result: [UInt8] = []
        for part in parts {
            guard part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), part == "0" || !part.hasPrefix("0"),
                let byte = UInt8(part)
            else { return nil }
            result.append(byte)
        }
        return result
    }

    /// Sixteen bytes of `::1` or `::ffff:127.0.0.1` (RFC 4291 §2.2); nil for anything else, a zone too.
    static func ipv6(_ text: some StringProtocol) -> [UInt8]? {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2, text.utf8.count <= 45, let front = groups(halves[0]),
            let back = halves.count == 2 ? groups(halves[1]) : [],
            // An embedded IPv4 address is the address's end.
            halves.count == 1 || !halves[0].contains(".")
        else { return nil }
        let missingBytes = 16 - front.count - back.count
        guard halves.count == 2 ? missingBytes >= 2 : missingBytes == 0 else { return nil }
        return front + [UInt8](repeating: 0, count: missingBytes) + back
    }

    /// The bytes of groups that colons part; the last may be an IPv4 address.
    private static func groups(_ text: some StringProtocol) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        var result: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, let address = ipv4(part) {
                result += address
                continue
            }
            guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy({ $0.hexadecimalValue != nil }),
                let group = UInt16(part, radix: 16)
            else { return nil }
            result += [UInt8(group >> 8), UInt8(group & 0xFF)]
        }
        return result
    }
}

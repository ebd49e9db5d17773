/// Percent-encoding of path segments (RFC 3986 §2.1, §3.3).
enum PercentEncoding {
    /// `pchar` without percent signs: what may stand in a path segment as it is.
    static func isAllowedInSegment(_ byte: UInt8) -> Bool {
        byte.isASCIILetterOrDigit || "-._~!$&'()*+,;=:@".utf8.contains(byte)
    }

    /// What means nothing but itself anywhere in a URL (RFC 3986 §2.3).
    static func isUnreserved(_ byte: UInt8) -> Bool {
        byte.isASCIILetterOrDigit || "-._~".utf8.contains(byte)
    }

    /// Appends `byte` as it is where `isKept` says so, else as `%XX`.
    static func append(_ byte: UInt8, to text: inout String, keeping isKept: (UInt8) -> Bool) {
        if isKept(byte) {
            text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            text += byte < 16 ? "%0" : "%"
            text += String(byte, radix: 16, uppercase: true)
        }
    }

    /// `text` as one segment of a path, or as a query's name or value.
    static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 { append(byte, to: &result, keeping: isUnreserved) }
        return result
    }
}

extension UInt8 {
    var isASCIILetterOrDigit: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case _: false
        }
    }

    var isASCIIHexDigit: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
        case _: false
        }
    }
}

extension BinaryInteger {
    /// So many of what `noun` names: `1 tunnel`, `2 tunnels`.
    package func counting(_ noun: String) -> String { "\(self) \(noun)\(self == 1 ? "" : "s")" }
}

extension String {
    /// This text for one line of a terminal: control characters escaped, and no longer than `most` characters.
    ///
    /// What a server sends may hold escape sequences, which a terminal would obey.
    package func escapedForTerminal(upTo most: Int = 1_000) -> String {
        var result = ""
        for (index, scalar) in unicodeScalars.enumerated() {
            guard index < most else { return result + "…" }
            switch scalar.value {
            case 0x0A: result += "\\n"
            case 0x0D: result += "\\r"
            case 0x09: result += "\\t"
            // C0, DEL and C1; the marks that reorder text (Unicode TR36 §2.6.1).
            case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            case _: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    var hasControlCharacters: Bool {
        utf8.contains { $0 < 0x20 || $0 == 0x7F }
    }

    /// Whether this may stand in an HTTP header's value: visible ASCII and spaces (RFC 9110 §5.5).
    var isHeaderSafe: Bool {
        utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}

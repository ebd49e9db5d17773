/// Standard base64 as Go reads it (Go `encoding/base64`, StdEncoding): padded, with line breaks that mean nothing.
enum Base64Text {
    /// The text is no base64 from this byte on, counted as Go counts.
    struct Problem: Error, Equatable {
        let offset: Int
    }

    /// The bytes that `text` stands for.
    static func decode(_ text: String) throws(Problem) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count / 4 * 3)
        var group: UInt32 = 0
        var count = 0
        var padding = 0
        for (offset, byte) in text.utf8.enumerated() where byte != 0x0A && byte != 0x0D {
            // Nothing follows what is padded in full.
            guard padding == 0 || count + padding < 4 else { throw Problem(offset: offset) }
            if byte == UInt8(ascii: "=") {
                guard count >= 2 else { throw Problem(offset: offset) }
                padding += 1
                continue
            }
            // Go names the byte before the one that should have been the second mark of padding.
            guard padding == 0 else { throw Problem(offset: offset - 1) }
            guard let bits = value(of: byte) else { throw Problem(offset: offset) }
            group = group << 6 | bits
            count += 1
            if count == 4 {
                append(group, bytes: 3, to: &result)
                (group, count) = (0, 0)
            }
        }
        guard count > 0 else { return result }
        guard padding > 0 else { throw Problem(offset: text.utf8.count - count) }
        guard count + padding == 4 else { throw Problem(offset: text.utf8.count) }
        append(group << (6 * UInt32(padding)), bytes: count - 1, to: &result)
        return result
    }

    private static func append(_ group: UInt32, bytes: Int, to result: inout [UInt8]) {
        for index in 0..<bytes { result.append(UInt8(truncatingIfNeeded: group >> (16 - 8 * UInt32(index)))) }
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5A: UInt32(byte) - 0x41
        case 0x61...0x7A: UInt32(byte) - 0x61 + 26
        case 0x30...0x39: UInt32(byte) - 0x30 + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        case _: nil
        }
    }
}

/// Why a text is no base64 (RFC 4648 §4).
package enum Base64Error: Error, Equatable, CustomStringConvertible {
    /// A character that has no place where it stands.
    case unexpectedCharacter(UInt8)
    /// The text ends within a group of four characters.
    case cut

    package var description: String {
        switch self {
        case .unexpectedCharacter(let byte): "a character has no place in base64 (code \(byte))"
        case .cut: "base64 that ends within a group of four characters"
        }
    }
}

/// Undoes base64 in place, for a text that comes in pieces.
///
/// The alphabet is RFC 4648's with padding, as Go's `base64.StdEncoding` writes it. A piece may end anywhere; at
/// most the bits of a partial group are kept between calls. Each character but a group's first ends a byte, so what
/// is written never overtakes what is still to be read. Cost: one table look-up a character.
package struct Base64Decoder {
    /// By character: its six bits, or ``notInAlphabet``.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: notInAlphabet, count: 256)
        for (value, character) in Base64.alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()
    private static let notInAlphabet: UInt8 = 0xFF
    private static let padding = UInt8(ascii: "=")

    /// How many characters of the group under way have come.
    private var groupCharacters = 0
    /// The bits of the last one.
    private var bits: UInt8 = 0
    /// Whether the text is over: behind padding only more of it, up to the group's end, may come.
    private var isPadded = false

    package init() {}

    /// Decodes the characters in `range`.
    ///
    /// - Returns: where the bytes stand now; it begins where `range` does.
    package mutating func decode(
        _ buffer: inout ByteBuffer,
        in range: Range<Int>
    ) throws(Base64Error) -> Range<Int> {
        var bytes = buffer.mutableBytes
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.byteCount, "outside the buffer")
        var (from, to) = (range.lowerBound, range.lowerBound)
        while from < range.upperBound {
            if groupCharacters == 0, !isPadded {
                let groups = Self.decodeGroups(&bytes, from: from, to: to, end: range.upperBound)
                from += groups * 4
                to += groups * 3
                guard from < range.upperBound else { break }
            }
            let character = unsafe bytes.unsafeLoad(fromByteOffset: from, as: UInt8.self)
            from += 1
            if let byte = try take(character) {
                bytes.storeBytes(of: byte, toByteOffset: to, as: UInt8.self)
                to += 1
            }
        }
        return range.lowerBound..<to
    }

    /// Says that the text is over.
    package func finish() throws(Base64Error) {
        guard groupCharacters == 0 else { throw .cut }
    }

    /// Takes one character.
    ///
    /// - Returns: the byte that it ends.
    private mutating func take(_ character: UInt8) throws(Base64Error) -> UInt8? {
        if character == Self.padding {
            guard groupCharacters >= 2 else { throw .unexpectedCharacter(character) }
            isPadded = true
            groupCharacters = (groupCharacters + 1) & 3
            return nil
        }
        let value = Self.values[Int(character)]
        guard value != Self.notInAlphabet, !isPadded else { throw .unexpectedCharacter(character) }
        let before = bits
        bits = value
        groupCharacters = (groupCharacters + 1) & 3
        switch groupCharacters {
        case 1: return nil
        case 2: return before << 2 | value >> 4
        case 3: return before << 4 | value >> 2
        default: return before << 6 | value
        }
    }

    /// Decodes whole groups up to the first that is not plain.
    ///
    /// - Returns: how many.
    private static func decodeGroups(
        _ bytes: inout MutableRawSpan,
        from start: Int,
        to target: Int,
        end: Int
    ) -> Int {
        var count = 0
        unsafe values.withUnsafeBufferPointer { values in
            unsafe bytes.withUnsafeMutableBytes { memory in
                var from = start
                var to = target
                while end - from >= 4 {
                    let first = unsafe values[Int(memory[from])]
                    let second = unsafe values[Int(memory[from + 1])]
                    let third = unsafe values[Int(memory[from + 2])]
                    let fourth = unsafe values[Int(memory[from + 3])]
                    // Only what is not in the alphabet has a high bit.
                    guard (first | second | third | fourth) & 0x80 == 0 else { return }
                    unsafe memory[to] = first << 2 | second >> 4
                    unsafe memory[to + 1] = second << 4 | third >> 2
                    unsafe memory[to + 2] = third << 6 | fourth
                    from += 4
                    to += 3
                    count += 1
                }
            }
        }
        return count
    }
}

/// Base64 (RFC 4648 §4).
package enum Base64 {
    fileprivate static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    /// The text of a few bytes.
    package static func text(of bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            // Three bytes are four digits of six bits; what is missing counts as zero.
            var bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
            bits <<= 8
            for place in 0..<4 {
                let isDigit = place <= group.count
                result.append(isDigit ? alphabet[Int(bits >> 26)] : UInt8(ascii: "="))
                bits <<= 6
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The length of the text for so many bytes, with padding.
    package static func encodedBytes(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    /// How far in front of `count` bytes their text must begin, at least, to be written over them.
    package static func gapBytes(_ count: Int) -> Int { encodedBytes(count) - count }

    /// Writes the text of the bytes in `range` from `offset` on, over them where they overlap.
    ///
    /// - Parameter offset: at least ``gapBytes(_:)`` before the range; the text must fit into the buffer.
    package static func encode(_ buffer: inout ByteBuffer, in range: Range<Int>, to offset: Int) {
        var bytes = buffer.mutableBytes
        precondition(offset >= 0 && range.upperBound <= bytes.byteCount, "outside the buffer")
        precondition(offset + gapBytes(range.count) <= range.lowerBound, "the text would overtake the bytes")
        unsafe alphabet.withUnsafeBufferPointer { alphabet in
            unsafe bytes.withUnsafeMutableBytes { memory in
                var from = range.lowerBound
                var to = offset
                while range.upperBound - from >= 3 {
                    let (first, second, third) = unsafe (memory[from], memory[from + 1], memory[from + 2])
                    unsafe memory[to] = alphabet[Int(first >> 2)]
                    unsafe memory[to + 1] = alphabet[Int((first << 4 | second >> 4) & 63)]
                    unsafe memory[to + 2] = alphabet[Int((second << 2 | third >> 6) & 63)]
                    unsafe memory[to + 3] = alphabet[Int(third & 63)]
                    from += 3
                    to += 4
                }
                guard from < range.upperBound else { return }
                let first = unsafe memory[from]
                let second = from + 1 < range.upperBound ? unsafe memory[from + 1] : nil
                unsafe memory[to] = alphabet[Int(first >> 2)]
                unsafe memory[to + 1] = alphabet[Int((first << 4 | (second ?? 0) >> 4) & 63)]
                unsafe memory[to + 2] =
                    second.map { unsafe alphabet[Int(($0 << 2) & 63)] } ?? UInt8(ascii: "=")
                unsafe memory[to + 3] = UInt8(ascii: "=")
            }
        }
    }
}

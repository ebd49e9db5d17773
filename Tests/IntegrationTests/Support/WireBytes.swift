/// WebSocket frames as a server, or a bad one, writes them (RFC 6455 §5.2).
enum WebSocketBytes {
    static let binary: UInt8 = 0x82
    static let text: UInt8 = 0x81
    static let continuation: UInt8 = 0x80
    static let ping: UInt8 = 0x89
    static let close: UInt8 = 0x88
    /// To be taken away from the first byte: the message goes on.
    static let final: UInt8 = 0x80

    /// A frame.
    ///
    /// - Parameter length: what the header says; nil: the payload's.
    static func frame(
        _ first: UInt8,
        _ payload: [UInt8],
        length: UInt64? = nil,
        isMasked: Bool = false
    ) -> [UInt8] {
        let mask: UInt8 = isMasked ? 0x80 : 0
        let length = length ?? UInt64(payload.count)
        var bytes = [first]
        switch length {
        case ..<126: bytes.append(UInt8(length) | mask)
        case ..<65536: bytes += [126 | mask] + bigEndian(length, 2)
        default: bytes += [127 | mask] + bigEndian(length, 8)
        }
        // A key of zeros leaves the payload as it is.
        return bytes + (isMasked ? [0, 0, 0, 0] : []) + payload
    }
}

/// SPDY frames as a server, or a bad one, writes them.
enum SPDYBytes {
    /// An empty header block behind others: a stored block, and the empty one that flushes.
    static let emptyBlock: [UInt8] = [0, 4, 0, 0xFB, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
    /// What stands before the first block of a direction: RFC 1950 §2.2, and the Adler-32 of the dictionary.
    static let streamHead: [UInt8] = [0x78, 0x20, 0xE3, 0xC6, 0xA7, 0xC2]

    /// A control frame.
    ///
    /// - Parameter length: what the head says; nil: the body's.
    static func control(
        _ type: UInt64,
        _ body: [UInt8],
        flags: UInt8 = 0,
        version: UInt64 = 3,
        length: UInt64? = nil
    ) -> [UInt8] {
        bigEndian(0x8000 | version, 2) + bigEndian(type, 2) + [flags]
            + bigEndian(length ?? UInt64(body.count), 3) + body
    }

    /// A data frame.
    static func data(_ id: UInt32, _ payload: [UInt8], isFinal: Bool = false, length: UInt64? = nil)
        -> [UInt8]
    {
        bigEndian(UInt64(id), 4) + [isFinal ? 1 : 0] + bigEndian(length ?? UInt64(payload.count), 3) + payload
    }

    static func synReply(_ id: UInt32, _ block: [UInt8] = emptyBlock, flags: UInt8 = 0) -> [UInt8] {
        control(2, bigEndian(UInt64(id), 4) + block, flags: flags)
    }

    static func headers(_ id: UInt32, _ block: [UInt8]) -> [UInt8] {
        control(8, bigEndian(UInt64(id), 4) + block)
    }

    static func synStream(_ id: UInt32) -> [UInt8] {
        control(1, bigEndian(UInt64(id), 4) + [0, 0, 0, 0, 0, 0] + emptyBlock)
    }

    static func reset(_ id: UInt32, _ status: UInt64 = 6) -> [UInt8] {
        control(3, bigEndian(UInt64(id), 4) + bigEndian(status, 4))
    }

    static func ping(_ id: UInt64) -> [UInt8] { control(6, bigEndian(id, 4)) }

    static func goAway(_ last: UInt64 = 0) -> [UInt8] { control(7, bigEndian(last, 4) + [0, 0, 0, 0]) }

    static func windowUpdate(_ id: UInt32, _ delta: UInt64) -> [UInt8] {
        control(9, bigEndian(UInt64(id), 4) + bigEndian(delta, 4))
    }

    static func settings(_ count: UInt64, claiming claimed: UInt64? = nil) -> [UInt8] {
        control(
            4,
            bigEndian(claimed ?? count, 4) + [UInt8](repeating: 1, count: Int(count) * 8)
        )
    }

    /// A block that inflates to zeros: `count` times 258 of them, in 13 bits each (RFC 1951 §3.2.6).
    static func bomb(_ count: Int) -> [UInt8] {
        var bits = BitWriter()
        // Not the last block, with the fixed codes.
        bits.append(0, 1)
        bits.append(1, 2)
        bits.appendCode(0b0011_0000, 8)
        for _ in 0..<count {
            bits.appendCode(0b1100_0101, 8)
            bits.appendCode(0, 5)
        }
        bits.appendCode(0, 7)
        bits.append(0, 3)
        return bits.padded() + [0, 0, 0xFF, 0xFF]
    }

    /// Deflate's bits, the lowest of a byte first.
    private struct BitWriter {
        private var bytes: [UInt8] = []
        private var count = 0

        mutating func append(_ value: Int, _ bits: Int) {
            for bit in 0..<bits {
                if count % 8 == 0 { bytes.append(0) }
                bytes[count / 8] |= UInt8(value >> bit & 1) << UInt8(count % 8)
                count += 1
            }
        }

        /// Huffman codes stand with their highest bit first.
        mutating func appendCode(_ code: Int, _ bits: Int) {
            for bit in stride(from: bits - 1, through: 0, by: -1) { append(code >> bit & 1, 1) }
        }

        func padded() -> [UInt8] { bytes }
    }
}

/// The lowest `count` bytes of a number, the highest of them first.
func bigEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - $0))) }
}

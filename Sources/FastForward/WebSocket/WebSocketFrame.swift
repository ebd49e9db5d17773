// A frame on the wire (RFC 6455 §5.2):
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     |F|R R R|opcode |M|  length (7)   | length (16) if 126, or (64) if 127 …
//     | … masking key (32) if M …       | payload …

/// What a frame is.
package enum WebSocketOpcode: UInt8, Sendable {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10
}

/// Which end of the connection we are.
package enum WebSocketRole: Sendable {
    /// Writes masked frames, reads unmasked ones.
    case client
    /// Writes unmasked frames, reads masked ones.
    case server
}

/// The key that a client's payload is combined with, so that no cache in between mistakes it for HTTP (§5.3).
///
/// Each frame takes a fresh, unpredictable one.
package struct WebSocketMask: Equatable, Sendable {
    /// The four bytes, the first in the lowest place.
    private let bits: UInt32

    /// A key of any 32 random bits; the first byte on the wire is the lowest.
    package init(_ bits: UInt32) {
        self.bits = bits
    }

    /// A key as it stands on the wire, read as a big-endian number.
    init(bigEndian bits: UInt32) {
        self.bits = bits.byteSwapped
    }

    /// The key's bytes on the wire, as a big-endian number.
    var bigEndian: UInt32 { bits.byteSwapped }

    /// The key for the payload from its byte `count` on.
    package func advanced(by count: Int) -> WebSocketMask {
        let shift = UInt32(truncatingIfNeeded: count & 3) * 8
        return WebSocketMask(bits >> shift | bits << ((32 - shift) & 31))
    }

    /// The key's byte for the payload's byte at `offset`.
    func byte(at offset: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: bits >> (UInt32(truncatingIfNeeded: offset & 3) * 8))
    }

    /// Masks the bytes in `range`, or unmasks them: it is the same.
    ///
    /// The first byte of `range` meets the first byte of the key.
    package func apply(to bytes: inout MutableRawSpan, in range: Range<Int>) {
        bytes.formExclusiveOr(repeating: bits, in: range)
    }

    /// Masks the bytes in `range`, or unmasks them: it is the same.
    ///
    /// - Parameter range: offsets from the first readable byte; `nil` is all of them.
    package func apply(to buffer: inout ByteBuffer, in range: Range<Int>? = nil) {
        var bytes = buffer.mutableBytes
        bytes.formExclusiveOr(repeating: bits, in: range ?? 0..<bytes.byteCount)
    }
}

/// The payload of a control frame, at most ``bytesMax`` bytes.
package struct WebSocketControlPayload: Equatable, Sendable {
    /// RFC 6455 §5.5.
    package static let bytesMax = 125

    package private(set) var bytes: [UInt8]

    package init() {
        bytes = []
    }

    /// A payload of at most ``bytesMax`` bytes.
    package init(_ bytes: [UInt8]) {
        precondition(bytes.count <= Self.bytesMax, "a control frame carries at most 125 bytes")
        self.bytes = bytes
    }

    /// The payload of a CLOSE (§5.5.1).
    ///
    /// - Parameter reason: cut at a character where it is too long.
    package init(closeCode code: UInt16, reason: String = "") {
        precondition(Self.isValidCloseCode(code), "a close code that may be sent")
        bytes = [UInt8(truncatingIfNeeded: code >> 8), UInt8(truncatingIfNeeded: code)]
        for character in reason {
            guard bytes.count + character.utf8.count <= Self.bytesMax else { break }
            bytes.append(contentsOf: character.utf8)
        }
    }

    mutating func append(_ byte: UInt8) {
        precondition(bytes.count < Self.bytesMax, "a control frame carries at most 125 bytes")
        bytes.append(byte)
    }

    /// Whether a code may stand in a CLOSE frame (§7.4).
    ///
    /// 1004 has no meaning; 1005, 1006 and 1015 stand for what was not received; 1012 to 1014 were registered later.
    static func isValidCloseCode(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

/// Writes WebSocket frames: a header in front of a payload that is already in its buffer, or behind what is there.
///
/// Every frame is its message's only one: fragments serve nobody here. A client passes a fresh ``WebSocketMask``
/// each time, a server `nil` (RFC 6455 §5.1). Too little room is the caller's error and traps.
package enum WebSocketFrameWriter {
    /// The headroom that a payload needs in front of it: the longest header (§5.2).
    package static let headroomBytesMax = WebSocketFrameReader.headerBytesMax

    /// The room that a control frame may need: a header of 2 or 6 bytes and the payload.
    package static let controlFrameBytesMax = 6 + WebSocketControlPayload.bytesMax

    /// The size of the header of a frame with that payload.
    package static func headerBytes(payloadBytes: Int, isMasked: Bool) -> Int {
        let lengthBytes = payloadBytes < 126 ? 0 : payloadBytes <= Int(UInt16.max) ? 2 : 8
        return 2 + lengthBytes + (isMasked ? 4 : 0)
    }

    /// Makes the readable bytes of `buffer` the payload of one data frame.
    ///
    /// Masks them in place and writes the header into the headroom.
    package static func prependHeader(
        to buffer: inout ByteBuffer,
        opcode: WebSocketOpcode = .binary,
        key: WebSocketMask?
    ) {
        let payloadBytes = buffer.readableBytes
        let maskBit: UInt8 = key == nil ? 0 : 0x80
        if let key {
            key.apply(to: &buffer)
            buffer.prepend(bigEndian: key.bigEndian)
        }
        if payloadBytes < 126 {
            buffer.prepend(maskBit | UInt8(payloadBytes))
        } else if payloadBytes <= Int(UInt16.max) {
            buffer.prepend(bigEndian: UInt16(payloadBytes))
            buffer.prepend(maskBit | 126)
        } else {
            buffer.prepend(bigEndian: UInt64(payloadBytes))
            buffer.prepend(maskBit | 127)
        }
        buffer.prepend(0x80 | opcode.rawValue)
    }

    /// Writes the header of one data frame behind what `buffer` holds.
    ///
    /// The caller appends the payload, which is to be masked with `key`.
    package static func appendHeader(
        payloadBytes: Int,
        opcode: WebSocketOpcode = .binary,
        key: WebSocketMask?,
        to buffer: inout ByteBuffer
    ) {
        precondition(payloadBytes >= 0)
        let maskBit: UInt8 = key == nil ? 0 : 0x80
        buffer.append(0x80 | opcode.rawValue)
        if payloadBytes < 126 {
            buffer.append(maskBit | UInt8(payloadBytes))
        } else if payloadBytes <= Int(UInt16.max) {
            buffer.append(maskBit | 126)
            buffer.append(bigEndian: UInt16(payloadBytes))
        } else {
            buffer.append(maskBit | 127)
            buffer.append(bigEndian: UInt64(payloadBytes))
        }
        if let key { buffer.append(bigEndian: key.bigEndian) }
    }

    /// Writes a PING, PONG or CLOSE behind what `buffer` holds.
    ///
    /// - Parameter opcode: ``WebSocketOpcode/ping``, ``WebSocketOpcode/pong`` or ``WebSocketOpcode/close``.
    package static func appendControl(
        _ opcode: WebSocketOpcode,
        _ payload: WebSocketControlPayload = WebSocketControlPayload(),
        key: WebSocketMask?,
        to buffer: inout ByteBuffer
    ) {
        precondition(opcode.rawValue >= 8, "a control frame's opcode")
        appendHeader(payloadBytes: payload.bytes.count, opcode: opcode, key: key, to: &buffer)
        for (offset, byte) in payload.bytes.enumerated() {
            buffer.append(byte ^ (key?.byte(at: offset) ?? 0))
        }
    }
}

/// Writes the SPDY frames that need no state; ``HeaderCompressor`` writes those with a header block.
///
/// Every function appends a whole frame, or the head of one, and traps where the buffer has no room for it.
package enum SPDYFrameWriter {
    /// The length of a data frame's head, in bytes.
    package static let dataHeaderBytes = SPDYWire.frameHeadBytes
    /// The longest payload of a data frame, in bytes (24 bits of length).
    package static let dataPayloadBytesMax = 0xFF_FFFF
    /// The length of a PING, in bytes.
    package static let pingBytes = 12
    /// The length of a RST_STREAM, in bytes.
    package static let resetBytes = 16
    /// The length of a GOAWAY, in bytes.
    package static let goAwayBytes = 16

    /// Writes a data frame's head over eight bytes that are already there.
    ///
    /// So payload can be received behind a gap, and the gap filled once its length is known.
    ///
    /// - Parameters:
    ///   - buffer: has the gap among its readable bytes.
    ///   - offset: where the gap begins, from the first readable byte.
    ///   - streamID: 1 … 2^31 - 1.
    ///   - payloadBytes: 0 … ``dataPayloadBytesMax``.
    ///   - isFinal: whether this side sends no more on the stream.
    package static func storeDataHeader(
        in buffer: inout ByteBuffer,
        at offset: Int,
        streamID: UInt32,
        payloadBytes: Int,
        isFinal: Bool
    ) {
        let head = dataHeader(streamID: streamID, payloadBytes: payloadBytes, isFinal: isFinal)
        buffer.store(bigEndian: head, at: offset)
    }

    /// Appends a data frame's head; the payload follows.
    ///
    /// Parameters as for
    /// ``storeDataHeader(in:at:streamID:payloadBytes:isFinal:)``.
    package static func appendDataHeader(
        streamID: UInt32,
        payloadBytes: Int,
        isFinal: Bool,
        to buffer: inout ByteBuffer
    ) {
        buffer.append(
            bigEndian: dataHeader(streamID: streamID, payloadBytes: payloadBytes, isFinal: isFinal)
        )
    }

    /// Appends a PING (§2.6.5): one of ours, with an id of our evenness, or the echo of the peer's.
    package static func appendPing(id: UInt32, to buffer: inout ByteBuffer) {
        appendControlHead(.ping, bodyBytes: 4, isFinal: false, to: &buffer)
        buffer.append(bigEndian: id)
    }

    /// Appends a RST_STREAM (§2.6.3).
    ///
    /// - Parameters:
    ///   - streamID: 1 … 2^31 - 1.
    ///   - status: one of ``SPDYResetStatus``; spdystream takes a 0 for a broken frame.
    ///   - buffer: has ``resetBytes`` of room.
    package static func appendReset(streamID: UInt32, status: UInt32, to buffer: inout ByteBuffer) {
        precondition(status != 0, "a reset has a reason")
        appendControlHead(.rstStream, bodyBytes: 8, isFinal: false, to: &buffer)
        buffer.append(bigEndian: checked(streamID))
        buffer.append(bigEndian: status)
    }

    /// Appends a GOAWAY (§2.6.6).
    ///
    /// A server of Kubernetes reads nothing behind it.
    ///
    /// - Parameters:
    ///   - lastGoodStreamID: the last stream of the peer that was taken; 0 for none.
    ///   - status: 0 for a normal end.
    ///   - buffer: has ``goAwayBytes`` of room.
    package static func appendGoAway(
        lastGoodStreamID: UInt32,
        status: UInt32,
        to buffer: inout ByteBuffer
    ) {
        appendControlHead(.goAway, bodyBytes: 8, isFinal: false, to: &buffer)
        buffer.append(bigEndian: lastGoodStreamID & SPDYWire.streamIDMask)
        buffer.append(bigEndian: status)
    }

    static func appendControlHead(
        _ type: SPDYFrameType,
        bodyBytes: Int,
        isFinal: Bool,
        to buffer: inout ByteBuffer
    ) {
        buffer.append(bigEndian: 0x8000 | SPDYWire.version)
        buffer.append(bigEndian: type.rawValue)
        buffer.append(bigEndian: (isFinal ? UInt32(SPDYWire.finFlag) << 24 : 0) | UInt32(bodyBytes))
    }

    static func checked(_ streamID: UInt32) -> UInt32 {
        precondition(streamID != 0 && streamID <= SPDYWire.streamIDMask, "stream ids are 1 … 2^31 - 1")
        return streamID
    }

    private static func dataHeader(streamID: UInt32, payloadBytes: Int, isFinal: Bool) -> UInt64 {
        precondition(
            payloadBytes >= 0 && payloadBytes <= dataPayloadBytesMax,
            "the length of a data frame has 24 bits"
        )
        return UInt64(checked(streamID)) << 32
            | (isFinal ? UInt64(SPDYWire.finFlag) << 24 : 0)
            | UInt64(payloadBytes)
    }
}

/// The frames with a header block. They must leave in the order in which they were appended, as the blocks
/// are one stream.
extension HeaderCompressor {
    /// The room that ``appendSynStream(streamID:associatedID:priority:headers:isFinal:to:)`` needs at most,
    /// in bytes.
    package static func synStreamBytesMax(_ headers: SPDYHeaders) -> Int {
        SPDYWire.frameHeadBytes + SPDYFrameType.synStream.fixedBytes + blockBytesMax(headers)
    }

    /// The room that ``appendSynReply(streamID:headers:isFinal:to:)`` needs at most, in bytes.
    package static func synReplyBytesMax(_ headers: SPDYHeaders) -> Int {
        SPDYWire.frameHeadBytes + SPDYFrameType.synReply.fixedBytes + blockBytesMax(headers)
    }

    /// The room that ``appendHeaders(streamID:headers:isFinal:to:)`` needs at most, in bytes.
    package static func headersBytesMax(_ headers: SPDYHeaders) -> Int {
        SPDYWire.frameHeadBytes + SPDYFrameType.headers.fixedBytes + blockBytesMax(headers)
    }

    /// Appends a SYN_STREAM (§2.6.1).
    ///
    /// - Parameters:
    ///   - streamID: above every earlier one of this side, and of its evenness.
    ///   - associatedID: the stream that this one belongs to; Kubernetes has none.
    ///   - priority: 0 (highest) … 7.
    ///   - headers: at most 65,535 bytes of text.
    ///   - isFinal: whether this side never sends data on the stream.
    ///   - buffer: has ``synStreamBytesMax(_:)`` of room.
    package mutating func appendSynStream(
        streamID: UInt32,
        associatedID: UInt32? = nil,
        priority: UInt8 = 0,
        headers: some SPDYHeaderText,
        isFinal: Bool,
        to buffer: inout ByteBuffer
    ) {
        precondition(priority <= 7, "priorities are 0 … 7")
        let textBytes = headers.textBytes
        SPDYFrameWriter.appendControlHead(
            .synStream,
            bodyBytes: SPDYFrameType.synStream.fixedBytes + blockBytes(textBytes: textBytes),
            isFinal: isFinal,
            to: &buffer
        )
        buffer.append(bigEndian: SPDYFrameWriter.checked(streamID))
        buffer.append(bigEndian: associatedID.map(SPDYFrameWriter.checked) ?? 0)
        buffer.append(bigEndian: UInt16(priority) << 13)
        appendBlock(headers, textBytes: textBytes, to: &buffer)
    }

    /// Appends a SYN_REPLY (§2.6.2).
    ///
    /// - Parameters:
    ///   - streamID: a stream that the peer opened.
    ///   - headers: at most 65,535 bytes of text; Kubernetes sends none.
    ///   - isFinal: whether this side never sends data on the stream.
    ///   - buffer: has ``synReplyBytesMax(_:)`` of room.
    package mutating func appendSynReply(
        streamID: UInt32,
        headers: SPDYHeaders = SPDYHeaders(),
        isFinal: Bool,
        to buffer: inout ByteBuffer
    ) {
        append(.synReply, streamID: streamID, headers: headers, isFinal: isFinal, to: &buffer)
    }

    /// Appends a HEADERS (§2.6.7); parameters as for ``appendSynReply(streamID:headers:isFinal:to:)``.
    package mutating func appendHeaders(
        streamID: UInt32,
        headers: SPDYHeaders,
        isFinal: Bool,
        to buffer: inout ByteBuffer
    ) {
        append(.headers, streamID: streamID, headers: headers, isFinal: isFinal, to: &buffer)
    }

    private mutating func append(
        _ type: SPDYFrameType,
        streamID: UInt32,
        headers: SPDYHeaders,
        isFinal: Bool,
        to buffer: inout ByteBuffer
    ) {
        let textBytes = headers.textBytes
        SPDYFrameWriter.appendControlHead(
            type,
            bodyBytes: type.fixedBytes + blockBytes(textBytes: textBytes),
            isFinal: isFinal,
            to: &buffer
        )
        buffer.append(bigEndian: SPDYFrameWriter.checked(streamID))
        appendBlock(headers, textBytes: textBytes, to: &buffer)
    }
}

// Theory of operation
//
// The reader walks over a batch of bytes and says where the payload of data messages lies in it; it never looks
// at that payload. A batch usually holds many whole frames (Go's servers send the pieces of a SPDY frame header
// in messages of their own), so the common step is: a header that lies whole in the batch, a few comparisons, and
// the range behind it. Only a header that is cut by the batch's end is kept, at most 14 bytes, and a control
// frame's payload, at most 125: those are small and rare and are copied.
//
// Fragments need no gathering: a message is a run of ranges, and `endsMessage` tells the last.
//
// After CLOSE whatever still comes is dropped (RFC 6455 §1.4).

/// What a WebSocket reader saw.
package enum WebSocketEvent: Equatable {
    /// A part of a data message.
    ///
    /// The range indexes the bytes that were passed in. It is empty only where an empty frame ends a message.
    /// `mask` is there for role ``WebSocketRole/server``: apply it to the range.
    case payload(Range<Int>, mask: WebSocketMask?, endsMessage: Bool)
    /// Answer with a PONG that carries the same payload (§5.5.2).
    case ping(WebSocketControlPayload)
    case pong(WebSocketControlPayload)
    /// The peer is done: answer with a CLOSE unless one was sent (§5.5.1). `code` is `nil` where it gave none.
    case close(code: UInt16?, reason: String)
}

/// Finds the payload of WebSocket frames among the connection's bytes.
///
/// Borrows `bytes` for the call only; ranges in events index it. Keeps at most a partial header and one control
/// payload between calls. Cost: O(bytes of headers and control frames). Throws ``WebSocketError`` where the peer
/// breaks RFC 6455 §5; unusable after that.
package struct WebSocketFrameReader {
    /// Two bytes, a length of eight, a key of four (§5.2).
    package static let headerBytesMax = 14

    private enum Phase {
        case header
        /// A data frame's payload is under way.
        case payload
        /// A control frame's payload is being gathered.
        case control(WebSocketOpcode)
        case closed
    }

    private let role: WebSocketRole
    private let messageOpcode: UInt8

    private var phase = Phase.header
    /// What is left of the payload of the frame under way; none between frames.
    private var leftBytes = 0
    /// The key for those bytes, in phase; meaningful for role server only.
    private var mask = WebSocketMask(0)
    /// Whether a data message has begun and not ended; control frames may stand inside it.
    private var isInsideMessage = false
    /// Whether the data frame under way is its message's last.
    private var isLastFrame = false
    private var controlPayload = WebSocketControlPayload()

    /// The beginning of a header that the end of a batch cut.
    private var header = InlineArray<14, UInt8>(repeating: 0)
    private var headerBytes = 0

    /// A reader for one direction of a connection.
    ///
    /// - Parameter messages: the kind of data messages that the subprotocol sends, ``WebSocketOpcode/binary`` or
    ///   ``WebSocketOpcode/text``; the other is an error. Text is not checked for being UTF-8.
    package init(role: WebSocketRole, messages: WebSocketOpcode = .binary) {
        precondition(messages == .binary || messages == .text, "messages are binary or text")
        self.role = role
        messageOpcode = messages.rawValue
    }

    /// The next event.
    ///
    /// - Parameter cursor: where to begin in `bytes`; moved behind what was consumed.
    /// - Returns: `nil` when all of `bytes` was consumed.
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(WebSocketError) -> WebSocketEvent? {
        while true {
            switch phase {
            case .header:
                guard try readHeader(bytes, from: &cursor) else { return nil }
            case .payload:
                // An empty frame that ends a message is told of, though it has no bytes.
                guard cursor < bytes.byteCount || leftBytes == 0 else { return nil }
                return readPayload(bytes, from: &cursor)
            case .control(let opcode):
                guard gatherControl(bytes, from: &cursor) else { return nil }
                return try finishControl(opcode)
            case .closed:
                cursor = bytes.byteCount
                return nil
            }
        }
    }

    /// The payload that comes next, where it is of a whole message from a server in one frame below 64 KiB, or of the
    /// frame under way: the way of a byte.
    ///
    /// Nothing is consumed where something else comes: ``next(_:from:)`` goes on anywhere.
    mutating func nextPlainPayload(_ bytes: RawSpan, from cursor: inout Int) -> Range<Int>? {
        let available = bytes.byteCount - cursor
        guard role == .client, available > 0 else { return nil }
        switch phase {
        case .payload:
            guard leftBytes > 0 else { return nil }
        case .header:
            guard headerBytes == 0, !isInsideMessage, available >= 4,
                bytes.byte(at: cursor) == 0x80 | messageOpcode
            else { return nil }
            let second = bytes.byte(at: cursor + 1)
            switch second {
            case 1..<126:
                leftBytes = Int(second)
                cursor += 2
            case 126:
                let length = Int(bytes.bigEndian(UInt16.self, at: cursor + 2))
                guard length >= 126, available > 4 else { return nil }
                leftBytes = length
                cursor += 4
            case _: return nil
            }
            isLastFrame = true
            phase = .payload
        case .control, .closed: return nil
        }
        let range = cursor..<cursor + min(leftBytes, bytes.byteCount - cursor)
        cursor = range.upperBound
        leftBytes -= range.count
        if leftBytes == 0 { phase = .header }
        return range
    }

    /// Says that the connection has ended.
    ///
    /// Throws ``WebSocketError/endedWithoutClose(isInsideFrame:)`` where no CLOSE came before.
    package func finish() throws(WebSocketError) {
        switch phase {
        case .closed: break
        case .header: throw .endedWithoutClose(isInsideFrame: headerBytes > 0)
        case .payload, .control: throw .endedWithoutClose(isInsideFrame: true)
        }
    }

    // MARK: Payload

    /// Steps over what `bytes` holds of the frame's payload.
    private mutating func readPayload(_ bytes: RawSpan, from cursor: inout Int) -> WebSocketEvent {
        let range = cursor..<cursor + min(leftBytes, bytes.byteCount - cursor)
        let rangeMask = role == .server ? mask : nil
        if role == .server { mask = mask.advanced(by: range.count) }
        cursor = range.upperBound
        leftBytes -= range.count
        if leftBytes == 0 { phase = .header }
        return .payload(range, mask: rangeMask, endsMessage: leftBytes == 0 && isLastFrame)
    }

    /// Gathers what `bytes` holds of a control frame's payload.
    ///
    /// - Returns: whether it is whole.
    private mutating func gatherControl(_ bytes: RawSpan, from cursor: inout Int) -> Bool {
        while leftBytes > 0 && cursor < bytes.byteCount {
            let key = role == .server ? mask.byte(at: controlPayload.bytes.count) : 0
            controlPayload.append(bytes.byte(at: cursor) ^ key)
            cursor += 1
            leftBytes -= 1
        }
        return leftBytes == 0
    }

    private mutating func finishControl(_ opcode: WebSocketOpcode) throws(WebSocketError) -> WebSocketEvent {
        let payload = controlPayload
        controlPayload = WebSocketControlPayload()
        phase = .header
        switch opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .close:
            phase = .closed
            return try Self.close(payload.bytes)
        case .continuation, .text, .binary: preconditionFailure("a data frame is no control frame")
        }
    }

    /// Reads the payload of a CLOSE (§5.5.1).
    private static func close(_ payload: [UInt8]) throws(WebSocketError) -> WebSocketEvent {
        guard !payload.isEmpty else { return .close(code: nil, reason: "") }
        guard payload.count >= 2 else { throw .closeTooShort }
        let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
        guard WebSocketControlPayload.isValidCloseCode(code) else { throw .closeCodeInvalid(code) }
        guard let reason = String(validating: payload[2...], as: UTF8.self) else { throw .closeReasonNotUTF8 }
        return .close(code: code, reason: reason)
    }

    // MARK: Headers

    /// Reads a frame's header, or keeps the part that is there.
    ///
    /// - Returns: whether it is whole.
    private mutating func readHeader(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(WebSocketError) -> Bool {
        let available = bytes.byteCount - cursor
        if headerBytes == 0 && available >= 2 {
            let first = bytes.byte(at: cursor)
            let second = bytes.byte(at: cursor + 1)
            let size = Self.headerBytes(second)
            if available >= size {
                let length =
                    switch second & 0x7F {
                    case 126: UInt64(bytes.bigEndian(UInt16.self, at: cursor + 2))
                    case 127: bytes.bigEndian(UInt64.self, at: cursor + 2)
                    case let length: UInt64(length)
                    }
                let key = second & 0x80 == 0 ? 0 : bytes.bigEndian(UInt32.self, at: cursor + size - 4)
                cursor += size
                try begin(first, second, payloadBytes: length, key: key)
                return true
            }
        }
        return try keepHeader(bytes, from: &cursor)
    }

    /// Adds to a header that the end of a batch cut.
    ///
    /// - Returns: whether it is whole now.
    private mutating func keepHeader(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(WebSocketError) -> Bool {
        while headerBytes < 2 || headerBytes < Self.headerBytes(header[1]) {
            guard cursor < bytes.byteCount else { return false }
            header[headerBytes] = bytes.byte(at: cursor)
            headerBytes += 1
            cursor += 1
        }
        let size = headerBytes
        headerBytes = 0
        let second = header[1]
        let keyStart = second & 0x80 == 0 ? size : size - 4
        var length = UInt64(second & 0x7F)
        if length >= 126 { length = bigEndian(header, 2..<keyStart) }
        let key = UInt32(truncatingIfNeeded: bigEndian(header, keyStart..<size))
        try begin(header[0], second, payloadBytes: length, key: key)
        return true
    }

    private func bigEndian(_ bytes: InlineArray<14, UInt8>, _ range: Range<Int>) -> UInt64 {
        var value: UInt64 = 0
        for index in range { value = value << 8 | UInt64(bytes[index]) }
        return value
    }

    /// The size of a header by its second byte (§5.2).
    private static func headerBytes(_ second: UInt8) -> Int {
        let lengthBytes =
            switch second & 0x7F {
            case 126: 2
            case 127: 8
            default: 0
            }
        return 2 + lengthBytes + (second & 0x80 == 0 ? 0 : 4)
    }

    /// Begins a frame, if it may stand here.
    private mutating func begin(
        _ first: UInt8,
        _ second: UInt8,
        payloadBytes: UInt64,
        key: UInt32
    ) throws(WebSocketError) {
        guard first & 0x70 == 0 else { throw .reservedBits(firstByte: first) }
        let opcode = first & 0x0F
        switch role {
        case .client: if second & 0x80 != 0 { throw .maskedByServer }
        case .server:
            if second & 0x80 == 0 { throw .notMaskedByClient }
            mask = WebSocketMask(bigEndian: key)
        }
        if second & 0x7F >= 126 {
            guard payloadBytes >= (second & 0x7F == 126 ? 126 : 65536) else {
                throw .lengthNotMinimal(payloadBytes: payloadBytes)
            }
            guard payloadBytes < 1 << 63 else { throw .lengthTooLarge(payloadBytes: payloadBytes) }
        }
        if opcode < 8 {
            try beginData(opcode, isLastFrame: first & 0x80 != 0, isEmpty: payloadBytes == 0)
        } else {
            try beginControl(opcode, isWhole: first & 0x80 != 0, payloadBytes: payloadBytes)
        }
        leftBytes = Int(payloadBytes)
    }

    private mutating func beginData(
        _ opcode: UInt8,
        isLastFrame: Bool,
        isEmpty: Bool
    ) throws(WebSocketError) {
        if opcode == WebSocketOpcode.continuation.rawValue {
            guard isInsideMessage else { throw .continuationOfNothing }
        } else {
            guard opcode <= 2 else { throw .unknownOpcode(opcode) }
            guard !isInsideMessage else { throw .messageInsideMessage(opcode: opcode) }
            guard opcode == messageOpcode else { throw .wrongMessageKind(opcode: opcode) }
        }
        self.isLastFrame = isLastFrame
        isInsideMessage = !isLastFrame
        // An empty frame in the middle of a message says nothing.
        phase = isEmpty && !isLastFrame ? .header : .payload
    }

    private mutating func beginControl(
        _ opcode: UInt8,
        isWhole: Bool,
        payloadBytes: UInt64
    ) throws(WebSocketError) {
        guard let known = WebSocketOpcode(rawValue: opcode) else { throw .unknownOpcode(opcode) }
        guard isWhole else { throw .controlFrameFragmented(opcode: opcode) }
        guard payloadBytes <= WebSocketControlPayload.bytesMax else {
            throw .controlFrameTooLong(opcode: opcode, payloadBytes: payloadBytes)
        }
        phase = .control(known)
    }
}

/// Reads SPDY frames in place, for either role.
///
/// Borrows the bytes for each call; the ranges in events index them. Keeps at most ten bytes of a head
/// between calls, and the text of the header block that is being inflated. The cost of a data frame does not
/// depend on its length. Throws ``SPDYError`` when the peer breaks the protocol; the reader must not be used
/// after that.
///
/// What it does with frames that mean nothing here: SETTINGS and WINDOW_UPDATE are checked and skipped;
/// control frames of unknown type are skipped, as §2.2.1 demands (spdystream closes the connection on them).
package struct SPDYFrameReader: ~Copyable {
    /// Which side of the connection reads.
    package enum Role {
        /// We opened the connection: our stream ids are odd, the peer's are even.
        case client
        /// The peer opened the connection: its stream ids are odd.
        case server
    }

    /// How long the body of a control frame may be, in bytes.
    ///
    /// §2.2.1 obliges to take 8 KiB. A body is not stored, so this costs nothing; it exists because a longer
    /// one is nonsense, and the length of a control frame is where bytes that are no SPDY show up.
    package static let controlFrameBytesMax = 64 * 1024

    private enum Phase {
        /// In the head of a frame.
        case frameHead
        /// In the payload of a data frame.
        case payload
        /// In the fixed words of a control frame.
        case fixedWords
        /// In the header block of a control frame.
        case headerBlock
        /// In the rest of a control frame that is not wanted.
        case skipped
        /// The peer broke the protocol.
        case failed
    }

    private let role: Role
    private var phase = Phase.frameHead
    /// FLAG_FIN of the current frame.
    private var isFinal = false
    /// Of the current data frame.
    private var streamID: UInt32 = 0
    /// What is still to come of the current frame's payload or body, in bytes.
    private var bytesLeft = 0
    /// The bytes so far of a head or of fixed words that arrive in pieces, the last one lowest.
    private var partial: UInt128 = 0
    private var partialBytes = 0

    /// The current control frame; nil where its type is unknown.
    private var type: SPDYFrameType?
    /// The first two words of the current control frame's body, and SYN_STREAM's priority.
    private var words: (UInt32, UInt32) = (0, 0)
    private var priority: UInt8 = 0
    /// The highest id of a stream that the peer opened; 0 before the first.
    private var lastOpenedID: UInt32 = 0
    private var decompressor = HeaderDecompressor()

    package init(role: Role) {
        self.role = role
    }

    /// The next event, or nil when everything in `bytes` was consumed.
    ///
    /// Call until it returns nil before the bytes change.
    ///
    /// - Parameters:
    ///   - bytes: what has arrived; events hold ranges of it.
    ///   - cursor: where to go on in `bytes`; moved over what was consumed.
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(SPDYError) -> SPDYEvent? {
        while true {
            if phase == .frameHead {
                let head: UInt64
                if partialBytes == 0, bytes.byteCount - cursor >= SPDYWire.frameHeadBytes {
                    head = bytes.bigEndian(UInt64.self, at: cursor)
                    cursor += SPDYWire.frameHeadBytes
                } else {
                    guard let gathered = gather(SPDYWire.frameHeadBytes, of: bytes, from: &cursor) else {
                        return nil
                    }
                    head = UInt64(truncatingIfNeeded: gathered)
                }
                isFinal = UInt8(truncatingIfNeeded: head >> 24) & SPDYWire.finFlag != 0
                bytesLeft = Int(head & 0xFF_FFFF)
                if head >> 63 == 0 {
                    streamID = UInt32(truncatingIfNeeded: head >> 32)
                    guard streamID != 0 else { throw failed(.zeroStreamID(type: nil)) }
                    phase = .payload
                    if bytesLeft == 0 { return payloadPart(0, at: &cursor) }
                } else {
                    try beginControlFrame(UInt32(truncatingIfNeeded: head >> 32))
                }
            }
            if phase == .payload {
                let count = min(bytesLeft, bytes.byteCount - cursor)
                guard count > 0 else { return nil }
                return payloadPart(count, at: &cursor)
            }
            do throws(SPDYError) {
                if let event = try readControlFrame(bytes, from: &cursor) { return event }
            } catch {
                throw failed(error)
            }
            guard phase == .frameHead else { return nil }
        }
    }

    // MARK: The way of a byte

    /// The stream and the size of the payload that comes next, where that is a part of a data frame which does not end
    /// its stream; ``stepOverPayload(_:from:)`` consumes it.
    ///
    /// Heads are consumed; whatever else comes is left to ``next(_:from:)``, which goes on anywhere.
    ///
    /// - Parameter end: where the bytes end that may be looked at.
    mutating func payloadAhead(
        _ bytes: RawSpan,
        from cursor: inout Int,
        to end: Int
    ) -> (streamID: UInt32, count: Int)? {
        if phase == .frameHead {
            guard enterDataFrame(bytes, from: &cursor, to: end) else { return nil }
        }
        guard phase == .payload else { return nil }
        let count = min(bytesLeft, end - cursor)
        guard count > 0, count < bytesLeft || !isFinal else { return nil }
        return (streamID, count)
    }

    /// Consumes what ``payloadAhead(_:from:to:)`` has told of.
    mutating func stepOverPayload(_ count: Int, from cursor: inout Int) {
        cursor += count
        bytesLeft -= count
        if bytesLeft == 0 { phase = .frameHead }
    }

    /// Reads the head of a data frame that has payload, or what there is of it.
    ///
    /// - Returns: whether it is whole; where it is none, nothing is consumed.
    private mutating func enterDataFrame(_ bytes: RawSpan, from cursor: inout Int, to end: Int) -> Bool {
        let missing = SPDYWire.frameHeadBytes - partialBytes
        let available = min(missing, end - cursor)
        guard available > 0 else { return false }
        var head: UInt64
        if available == SPDYWire.frameHeadBytes {
            head = bytes.bigEndian(UInt64.self, at: cursor)
        } else {
            head = UInt64(truncatingIfNeeded: partial)
            // spdystream writes each half of a head by itself.
            if available == 4 {
                head = head << 32 | UInt64(bytes.bigEndian(UInt32.self, at: cursor))
            } else {
                for place in cursor..<cursor + available { head = head << 8 | UInt64(bytes.byte(at: place)) }
            }
        }
        let headBytes = partialBytes + available
        // The first bit tells control frames.
        guard head >> UInt64(headBytes * 8 - 1) == 0 else { return false }
        guard available == missing else {
            cursor += available
            partial = UInt128(head)
            partialBytes = headBytes
            return false
        }
        guard head & 0xFF_FFFF != 0, head >> 32 != 0 else { return false }
        cursor += available
        partial = 0
        partialBytes = 0
        isFinal = UInt8(truncatingIfNeeded: head >> 24) & SPDYWire.finFlag != 0
        bytesLeft = Int(head & 0xFF_FFFF)
        streamID = UInt32(truncatingIfNeeded: head >> 32)
        phase = .payload
        return true
    }

    // MARK: Everything

    private mutating func payloadPart(_ count: Int, at cursor: inout Int) -> SPDYEvent {
        let start = cursor
        cursor += count
        bytesLeft -= count
        let endsFrame = bytesLeft == 0
        if endsFrame { phase = .frameHead }
        return .data(
            streamID: streamID,
            payload: start..<start + count,
            endsFrame: endsFrame,
            isFinal: endsFrame && isFinal
        )
    }

    private mutating func failed(_ error: SPDYError) -> SPDYError {
        phase = .failed
        return error
    }

    /// Takes bytes until there are `count` of them; nil where `bytes` ends before.
    private mutating func gather(_ count: Int, of bytes: RawSpan, from cursor: inout Int) -> UInt128? {
        while partialBytes < count {
            guard cursor < bytes.byteCount else { return nil }
            partial = partial << 8 | UInt128(bytes.byte(at: cursor))
            partialBytes += 1
            cursor += 1
        }
        partialBytes = 0
        defer { partial = 0 }
        return partial
    }

    // MARK: Control frames

    /// - Parameter word: the first half of the head.
    private mutating func beginControlFrame(_ word: UInt32) throws(SPDYError) {
        let version = UInt16(truncatingIfNeeded: word >> 16) & 0x7FFF
        let rawType = UInt16(truncatingIfNeeded: word)
        guard version == SPDYWire.version else { throw failed(.unsupportedVersion(version)) }
        guard bytesLeft <= Self.controlFrameBytesMax else {
            throw failed(.controlFrameTooLong(type: rawType, lengthBytes: bytesLeft))
        }
        type = SPDYFrameType(rawValue: rawType)
        guard let type else {
            phase = .skipped
            return
        }
        guard bytesLeft == type.fixedBytes || (bytesLeft > type.fixedBytes && !type.hasFixedLength) else {
            throw failed(.wrongFrameLength(type: rawType, lengthBytes: bytesLeft))
        }
        phase = .fixedWords
    }

    /// Reads on in a control frame; nil where more bytes are needed, or (then in the next head) the frame is
    /// no event.
    private mutating func readControlFrame(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(SPDYError) -> SPDYEvent? {
        precondition(phase != .failed, "a SPDY reader is over after its first error")
        if phase == .fixedWords, let type {
            guard let fixed = gather(type.fixedBytes, of: bytes, from: &cursor) else { return nil }
            bytesLeft -= type.fixedBytes
            try takeFixedWords(fixed, of: type)
            phase = type.carriesHeaderBlock ? .headerBlock : .skipped
        }
        let count = min(bytesLeft, bytes.byteCount - cursor)
        if phase == .headerBlock {
            do throws(HeaderBlockFault) {
                try decompressor.inflate(bytes.extracting(cursor..<cursor + count))
            } catch {
                throw .invalidHeaderBlock(streamID: words.0, error)
            }
        }
        cursor += count
        bytesLeft -= count
        guard bytesLeft == 0 else { return nil }
        phase = .frameHead
        return try endControlFrame()
    }

    private mutating func takeFixedWords(_ fixed: UInt128, of type: SPDYFrameType) throws(SPDYError) {
        switch type {
        case .synStream:
            words.0 = UInt32(truncatingIfNeeded: fixed >> 48) & SPDYWire.streamIDMask
            words.1 = UInt32(truncatingIfNeeded: fixed >> 16) & SPDYWire.streamIDMask
            priority = UInt8(truncatingIfNeeded: fixed >> 13) & 0x07
        case .rstStream, .goAway, .windowUpdate:
            words.0 = UInt32(truncatingIfNeeded: fixed >> 32) & SPDYWire.streamIDMask
            words.1 = UInt32(truncatingIfNeeded: fixed)
        case .synReply, .headers:
            words.0 = UInt32(truncatingIfNeeded: fixed) & SPDYWire.streamIDMask
        case .settings:
            let count = UInt32(truncatingIfNeeded: fixed)
            guard bytesLeft == Int(count) * 8 else {
                throw .wrongSettingsCount(count: count, lengthBytes: bytesLeft + type.fixedBytes)
            }
        case .ping:
            words.0 = UInt32(truncatingIfNeeded: fixed)
        }
        switch type {
        case .synStream, .synReply, .headers:
            guard words.0 != 0 else { throw .zeroStreamID(type: type.rawValue) }
            decompressor.beginBlock()
        case .rstStream:
            guard words.0 != 0 else { throw .zeroStreamID(type: type.rawValue) }
        case .settings, .ping, .goAway, .windowUpdate:
            break
        }
    }

    private mutating func endControlFrame() throws(SPDYError) -> SPDYEvent? {
        switch type {
        case .synStream:
            return .openedStream(
                streamID: try takeNewStreamID(words.0),
                associatedID: words.1 == 0 ? nil : words.1,
                priority: priority,
                headers: try takeHeaders(),
                isFinal: isFinal
            )
        case .synReply:
            try dropHeaders()
            return .reply(streamID: words.0, isFinal: isFinal)
        case .headers:
            try dropHeaders()
            return .headers(streamID: words.0, isFinal: isFinal)
        case .rstStream: return .reset(streamID: words.0, status: words.1)
        case .ping: return .ping(id: words.0)
        case .goAway: return .goAway(lastGoodStreamID: words.0, status: words.1)
        case .settings, .windowUpdate, nil: return nil
        }
    }

    /// Ids of the peer's streams rise and have its evenness (§2.3.2).
    private mutating func takeNewStreamID(_ id: UInt32) throws(SPDYError) -> UInt32 {
        let evenness: UInt32 = role == .server ? 1 : 0
        guard id > lastOpenedID, id & 1 == evenness else {
            throw .invalidNewStreamID(id, lastOpened: lastOpenedID)
        }
        lastOpenedID = id
        return id
    }

    private func takeHeaders() throws(SPDYError) -> SPDYHeaders {
        do throws(HeaderBlockFault) {
            return try SPDYHeaders(decoding: decompressor.text)
        } catch {
            throw .invalidHeaderBlock(streamID: words.0, error)
        }
    }

    private func dropHeaders() throws(SPDYError) {
        do throws(HeaderBlockFault) {
            try SPDYHeaders.validate(decompressor.text)
        } catch {
            throw .invalidHeaderBlock(streamID: words.0, error)
        }
    }
}

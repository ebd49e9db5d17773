// Theory of operation
//
// How long a body is follows from its head, and for a response from the request's method too (RFC 9112 §6.3).
// The reader turns the connection's bytes into ranges of body bytes and one end. Of a chunked body only the size
// lines, the line ends and the trailers are looked at byte by byte; the data is stepped over.

/// How a message's body is delimited (RFC 9112 §6.3).
package enum HTTPBodyFraming: Equatable, Sendable {
    /// There is none; behind a 101 or a 2xx to CONNECT the bytes belong to another protocol.
    case none
    case length(Int)
    case chunked
    /// The end of the connection ends it.
    case untilClose
}

/// A part of a body.
package enum HTTPBodyEvent: Equatable, Sendable {
    /// The next bytes of the body, never none; offsets into the bytes that were passed in.
    case bytes(Range<Int>)
    /// The body is complete; comes once, except where the connection's end is the end.
    case end
}

/// Finds the bytes of one body among those of the connection.
///
/// Borrows `bytes` for the call only; ranges in events index it. Keeps a few numbers between calls. Drops chunk
/// extensions and trailers. Does not bound the body: whoever gathers it does. Unusable after an error.
package struct HTTPBodyReader {
    private enum State {
        /// All is read but ``HTTPBodyEvent/end`` not yet told.
        case ending
        case ended
        case length(leftBytes: Int)
        case untilClose
        case chunk(ChunkState)
    }

    private enum ChunkState {
        case size(Int, digits: Int)
        case sizeExtension(size: Int, bytes: Int)
        case sizeLineFeed(size: Int)
        case data(leftBytes: Int)
        case dataCarriageReturn
        case dataLineFeed
        case trailerLineStart
        case trailerLine
        case trailerLineFeed
        case lastLineFeed

        static let start = ChunkState.size(0, digits: 0)
    }

    package let framing: HTTPBodyFraming
    private var state: State
    private var trailerBytes = 0

    /// The body of a request.
    ///
    /// Throws where the head states no clear length.
    package init(of head: HTTPRequestHead) throws(HTTPError) {
        try self.init(Self.statedFraming(head.fields, version: head.version) ?? .none)
    }

    /// The body of the response to a request with this method.
    ///
    /// Throws where the head states no clear length.
    package init(of head: HTTPResponseHead, toMethod method: String) throws(HTTPError) {
        let isSwitchedByConnect = method == "CONNECT" && (200...299).contains(head.status)
        if method == "HEAD" || isSwitchedByConnect || (100...199).contains(head.status) || head.status == 204
            || head.status == 304
        {
            self.init(.none)
        } else {
            try self.init(Self.statedFraming(head.fields, version: head.version) ?? .untilClose)
        }
    }

    private init(_ framing: HTTPBodyFraming) {
        self.framing = framing
        switch framing {
        case .none, .length(0): state = .ending
        case .length(let bytes): state = .length(leftBytes: bytes)
        case .chunked: state = .chunk(.start)
        case .untilClose: state = .untilClose
        }
    }

    /// Whether ``HTTPBodyEvent/end`` was told.
    package var isEnded: Bool {
        if case .ended = state { true } else { false }
    }

    /// The next part of the body.
    ///
    /// - Parameter cursor: where to begin in `bytes`; moved behind what was consumed, never behind the body's end.
    /// - Returns: `nil` when all of `bytes` was consumed, or the body has ended.
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(HTTPError) -> HTTPBodyEvent? {
        while true {
            switch state {
            case .ended:
                return nil
            case .ending:
                state = .ended
                return .end
            case .untilClose:
                guard cursor < bytes.byteCount else { return nil }
                return .bytes(Self.take(bytes.byteCount - cursor, from: &cursor))
            case .length(let leftBytes):
                guard cursor < bytes.byteCount else { return nil }
                let range = Self.take(min(leftBytes, bytes.byteCount - cursor), from: &cursor)
                state = range.count == leftBytes ? .ending : .length(leftBytes: leftBytes - range.count)
                return .bytes(range)
            case .chunk(.data(let leftBytes)):
                guard cursor < bytes.byteCount else { return nil }
                let range = Self.take(min(leftBytes, bytes.byteCount - cursor), from: &cursor)
                let leftBytes = leftBytes - range.count
                state = .chunk(leftBytes == 0 ? .dataCarriageReturn : .data(leftBytes: leftBytes))
                return .bytes(range)
            case .chunk(let chunk):
                guard cursor < bytes.byteCount else { return nil }
                try receive(bytes.byte(at: cursor), in: chunk)
                cursor += 1
            }
        }
    }

    /// Says that the connection has ended.
    ///
    /// Throws ``HTTPError/bodyCutShort(missingBytes:)`` unless that ends the body or it was complete before.
    package mutating func finish() throws(HTTPError) {
        switch state {
        case .untilClose: state = .ended
        case .ending, .ended: break
        case .length(let leftBytes): throw .bodyCutShort(missingBytes: leftBytes)
        case .chunk: throw .bodyCutShort(missingBytes: nil)
        }
    }

    private static func take(_ count: Int, from cursor: inout Int) -> Range<Int> {
        defer { cursor += count }
        return cursor..<cursor + count
    }

    // MARK: Chunks

    /// Takes one byte that is not data (RFC 9112 §7.1).
    private mutating func receive(_ byte: UInt8, in chunk: ChunkState) throws(HTTPError) {
        switch chunk {
        case .size(let size, let digits):
            state = .chunk(try Self.chunkSize(size, digits: digits, byte))
        case .sizeExtension(let size, let bytes):
            state = .chunk(try Self.chunkExtension(size: size, bytes: bytes, byte))
        case .sizeLineFeed(let size):
            guard byte == .lineFeed else { throw .unterminatedChunk }
            state = .chunk(size == 0 ? .trailerLineStart : .data(leftBytes: size))
        case .data:
            preconditionFailure("data is stepped over, not taken byte by byte")
        case .dataCarriageReturn:
            guard byte == .carriageReturn else { throw .unterminatedChunk }
            state = .chunk(.dataLineFeed)
        case .dataLineFeed:
            guard byte == .lineFeed else { throw .unterminatedChunk }
            state = .chunk(.start)
        case .trailerLineStart, .trailerLine, .trailerLineFeed:
            try receiveTrailer(byte, in: chunk)
        case .lastLineFeed:
            guard byte == .lineFeed else { throw .unterminatedChunk }
            state = .ending
        }
    }

    private static func chunkSize(_ size: Int, digits: Int, _ byte: UInt8) throws(HTTPError) -> ChunkState {
        if let digit = byte.hexadecimalValue {
            // 15 digits are below 2^60, so nothing here overflows; leading zeros count as digits.
            guard digits < 15 else { throw .invalidChunkSize }
            return .size(size << 4 | Int(digit), digits: digits + 1)
        }
        guard digits > 0 else { throw .invalidChunkSize }
        switch byte {
        case .carriageReturn: return .sizeLineFeed(size: size)
        case UInt8(ascii: ";"), .space, .horizontalTab: return .sizeExtension(size: size, bytes: 1)
        default: throw .invalidChunkSize
        }
    }

    private static func chunkExtension(
        size: Int,
        bytes: Int,
        _ byte: UInt8
    ) throws(HTTPError) -> ChunkState {
        if byte == .carriageReturn { return .sizeLineFeed(size: size) }
        // A bare LF inside an extension has been used to smuggle requests; control characters are refused.
        guard byte.isHTTPFieldText else { throw .unterminatedChunk }
        guard bytes < HTTPLimits.chunkExtensionBytesMax else {
            throw .chunkExtensionTooLong(limitBytes: HTTPLimits.chunkExtensionBytesMax)
        }
        return .sizeExtension(size: size, bytes: bytes + 1)
    }

    private mutating func receiveTrailer(_ byte: UInt8, in chunk: ChunkState) throws(HTTPError) {
        trailerBytes += 1
        guard trailerBytes <= HTTPLimits.trailerBytesMax else {
            throw .trailersTooLong(limitBytes: HTTPLimits.trailerBytesMax)
        }
        if case .trailerLineFeed = chunk {
            guard byte == .lineFeed else { throw .unterminatedChunk }
            state = .chunk(.trailerLineStart)
        } else if byte == .carriageReturn {
            if case .trailerLineStart = chunk {
                state = .chunk(.lastLineFeed)
            } else {
                state = .chunk(.trailerLineFeed)
            }
        } else {
            guard byte.isHTTPFieldText else { throw .unterminatedChunk }
            state = .chunk(.trailerLine)
        }
    }

    // MARK: The head

    /// What the fields say about the length; `nil` when they say nothing.
    private static func statedFraming(
        _ fields: HTTPFields,
        version: HTTPVersion
    ) throws(HTTPError) -> HTTPBodyFraming? {
        let lengths = fields.values(of: "Content-Length")
        let codings = fields.values(of: "Transfer-Encoding")
        if !codings.isEmpty {
            // RFC 9112 §6.3 lets the encoding win but wants this handled as an error; no honest peer does it.
            guard lengths.isEmpty else { throw .contentLengthWithTransferEncoding }
            let text = codings.joined(separator: ", ")
            // HTTP/1.0 has no transfer encoding (RFC 9112 §6.1).
            guard version == .http11, text.isEqualIgnoringASCIICase(to: "chunked") else {
                throw .unsupportedTransferEncoding(text)
            }
            return .chunked
        }
        guard !lengths.isEmpty else { return nil }
        // Equal lengths may be repeated, in one field or in several (RFC 9112 §6.3).
        let elements = fields.elements(of: "Content-Length")
        guard let first = elements.first else { throw .invalidContentLength }
        guard elements.allSatisfy({ $0 == first }) else { throw .conflictingContentLength }
        guard first.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(first) else {
            throw .invalidContentLength
        }
        return .length(length)
    }
}

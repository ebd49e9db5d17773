import FastForward

/// Reads from a buffer that is another object's property.
///
/// A span of such a buffer cannot outlive one access across modules, so each step borrows the buffer anew.
extension HTTPRequestHeadReader {
    mutating func next(
        in buffer: borrowing ByteBuffer,
        from cursor: inout Int
    ) throws(HTTPError) -> HTTPRequestHead? {
        try next(buffer.bytes, from: &cursor)
    }
}

extension HTTPBodyReader {
    mutating func next(
        in buffer: borrowing ByteBuffer,
        from cursor: inout Int
    ) throws(HTTPError) -> HTTPBodyEvent? {
        try next(buffer.bytes, from: &cursor)
    }
}

extension WebSocketFrameReader {
    mutating func next(
        in buffer: borrowing ByteBuffer,
        from cursor: inout Int
    ) throws(WebSocketError) -> WebSocketEvent? {
        try next(buffer.bytes, from: &cursor)
    }
}

extension SPDYFrameReader {
    /// - Parameter end: up to where the buffer holds SPDY.
    mutating func next(
        in buffer: borrowing ByteBuffer,
        upTo end: Int,
        from cursor: inout Int
    ) throws(SPDYError) -> SPDYEvent? {
        try next(buffer.bytes.prefix(upTo: end), from: &cursor)
    }
}

extension TLSSession {
    func write(contentsOf buffer: borrowing ByteBuffer) throws(TLSError) { try write(buffer.bytes) }
}

extension WriteQueue {
    mutating func append(
        copying range: Range<Int>,
        of buffer: borrowing ByteBuffer,
        bufferBytes: Int = 0
    ) {
        append(copying: buffer.bytes.extracting(range), bufferBytes: bufferBytes)
    }
}

extension ByteBuffer {
    func byte(at offset: Int) -> UInt8 { bytes.byte(at: offset) }

    mutating func append(_ range: Range<Int>, of other: borrowing ByteBuffer) {
        append(other.bytes.extracting(range))
    }
}

extension NumberReader {
    mutating func next(in buffer: borrowing ByteBuffer, from cursor: inout Int) -> Number? {
        next(buffer.bytes, from: &cursor)
    }
}

extension [UInt8] {
    init(copying buffer: borrowing ByteBuffer) { self.init(copying: buffer.bytes) }

    init(copying range: Range<Int>, of buffer: borrowing ByteBuffer) {
        self.init(copying: buffer.bytes.extracting(range))
    }
}

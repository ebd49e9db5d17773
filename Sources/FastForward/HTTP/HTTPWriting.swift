/// Writes heads; refuses what a reader would take for something else.
///
/// A line break in a value would begin a field of the attacker's choice, so nothing is escaped or dropped: the
/// head is refused, and the buffer left as it was.
extension HTTPRequestHead {
    /// How many bytes ``append(to:)`` writes.
    package var encodedBytes: Int {
        method.utf8.count + 1 + target.utf8.count + 1 + version.rawValue.utf8.count + 2 + fields.encodedBytes
    }

    /// Writes the head behind the readable bytes of `buffer`.
    ///
    /// Throws ``HTTPError/invalidHead(_:)`` and ``HTTPError/noRoom(neededBytes:tailroomBytes:)``.
    package func append(to buffer: inout ByteBuffer) throws(HTTPError) {
        guard !method.isEmpty, method.utf8.allSatisfy(\.isHTTPToken) else { throw .invalidHead(.method) }
        guard !target.isEmpty, target.utf8.allSatisfy(\.isHTTPTarget) else { throw .invalidHead(.target) }
        try fields.check()
        try buffer.checkRoom(for: encodedBytes)
        buffer.append(method)
        buffer.append(.space)
        buffer.append(target)
        buffer.append(.space)
        buffer.append(version.rawValue)
        buffer.appendLineEnd()
        fields.append(to: &buffer)
    }
}

extension HTTPResponseHead {
    /// How many bytes ``append(to:)`` writes.
    package var encodedBytes: Int {
        version.rawValue.utf8.count + 1 + 3 + 1 + reason.utf8.count + 2 + fields.encodedBytes
    }

    /// Writes the head behind the readable bytes of `buffer`.
    ///
    /// Throws ``HTTPError/invalidHead(_:)`` and ``HTTPError/noRoom(neededBytes:tailroomBytes:)``.
    package func append(to buffer: inout ByteBuffer) throws(HTTPError) {
        guard (100...999).contains(status) else { throw .invalidHead(.status) }
        guard reason.utf8.allSatisfy(\.isHTTPFieldText) else { throw .invalidHead(.reason) }
        try fields.check()
        try buffer.checkRoom(for: encodedBytes)
        buffer.append(version.rawValue)
        buffer.append(.space)
        buffer.append(String(status))
        buffer.append(.space)
        buffer.append(reason)
        buffer.appendLineEnd()
        fields.append(to: &buffer)
    }
}

/// Writes the chunks of a body whose length is not known beforehand (RFC 9112 §7.1), as a watch is.
package enum HTTPChunkWriter {
    /// The most that a chunk's size line and its end add to its data.
    package static let overheadBytesMax = 16 + 2 + 2

    /// Writes one chunk; nothing for no data, as an empty chunk would end the body.
    ///
    /// Throws ``HTTPError/noRoom(neededBytes:tailroomBytes:)``.
    package static func append(_ data: RawSpan, to buffer: inout ByteBuffer) throws(HTTPError) {
        guard data.byteCount > 0 else { return }
        try buffer.checkRoom(for: data.byteCount + overheadBytesMax)
        buffer.append(String(data.byteCount, radix: 16))
        buffer.appendLineEnd()
        buffer.append(data)
        buffer.appendLineEnd()
    }

    /// Writes one chunk of text; nothing for no text.
    ///
    /// Throws ``HTTPError/noRoom(neededBytes:tailroomBytes:)``.
    package static func append(_ text: String, to buffer: inout ByteBuffer) throws(HTTPError) {
        guard !text.isEmpty else { return }
        try buffer.checkRoom(for: text.utf8.count + overheadBytesMax)
        buffer.append(String(text.utf8.count, radix: 16))
        buffer.appendLineEnd()
        buffer.append(text)
        buffer.appendLineEnd()
    }

    /// Writes the end of the body.
    ///
    /// Throws ``HTTPError/noRoom(neededBytes:tailroomBytes:)``.
    package static func appendEnd(to buffer: inout ByteBuffer) throws(HTTPError) {
        try buffer.checkRoom(for: 5)
        buffer.append("0\r\n\r\n")
    }
}

extension HTTPFields {
    /// The bytes of all field lines and of the empty line behind them.
    fileprivate var encodedBytes: Int {
        all.reduce(2) { $0 + $1.name.utf8.count + 2 + $1.value.utf8.count + 2 }
    }

    fileprivate func check() throws(HTTPError) {
        for field in all {
            guard !field.name.isEmpty, field.name.utf8.allSatisfy(\.isHTTPToken) else {
                throw .invalidHead(.fieldName(field.name))
            }
            guard field.value.utf8.allSatisfy(\.isHTTPFieldText) else {
                throw .invalidHead(.fieldValue(of: field.name))
            }
        }
    }

    fileprivate func append(to buffer: inout ByteBuffer) {
        for field in all {
            buffer.append(field.name)
            buffer.append(": ")
            buffer.append(field.value)
            buffer.appendLineEnd()
        }
        buffer.appendLineEnd()
    }
}

extension ByteBuffer {
    fileprivate func checkRoom(for bytes: Int) throws(HTTPError) {
        guard bytes <= tailroomBytes else { throw .noRoom(neededBytes: bytes, tailroomBytes: tailroomBytes) }
    }

    fileprivate mutating func appendLineEnd() {
        append(.carriageReturn)
        append(.lineFeed)
    }
}

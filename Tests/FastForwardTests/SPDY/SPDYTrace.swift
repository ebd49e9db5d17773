import FastForward

/// A frame as the reader saw it, whatever the pieces were in which it came.
enum SeenSPDYFrame: Equatable {
    case data(streamID: UInt32, payload: [UInt8], isFinal: Bool)
    case control(SPDYEvent)
}

/// Reads `bytes` in pieces that end at `cuts`, and joins the parts of data frames.
///
/// - Parameter cuts: rising, between 0 and the number of bytes.
/// - Throws: what the reader throws, or ``SPDYReaderBrokeItsContract``.
func readSPDYFrames(_ bytes: [UInt8], role: SPDYFrameReader.Role, cuts: [Int] = []) throws -> [SeenSPDYFrame]
{
    var reader = SPDYFrameReader(role: role)
    var frames: [SeenSPDYFrame] = []
    var payload: [UInt8] = []
    var start = 0
    for end in cuts + [bytes.count] {
        let piece = bytes.span.bytes.extracting(start..<end)
        var cursor = 0
        while let event = try reader.next(piece, from: &cursor) {
            guard cursor <= piece.byteCount else { throw SPDYReaderBrokeItsContract.cursorLeftTheBytes }
            guard case .data(let streamID, let range, let endsFrame, let isFinal) = event else {
                guard payload.isEmpty else { throw SPDYReaderBrokeItsContract.frameInsideAFrame }
                frames.append(.control(event))
                continue
            }
            guard range.upperBound == cursor, endsFrame || !range.isEmpty else {
                throw SPDYReaderBrokeItsContract.payloadIsNotWhatWasConsumed
            }
            guard endsFrame || !isFinal else { throw SPDYReaderBrokeItsContract.streamEndsBeforeItsFrame }
            payload += bytes[(start + range.lowerBound)..<(start + range.upperBound)]
            if endsFrame {
                frames.append(.data(streamID: streamID, payload: payload, isFinal: isFinal))
                payload = []
            }
        }
        guard cursor == piece.byteCount else { throw SPDYReaderBrokeItsContract.bytesLeftOver }
        start = end
    }
    return frames
}

/// The reader did what its documentation excludes.
enum SPDYReaderBrokeItsContract: Error {
    case cursorLeftTheBytes
    case frameInsideAFrame
    case payloadIsNotWhatWasConsumed
    case streamEndsBeforeItsFrame
    case bytesLeftOver
}

/// Makes bytes for the tests of SPDY.
enum SPDYBytes {
    /// Rising cuts at random places, as often close together as far apart.
    static func randomCuts(in count: Int, using generator: inout SeededGenerator) -> [Int] {
        var cuts: [Int] = []
        var next = generator.logUniform(upTo: max(1, count))
        while next < count {
            cuts.append(next)
            next += generator.logUniform(upTo: count)
        }
        return cuts
    }

    /// What `write` appends to an empty buffer of the largest size.
    static func written(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
        let pool = BufferPool()
        defer { withExtendedLifetime(pool) {} }
        var buffer = pool.take(BufferPool.largestCapacityBytes)
        write(&buffer)
        return [UInt8](copying: buffer.bytes)
    }

    /// A control frame with any body.
    static func controlFrame(version: UInt16 = 3, type: UInt16, flags: UInt8 = 0, _ body: [UInt8]) -> [UInt8]
    {
        let length = UInt32(body.count)
        return bigEndian(0x8000 | version) + bigEndian(type) + bigEndian(UInt32(flags) << 24 | length) + body
    }

    static func bigEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        (0..<MemoryLayout<T>.size).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    /// The start of a zlib stream with SPDY/3's dictionary.
    static let zlibStreamHead: [UInt8] = [0x78, 0x20, 0xE3, 0xC6, 0xA7, 0xC2]

    /// A deflate block that stores `text`.
    static func storedBlock(_ text: [UInt8]) -> [UInt8] {
        let length = UInt16(text.count)
        return [0] + bigEndian(length).reversed() + bigEndian(~length).reversed() + text
    }

    /// The text form of headers, right or wrong.
    static func headerText(count: UInt32? = nil, _ headers: (String, String)...) -> [UInt8] {
        headers.reduce(into: bigEndian(count ?? UInt32(headers.count))) { text, header in
            for part in [header.0, header.1] { text += bigEndian(UInt32(part.utf8.count)) + Array(part.utf8) }
        }
    }
}

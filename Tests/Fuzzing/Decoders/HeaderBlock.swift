// Any text in a header block gives headers or SPDYError; headers that were read, written and read again are equal.

import FastForward

func headerBlockViolation(by text: [UInt8]) -> String? {
    // A stored block has a length of 16 bits, and a control frame a bound of its own.
    guard text.count <= 60_000, let headers = readHeaders(in: synStream(carrying: text)) else { return nil }
    // Bytes that are no UTF-8 were replaced by three each: the text can have grown beyond what is read.
    guard text.count * 3 <= HeaderDecompressor.headerBlockBytesMax else { return nil }
    let pool = BufferPool()
    // The optimiser ends a pool at its last use, which is before the buffer's.
    defer { withExtendedLifetime(pool) {} }
    var buffer = pool.take(HeaderCompressor.synStreamBytesMax(headers))
    var compressor = HeaderCompressor()
    compressor.appendSynStream(streamID: 1, headers: headers, isFinal: false, to: &buffer)
    let again = readHeaders(in: [UInt8](copying: buffer.bytes))
    return again == headers ? nil : "\(headers) became \(String(describing: again))"
}

/// The headers of a SYN_STREAM; nil where it is refused.
private func readHeaders(in frame: [UInt8]) -> SPDYHeaders? {
    var reader = SPDYFrameReader(role: .server)
    var cursor = 0
    do throws(SPDYError) {
        guard case .openedStream(_, _, _, let headers, _) = try reader.next(frame.span.bytes, from: &cursor)
        else { return nil }
        return headers
    } catch {
        return nil
    }
}

/// A SYN_STREAM whose header block is `text` in one stored block, as ``HeaderCompressor`` would write it.
private func synStream(carrying text: [UInt8]) -> [UInt8] {
    let length = UInt16(text.count)
    let block: [UInt8] =
        [0x78, 0x20, 0xE3, 0xC6, 0xA7, 0xC2, 0] + littleEndian(length) + littleEndian(~length) + text
        + [0, 0, 0, 0xFF, 0xFF]
    let bodyBytes = UInt32(10 + block.count)
    let head: [UInt8] = [
        0x80, 3, 0, 1, 0, UInt8(bodyBytes >> 16), UInt8(bodyBytes >> 8 & 255), UInt8(bodyBytes & 255),
    ]
    return head + [0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + block
}

private func littleEndian(_ value: UInt16) -> [UInt8] { [UInt8(value & 255), UInt8(value >> 8)] }

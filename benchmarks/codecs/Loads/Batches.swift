import FastForward

/// How many frames a batch of a load has.
let framesPerBatch = 64

/// What `write` appends to an empty buffer of the largest size.
func written(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
    let pool = BufferPool()
    defer { withExtendedLifetime(pool) {} }
    var buffer = pool.take(BufferPool.largestCapacityBytes)
    write(&buffer)
    return [UInt8](copying: buffer.bytes)
}

/// Unmasked messages with the bytes of `payload`, cut in pieces of these sizes.
func messages(_ payload: [UInt8], pieces: [Int]) -> [UInt8] {
    var bytes: [UInt8] = []
    var start = 0
    for piece in pieces {
        bytes += written { WebSocketFrameWriter.appendHeader(payloadBytes: piece, key: nil, to: &$0) }
        bytes += payload[start..<start + piece]
        start += piece
    }
    return bytes
}

/// A data frame.
func dataFrame(_ streamID: UInt32, payloadBytes: Int, isFinal: Bool = false) -> [UInt8] {
    let head = written {
        SPDYFrameWriter.appendDataHeader(
            streamID: streamID,
            payloadBytes: payloadBytes,
            isFinal: isFinal,
            to: &$0
        )
    }
    return head + [UInt8](repeating: 0x5A, count: payloadBytes)
}

/// What a real peer sent, behind the answer to the upgrade where there is one.
///
/// `Tests/FastForwardTests/Vectors` has it, beside this source.
func recordedBytes(_ name: String) -> [UInt8] {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let path = "/\(root)/Tests/FastForwardTests/Vectors/\(name)"
    guard case .bytes(let bytes)? = try? FileBytes.read(path, bytesMax: 1 << 20, acceptsPipes: false) else {
        preconditionFailure("no \(path): the loads are run where they were built")
    }
    guard bytes.starts(with: Array("HTTP/".utf8)) else { return bytes }
    var reader = HTTPResponseHeadReader()
    var cursor = 0
    guard let head = try? reader.next(bytes.span.bytes, from: &cursor), head.status == 101 else {
        preconditionFailure("\(name) begins with no upgrade")
    }
    return Array(bytes[cursor...])
}

import FastForward

final class WebSocketReading: PreparedLoad {
    private let batch: [UInt8]
    private var reader = WebSocketFrameReader(role: .client)

    /// - Parameter pieces: the payloads of the messages that are read over and over.
    init(pieces: [Int]) {
        let payload = [UInt8](repeating: 0x5A, count: pieces.reduce(0, +))
        batch = [[UInt8]](repeating: messages(payload, pieces: pieces), count: framesPerBatch).flatMap(\.self)
    }

    func run() -> Int {
        let batch = batch
        var reader = reader
        var count = 0
        var cursor = 0
        let bytes = batch.span.bytes
        do {
            while try reader.next(bytes, from: &cursor) != nil { count += 1 }
        } catch {
            preconditionFailure("a load's own bytes do not read: \(error)")
        }
        self.reader = reader
        return count
    }
}

final class WebSocketWriting: PreparedLoad {
    private let pool = BufferPool()
    private var key: UInt32 = 0x9E37_79B9

    func run() -> Int {
        var buffer = pool.take(16 * 1024)
        buffer.clear(headroomBytes: WebSocketFrameWriter.headroomBytesMax)
        for _ in 0..<128 { buffer.append(bigEndian: UInt64(0x0102_0304_0506_0708)) }
        for _ in 0..<framesPerBatch {
            key = key &* 747_796_405 &+ 2_891_336_453
            let payloadBytes = buffer.readableBytes
            WebSocketFrameWriter.prependHeader(to: &buffer, key: WebSocketMask(key))
            buffer.consume(buffer.readableBytes - payloadBytes)
        }
        return framesPerBatch
    }
}

final class Masking: PreparedLoad {
    private let pool = BufferPool()

    func run() -> Int {
        var buffer = pool.take(64 * 1024)
        for _ in 0..<4096 { buffer.append(bigEndian: UInt64(0x0102_0304_0506_0708)) }
        for round in 0..<UInt32(framesPerBatch) { WebSocketMask(0x1357_9BDF &+ round).apply(to: &buffer) }
        return framesPerBatch
    }
}

final class SPDYReading: PreparedLoad {
    private let batch: [UInt8]

    private init(_ batch: [UInt8]) { self.batch = batch }

    static func dataFrames() -> SPDYReading {
        SPDYReading((0..<framesPerBatch).flatMap { dataFrame(UInt32(2 * $0 + 1), payloadBytes: 1024) })
    }

    static func controlFrames() -> SPDYReading {
        SPDYReading(
            written { buffer in
                for index in 0..<UInt32(framesPerBatch / 2) {
                    SPDYFrameWriter.appendPing(id: 2 * index + 1, to: &buffer)
                    SPDYFrameWriter.appendReset(
                        streamID: 2 * index + 1,
                        status: SPDYResetStatus.cancel,
                        to: &buffer
                    )
                }
            }
        )
    }

    func run() -> Int {
        var reader = SPDYFrameReader(role: .client)
        return readAll(batch, with: &reader)
    }
}

final class SPDYWriting: PreparedLoad {
    private let pool = BufferPool()

    func run() -> Int {
        var buffer = pool.take(2 * 1024)
        for _ in 0..<framesPerBatch { buffer.append(bigEndian: UInt64(0)) }
        for index in 0..<framesPerBatch {
            SPDYFrameWriter.storeDataHeader(
                in: &buffer,
                at: SPDYFrameWriter.dataHeaderBytes * index,
                streamID: UInt32(2 * index + 1),
                payloadBytes: 1024,
                isFinal: false
            )
        }
        return framesPerBatch
    }
}

/// What Kubernetes wants of the streams of a connection.
private func openingHeaders(_ index: Int) -> SPDYHeaders {
    ["streamtype": index.isMultiple(of: 2) ? "error" : "data", "port": "8080", "requestid": "\(index / 2)"]
}

private func writeOpenings(to buffer: inout ByteBuffer, _ headers: [SPDYHeaders]) {
    var compressor = HeaderCompressor()
    for (index, headers) in headers.enumerated() {
        compressor.appendSynStream(
            streamID: UInt32(2 * index + 1),
            headers: headers,
            isFinal: index.isMultiple(of: 2),
            to: &buffer
        )
    }
}

final class HeaderWriting: PreparedLoad {
    private let pool = BufferPool()
    private let headers = (0..<framesPerBatch).map(openingHeaders)

    func run() -> Int {
        var buffer = pool.take(16 * 1024)
        writeOpenings(to: &buffer, headers)
        return framesPerBatch
    }
}

final class HeaderReading: PreparedLoad {
    private let batch: [UInt8]

    /// - Parameter batch: what a client sends from its first frame on.
    init(_ batch: [UInt8]) { self.batch = batch }

    static func storedBlocks() -> [UInt8] {
        written { writeOpenings(to: &$0, (0..<framesPerBatch).map(openingHeaders)) }
    }

    func run() -> Int {
        var reader = SPDYFrameReader(role: .server)
        return readAll(batch, with: &reader)
    }
}

/// Reads a batch to its end and counts the events.
private func readAll(_ batch: [UInt8], with reader: inout SPDYFrameReader) -> Int {
    var count = 0
    var cursor = 0
    let bytes = batch.span.bytes
    do {
        while try reader.next(bytes, from: &cursor) != nil { count += 1 }
    } catch {
        preconditionFailure("a load's own bytes do not read: \(error)")
    }
    return count
}

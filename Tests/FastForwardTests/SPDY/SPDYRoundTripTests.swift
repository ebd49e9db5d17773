import FastForward
import Testing

/// Frames at random, as bytes and as what a server must read.
private struct RandomTraffic {
    private(set) var bytes: [UInt8] = []
    private(set) var frames: [SeenSPDYFrame] = []

    init(frameCount: Int, using generator: inout SeededGenerator) {
        let pool = BufferPool()
        defer { withExtendedLifetime(pool) {} }
        var buffer = pool.take(BufferPool.largestCapacityBytes)
        var compressor = HeaderCompressor()
        var nextID: UInt32 = 1
        for _ in 0..<frameCount {
            buffer.clear()
            let frame = Self.append(to: &buffer, &compressor, nextID: &nextID, using: &generator)
            frames.append(frame)
            bytes += [UInt8](copying: buffer.bytes)
        }
    }

    private static func append(
        to buffer: inout ByteBuffer,
        _ compressor: inout HeaderCompressor,
        nextID: inout UInt32,
        using generator: inout SeededGenerator
    ) -> SeenSPDYFrame {
        let isFinal = Bool.random(using: &generator)
        let id = UInt32.random(in: 1...0x7FFF_FFFF, using: &generator)
        let word = UInt32.random(in: 1...UInt32.max, using: &generator)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0:
            let headers = randomHeaders(using: &generator)
            let priority = UInt8.random(in: 0...7, using: &generator)
            let associated = isFinal ? id : nil
            compressor.appendSynStream(
                streamID: nextID,
                associatedID: associated,
                priority: priority,
                headers: headers,
                isFinal: isFinal,
                to: &buffer
            )
            defer { nextID += UInt32.random(in: 1...9, using: &generator) * 2 }
            return .control(
                .openedStream(
                    streamID: nextID,
                    associatedID: associated,
                    priority: priority,
                    headers: headers,
                    isFinal: isFinal
                )
            )
        case 1:
            compressor.appendSynReply(streamID: id, isFinal: isFinal, to: &buffer)
            return .control(.reply(streamID: id, isFinal: isFinal))
        case 2:
            let headers = randomHeaders(using: &generator)
            compressor.appendHeaders(streamID: id, headers: headers, isFinal: isFinal, to: &buffer)
            return .control(.headers(streamID: id, isFinal: isFinal))
        case 3:
            SPDYFrameWriter.appendReset(streamID: id, status: word, to: &buffer)
            return .control(.reset(streamID: id, status: word))
        case 4:
            SPDYFrameWriter.appendPing(id: word, to: &buffer)
            return .control(.ping(id: word))
        case 5:
            SPDYFrameWriter.appendGoAway(lastGoodStreamID: id, status: word, to: &buffer)
            return .control(.goAway(lastGoodStreamID: id, status: word))
        default:
            let payload = generator.bytes(generator.logUniform(upTo: 2000) - 1)
            SPDYFrameWriter.appendDataHeader(
                streamID: id,
                payloadBytes: payload.count,
                isFinal: isFinal,
                to: &buffer
            )
            for byte in payload { buffer.append(byte) }
            return .data(streamID: id, payload: payload, isFinal: isFinal)
        }
    }

    private static func randomHeaders(using generator: inout SeededGenerator) -> SPDYHeaders {
        var headers = SPDYHeaders()
        for index in 0..<Int.random(in: 0...5, using: &generator) {
            var values = [String(generator.next() % 1000)]
            if Bool.random(using: &generator) { values.append(String(generator.next())) }
            if values.count == 1, Bool.random(using: &generator) { values = [""] }
            headers.append("name-\(index)", values)
        }
        return headers
    }
}

@Suite struct `Writing SPDY frames` {
    @Test(arguments: testSeeds(10))
    func `what is written is read back, wherever the bytes are cut`(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let traffic = RandomTraffic(frameCount: 150, using: &generator)
        #expect(try readSPDYFrames(traffic.bytes, role: .server) == traffic.frames, "seed \(seed)")
        let everywhere = Array(1..<traffic.bytes.count)
        #expect(
            try readSPDYFrames(traffic.bytes, role: .server, cuts: everywhere) == traffic.frames,
            "seed \(seed)"
        )
        for _ in 0..<5 {
            let cuts = SPDYBytes.randomCuts(in: traffic.bytes.count, using: &generator)
            #expect(
                try readSPDYFrames(traffic.bytes, role: .server, cuts: cuts) == traffic.frames,
                "seed \(seed)"
            )
        }
    }

    @Test func `a stream opens with three headers after thousands of others`() throws {
        let pool = BufferPool()
        defer { withExtendedLifetime(pool) {} }
        var buffer = pool.take(4096)
        var compressor = HeaderCompressor()
        var reader = SPDYFrameReader(role: .server)
        for request in 0..<5000 {
            buffer.clear()
            let headers: SPDYHeaders = [
                "streamtype": request % 2 == 0 ? "error" : "data", "port": "8080",
                "requestid": String(request / 2),
            ]
            let id = UInt32(request * 2 + 1)
            compressor.appendSynStream(streamID: id, headers: headers, isFinal: false, to: &buffer)
            var cursor = 0
            let event = try reader.next(buffer.bytes, from: &cursor)
            #expect(
                event
                    == .openedStream(
                        streamID: id,
                        associatedID: nil,
                        priority: 0,
                        headers: headers,
                        isFinal: false
                    )
            )
            #expect(cursor == buffer.readableBytes)
        }
    }

    @Test func `a data frame's head fills the gap in front of its payload`() throws {
        let bytes = SPDYBytes.written { buffer in
            buffer.append("before")
            buffer.append(bigEndian: UInt64(0))
            buffer.append("payload")
            SPDYFrameWriter.storeDataHeader(
                in: &buffer,
                at: 6,
                streamID: 0x7FFF_FFFF,
                payloadBytes: 7,
                isFinal: true
            )
        }
        let head: [UInt8] = [0x7F, 0xFF, 0xFF, 0xFF, 1, 0, 0, 7]
        #expect(bytes == Array("before".utf8) + head + Array("payload".utf8))
    }

    @Test func `the stated sizes hold, and the first block on a tunnel reaches them`() {
        let headers: SPDYHeaders = ["streamtype": "error", "port": "65535", "empty": ""]
        var compressor = HeaderCompressor()
        let first = SPDYBytes.written {
            compressor.appendSynStream(streamID: 1, headers: headers, isFinal: true, to: &$0)
        }
        #expect(first.count == HeaderCompressor.synStreamBytesMax(headers))
        let later = SPDYBytes.written {
            compressor.appendSynStream(streamID: 3, headers: headers, isFinal: true, to: &$0)
        }
        #expect(later.count <= HeaderCompressor.synStreamBytesMax(headers))
        var other = HeaderCompressor()
        let reply = SPDYBytes.written { other.appendSynReply(streamID: 1, isFinal: false, to: &$0) }
        #expect(reply.count == HeaderCompressor.synReplyBytesMax(SPDYHeaders()))
        #expect(
            SPDYBytes.written { SPDYFrameWriter.appendPing(id: 1, to: &$0) }.count
                == SPDYFrameWriter.pingBytes
        )
        #expect(
            SPDYBytes.written { SPDYFrameWriter.appendReset(streamID: 1, status: 5, to: &$0) }.count
                == SPDYFrameWriter.resetBytes
        )
        #expect(
            SPDYBytes.written { SPDYFrameWriter.appendGoAway(lastGoodStreamID: 0, status: 0, to: &$0) }.count
                == SPDYFrameWriter.goAwayBytes
        )
    }
}

@Suite struct `Reading SPDY garbage` {
    @Test(arguments: testSeeds(50))
    func `random bytes give events or an error of SPDY`(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let bytes = generator.bytes(4000)
        do {
            _ = try readSPDYFrames(bytes, role: .client)
        } catch is SPDYError {}
    }

    @Test(arguments: testSeeds(20))
    func `spoiled frames give events or an error of SPDY, the same for every cut`(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            var bytes = RandomTraffic(frameCount: 20, using: &generator).bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: bytes.indices, using: &generator)
                bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            }
            let cuts = SPDYBytes.randomCuts(in: bytes.count, using: &generator)
            #expect(try outcome(bytes) == outcome(bytes, cuts: cuts), "seed \(seed)")
        }
    }

    private func outcome(_ bytes: [UInt8], cuts: [Int] = []) throws -> Result<[SeenSPDYFrame], SPDYError> {
        do {
            return .success(try readSPDYFrames(bytes, role: .server, cuts: cuts))
        } catch let error as SPDYError {
            return .failure(error)
        }
    }
}

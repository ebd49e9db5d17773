import Testing

@testable import FastForward

@Suite struct `Carrying bytes over a socket` {
    /// Far more than the kernel takes on loopback.
    private static let manyBytes = 16 * 1024 * 1024

    /// A prime number of bytes: a piece that comes twice or too late is not where the repetition expects it.
    private static let block: [UInt8] = {
        var generator = SeededGenerator(seed: 1)
        return generator.bytes(65_521)
    }()

    private func pattern(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count { bytes += Self.block[..<min(Self.block.count, count - bytes.count)] }
        return bytes
    }

    @Test func `an echo under back-pressure loses nothing and keeps what it holds bounded`() throws {
        let scene = try LoopScene()
        let bytes = pattern(Self.manyBytes)
        let highMarkBytes = 256 * 1024
        do {
            let (client, server) = try scene.connectedPair()
            var heldBytesMost = 0
            server.afterReceive = { server in
                let bytes = server.box.buffer.copiedBytes()
                server.output.append(copying: bytes.span.bytes)
                server.flush()
                heldBytesMost = max(heldBytesMost, server.output.byteCount)
                if server.output.byteCount > highMarkBytes { server.stopReading() }
            }
            server.afterProgress = { server in
                if server.output.byteCount <= highMarkBytes { server.startReading() }
            }
            server.startReading()
            client.send(bytes)
            // Nobody reads the echo: it comes to a standstill that only the client can end.
            try scene.run { client.isBlocked && server.isBlocked && !server.isReading }
            client.startReading()
            try scene.run { client.receivedBytes.count == bytes.count }
            #expect(client.receivedBytes == bytes)
            #expect(heldBytesMost <= highMarkBytes + server.box.buffer.capacityBytes)
            #expect(client.output.byteCount == 0 && server.output.byteCount == 0)
            #expect(client.progressReports > 0 && server.progressReports > 0)
            client.close()
            server.close()
        }
        try scene.finish()
    }

    @Test func `an end is seen as an end, and the other direction goes on`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            server.startReading()
            client.startReading()
            client.send(Array("question".utf8))
            client.shutdownWriting()
            try scene.run { server.end != nil }
            #expect(server.end == .ended)
            #expect(server.receivedBytes == Array("question".utf8))
            server.send(Array("answer".utf8))
            server.close()
            try scene.run { client.end != nil }
            #expect(client.end == .ended)
            #expect(client.receivedBytes == Array("answer".utf8))
            client.close()
        }
        try scene.finish()
    }

    /// Nothing is read, so that no event tells of either.
    @Test func `what the other side has closed is known without reading`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            #expect(!server.isReadToEnd)
            client.send(Array("question".utf8))
            try scene.run { client.unacknowledgedBytes == 0 }
            client.close()
            try scene.run { client.isClosed }
            // Its bytes are still to be read.
            #expect(!server.isReadToEnd)
            server.send(Array("answer".utf8))
            // Its kernel answers with a reset; ours goes on counting the bytes.
            try scene.run { server.isOver }
            #expect(server.unacknowledgedBytes == 0)
            server.close()

            let (other, last) = try scene.connectedPair()
            other.close()
            try scene.run { last.isReadToEnd }
            last.close()
        }
        try scene.finish()
    }

    @Test func `a reset is seen as a reset`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            client.startReading()
            server.closeWithReset()
            try scene.run { client.end != nil }
            #expect(client.end == .failed(LoopError(code: LoopError.connectionReset, attempt: "read")))
            client.send([1])
            #expect(client.outputError != nil)
            client.close()
        }
        try scene.finish()
    }

    @Test func `a reset behind bytes that were not read yet is no end`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            server.send(Array("half of it".utf8))
            server.closeWithReset()
            // Both are there when it begins to read.
            client.startReading()
            try scene.run { client.end != nil }
            #expect(client.receivedBytes == Array("half of it".utf8))
            #expect(client.end == .failed(LoopError(code: LoopError.connectionReset, attempt: "read")))
            client.close()
        }
        try scene.finish()
    }

    @Test func `a reset that a write was told of is no end for the reader`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            server.closeWithReset()
            client.send([1])
            #expect(
                client.outputError == LoopError(code: LoopError.connectionReset, attempt: "write")
            )
            client.startReading()
            try scene.run { client.end != nil }
            #expect(client.end == .failed(LoopError(code: LoopError.connectionReset, attempt: "read")))
            client.close()
        }
        try scene.finish()
    }

    @Test func `an end is one though a reset has come behind it`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            server.send(Array("all of it".utf8))
            server.close()
            // Nobody is there for this any more, which the kernel answers by a reset.
            client.send([1])
            try scene.run { client.isOver }
            #expect(!client.isGone)
            client.startReading()
            try scene.run { client.end != nil }
            #expect(client.receivedBytes == Array("all of it".utf8))
            #expect(client.end == .ended)
            client.close()
        }
        try scene.finish()
    }

    @Test func `what both sides have ended is not gone before it was read`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            server.shutdownWriting()
            client.send(Array("the rest".utf8))
            client.close()
            try scene.run { server.isOver }
            #expect(!server.isGone)
            server.startReading()
            try scene.run { server.end != nil }
            #expect(server.receivedBytes == Array("the rest".utf8))
            #expect(server.end == .ended)
            server.close()
        }
        try scene.finish()
    }

    @Test func `a reset is noticed without reading`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            #expect(!client.isGone)
            server.closeWithReset()
            try scene.run { client.isOver }
            #expect(client.isGone)
            client.close()
        }
        try scene.finish()
    }

    @Test func `a listener can have every close look like a reset, unless the connection says otherwise`()
        throws
    {
        for resets in [true, false] {
            let scene = try LoopScene()
            do {
                let (client, server) = try scene.connectedPair(resetsOnClose: true)
                client.startReading()
                server.resetOnClose(resets)
                server.close()
                try scene.run { client.end != nil }
                #expect((client.end == .ended) == !resets)
                client.close()
            }
            try scene.finish()
        }
    }

    @Test func `reading put off to the next turn loses nothing and gives others their turn`() throws {
        // How much a socket holds is the kernel's affair: now and then it is less than a turn's worth.
        for _ in 0..<10 where try readInTurns() >= EventLoop.readBytesPerTurnMax { return }
        Issue.record("the socket never held a turn's worth; nothing was tested")
    }

    /// - Returns: the most that was read in a turn, in bytes.
    private func readInTurns() throws -> Int {
        let scene = try LoopScene()
        let bytes = pattern(Self.manyBytes)
        var most = 0
        do {
            let (client, server) = try scene.connectedPair()
            client.send(bytes)
            try scene.run { client.isBlocked }
            scene.runTurns(10)
            server.startReading()
            try scene.run { server.receivedBytes.count == bytes.count }
            #expect(server.receivedBytes == bytes)
            most = server.receivedBytesInTurn.values.max() ?? 0
            #expect(most <= EventLoop.readBytesPerTurnMax + server.box.buffer.capacityBytes)
            client.close()
            server.close()
        }
        try scene.finish()
        return most
    }

    @Test(arguments: testSeeds(6))
    func `starting and stopping at any time loses nothing`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let scene = try LoopScene()
        let bytes = pattern(8 * 1024 * 1024)
        do {
            let (client, server) = try scene.connectedPair()
            client.send(bytes)
            while server.receivedBytes.count < bytes.count {
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: server.stopReading()
                case 1:
                    server.stopReading()
                    server.startReading()
                case 2: server.allowanceBytes = generator.logUniform(upTo: 2 * 1024 * 1024)
                default: break
                }
                if server.allowanceBytes > 0 { server.startReading() }
                scene.runTurns(1)
            }
            #expect(server.receivedBytes == bytes, "seed \(seed)")
            client.close()
            server.close()
        }
        try scene.finish()
    }

    @Test func `bytes land behind the gap that a frame header needs`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            server.readGapBytes = 8
            server.startReading()
            client.send(Array("payload".utf8))
            try scene.run { !server.receivedBytes.isEmpty }
            #expect(server.receivedBytes == Array("payload".utf8))
            #expect(server.box.buffer.headroomBytes == 8)
            client.close()
            server.close()
        }
        try scene.finish()
    }

    @Test func `more slices than one call gathers leave in order`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            var batch = scene.loop.pool.take(10_000)
            batch.append(pattern(10_000).span.bytes)
            for index in 0..<1000 {
                client.output.appendBorrowed(batch, index * 10..<index * 10 + 10)
            }
            client.flush()
            #expect(client.output.byteCount == 0, "10,000 bytes fit into any socket buffer")
            server.startReading()
            try scene.run { server.receivedBytes.count >= 10_000 }
            #expect(server.receivedBytes == pattern(10_000))
            client.close()
            server.close()
        }
        try scene.finish()
    }

    @Test(arguments: [true, false])
    func `what the kernel refuses of a borrowed batch is settled and follows`(byTaking: Bool) throws {
        let scene = try LoopScene()
        let batchBytes = BufferPool.largestCapacityBytes
        var expected: [UInt8] = []
        do {
            let (client, server) = try scene.connectedPair()
            var batch = scene.loop.pool.take(batchBytes)
            var round: UInt8 = 0
            while !client.isBlocked {
                round += 1
                batch.clear()
                batch.append([UInt8](repeating: round, count: batchBytes).span.bytes)
                expected += [UInt8](repeating: round, count: batchBytes)
                client.output.appendBorrowed(batch, 0..<1000)
                client.output.appendBorrowed(batch, 1000..<batchBytes)
                client.flush()
                guard client.output.isBorrowing else { continue }
                if byTaking {
                    client.output.settle(byTaking: &batch)
                } else {
                    client.output.settleByCopying()
                }
                client.flushRest()
            }
            // The batch is overwritten while the rest waits.
            batch.clear()
            batch.append([UInt8](repeating: 0xEE, count: batchBytes).span.bytes)
            server.startReading()
            try scene.run { server.receivedBytes.count >= expected.count }
            #expect(server.receivedBytes == expected)
            client.close()
            server.close()
        }
        try scene.finish()
    }

    @Test(arguments: [true, false])
    func `a close while a write is in flight gives everything back and calls nobody`(resets: Bool) throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            client.send(pattern(Self.manyBytes))
            try scene.run { client.isBlocked }
            let reports = client.progressReports
            if resets { client.closeWithReset() } else { client.close() }
            client.close()
            try scene.run { client.isClosed }
            #expect(client.progressReports == reports)
            #expect(client.outputError == nil)
            #expect(client.end == nil)
            #expect(client.output.byteCount == 0)
            server.startReading()
            try scene.run { server.end != nil }
            server.close()
        }
        try scene.finish()
    }

    @Test func `a close from inside a read is the last that is heard`() throws {
        let scene = try LoopScene()
        do {
            let (client, server) = try scene.connectedPair()
            client.send(pattern(1024 * 1024))
            var reads = 0
            server.afterReceive = { server in
                reads += 1
                server.close()
            }
            server.startReading()
            try scene.run { server.isClosed }
            #expect(reads == 1)
            #expect(server.end == nil)
            client.close()
        }
        try scene.finish()
    }

    @Test func `a closed port refuses`() throws {
        let scene = try LoopScene()
        do {
            let listener = try Listener(loop: scene.loop, address: .loopback()) { _ in }
            let address = listener.address
            listener.close()
            scene.runTurns(2)
            let client = RecordingTransport(loop: scene.loop)
            try client.connect(to: address)
            try scene.run { client.connection != nil }
            let error = LoopError(code: LoopError.connectionRefused, attempt: "connect to \(address)")
            #expect(client.connection == .failed(error))
            #expect(error.description == "cannot connect to \(address): connection refused")
            client.close()
        }
        try scene.finish()
    }

    @Test func `a connection closed while it is being made is not answered`() throws {
        let scene = try LoopScene()
        do {
            let listener = try Listener(loop: scene.loop, address: .loopback()) { _ in }
            let client = RecordingTransport(loop: scene.loop)
            try client.connect(to: listener.address)
            client.close()
            try scene.run { client.isClosed }
            #expect(client.connection == nil)
            listener.close()
        }
        try scene.finish()
    }
}

import Testing

@testable import FastForward

/// The queue beside the plainest model of it: an array of bytes.
@Suite struct `Queueing bytes for the kernel` {
    /// What the kernel would be given, in order.
    private func contents(_ queue: borrowing WriteQueue) -> [UInt8] {
        var bytes: [UInt8] = []
        queue.forEachSlice(10_000) { start, count in
            bytes += UnsafeRawBufferPointer(start: start, count: count)
        }
        return bytes
    }

    private func buffer(_ bytes: [UInt8], headroomBytes: Int = 0, from pool: BufferPool) -> ByteBuffer {
        var buffer = pool.take(bytes.count + headroomBytes)
        buffer.clear(headroomBytes: headroomBytes)
        buffer.append(bytes.span.bytes)
        return buffer
    }

    @Test(arguments: testSeeds(40))
    func `whatever is appended comes out once and in order`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let pool = BufferPool()
        do {
            var queue = WriteQueue(pool: pool)
            var other = WriteQueue(pool: pool)
            var model: [UInt8] = []
            var otherModel: [UInt8] = []
            for _ in 0..<120 {
                switch Int.random(in: 0..<7, using: &generator) {
                case 0:
                    let bytes = generator.bytes(generator.logUniform(upTo: 6000))
                    queue.append(
                        copying: bytes.span.bytes,
                        bufferBytes: Bool.random(using: &generator) ? 0 : 20_000
                    )
                    model += bytes
                case 1:
                    let bytes = generator.bytes(generator.logUniform(upTo: 3000) - 1)
                    let headroomBytes = Int.random(in: 0...20, using: &generator)
                    queue.append(buffer(bytes, headroomBytes: headroomBytes, from: pool))
                    model += bytes
                case 2, 3:
                    borrow(into: &queue, &model, from: pool, using: &generator)
                case 4:
                    queue.moveAll(to: &other)
                    otherModel += model
                    model = []
                    #expect(queue.byteCount == 0)
                    if otherModel.count > 20_000 {
                        other.removeAll()
                        otherModel = []
                    }
                default:
                    let count = Int.random(in: 0...model.count, using: &generator)
                    queue.consume(count)
                    model.removeFirst(count)
                }
                #expect(contents(queue) == model, "seed \(seed)")
                #expect(queue.byteCount == model.count)
                #expect(contents(other) == otherModel, "seed \(seed)")
                #expect(queue.isBorrowing == false)
                #expect(queue.allocatedBytes + other.allocatedBytes == pool.outstandingBytes)
            }
            queue.removeAll()
            #expect(queue.byteCount == 0)
            #expect(queue.allocatedBytes == 0)
            // What the other still holds goes home with it.
        }
        #expect(pool.outstanding == 0, "seed \(seed)")
        #expect(pool.outstandingBytes == 0, "seed \(seed)")
    }

    @Test func `bytes that come a few at a time pin no more than a buffer beside themselves`() {
        let pool = BufferPool()
        var queue = WriteQueue(pool: pool)
        for _ in 0..<2000 {
            let batch = buffer([UInt8](repeating: 7, count: 100), from: pool)
            queue.appendBorrowed(batch, 10..<40)
            queue.settleByCopying()
        }
        #expect(queue.byteCount == 60_000)
        #expect(queue.allocatedBytes < 60_000 + BufferPool.capacitiesBytes[1])
    }

    /// Borrows slices of a batch as a driver does: appends, lets the kernel take some, settles, overwrites the batch.
    private func borrow(
        into queue: inout WriteQueue,
        _ model: inout [UInt8],
        from pool: BufferPool,
        using generator: inout SeededGenerator
    ) {
        let bytes = generator.bytes(2000)
        var batch = buffer(bytes, headroomBytes: 8, from: pool)
        var borrowedBytes = 0
        let ownedBytes = model.count
        for _ in 0..<Int.random(in: 1...12, using: &generator) {
            let start = Int.random(in: 0..<2000, using: &generator)
            let range = start..<Int.random(in: start...2000, using: &generator)
            queue.appendBorrowed(batch, range)
            model += bytes[range]
            borrowedBytes += range.count
        }
        let count = Bool.random(using: &generator) ? 0 : Int.random(in: 0...model.count, using: &generator)
        queue.consume(count)
        model.removeFirst(count)
        #expect(queue.borrowedBytes == borrowedBytes - max(0, count - ownedBytes), "seed \(generator.seed)")
        #expect(contents(queue) == model, "seed \(generator.seed)")
        if Bool.random(using: &generator) {
            queue.settleByCopying()
        } else {
            queue.settle(byTaking: &batch)
        }
        // The next batch overwrites this one.
        batch.clear()
        batch.append([UInt8](repeating: 0xEE, count: 2000).span.bytes)
    }

    @Test func `settling more than a buffer holds copies into as few as it needs`() {
        let pool = BufferPool()
        do {
            var generator = SeededGenerator(seed: 1)
            let bytes = generator.bytes(BufferPool.largestCapacityBytes)
            let batch = buffer(bytes, from: pool)
            var queue = WriteQueue(pool: pool)
            for _ in 0..<3 { queue.appendBorrowed(batch, 0..<bytes.count) }
            queue.consume(1)
            queue.settleByCopying()
            #expect(contents(queue) == Array((bytes + bytes + bytes).dropFirst()))
            #expect(pool.outstanding == 1 + 3)
        }
        #expect(pool.outstanding == 0)
    }

    @Test func `a slow reader of little pins little`() {
        let pool = BufferPool()
        var queue = WriteQueue(pool: pool)
        do {
            var batch = pool.take(BufferPool.largestCapacityBytes)
            batch.append([UInt8](repeating: 1, count: 100_000).span.bytes)
            queue.appendBorrowed(batch, 500..<1500)
            queue.settleByCopying()
        }
        #expect(pool.outstandingBytes == 2048)
        queue.removeAll()
        #expect(pool.outstanding == 0)
    }

    @Test func `short writes that are moved behind what waits share its buffer`() {
        let pool = BufferPool()
        var waiting = WriteQueue(pool: pool)
        var written: [UInt8] = []
        for number in 0..<1000 {
            var record = WriteQueue(pool: pool)
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 300)
            record.append(copying: bytes.span.bytes, bufferBytes: BufferPool.largestCapacityBytes)
            record.moveAll(to: &waiting)
            written += bytes
        }
        #expect(contents(waiting) == written)
        #expect(waiting.allocatedBytes == pool.outstandingBytes)
        #expect(pool.outstandingBytes <= 300_000 + BufferPool.largestCapacityBytes)
        waiting.removeAll()
        #expect(pool.outstanding == 0)
    }

    @Test func `a buffer that an earlier slice stands in is moved as it is`() {
        let pool = BufferPool()
        var waiting = WriteQueue(pool: pool)
        waiting.append(copying: ([9] as [UInt8]).span.bytes, bufferBytes: 4096)
        var queue = WriteQueue(pool: pool)
        var batch = buffer(Array(0..<200), from: pool)
        queue.appendBorrowed(batch, 10..<20)
        queue.appendBorrowed(batch, 30..<40)
        queue.settle(byTaking: &batch)
        queue.moveAll(to: &waiting)
        #expect(contents(waiting) == [9] + Array(10..<20) + Array(30..<40))
        waiting.consume(11)
        #expect(contents(waiting) == Array(30..<40))
        waiting.removeAll()
        #expect(waiting.allocatedBytes == 0)
    }

    @Test func `small appends share a buffer`() {
        let pool = BufferPool()
        var queue = WriteQueue(pool: pool)
        for byte in UInt8(0)..<100 { queue.append(copying: [byte].span.bytes) }
        #expect(pool.outstanding == 1)
        #expect(contents(queue) == Array(0..<100))
        queue.removeAll()
        #expect(pool.outstanding == 0)
    }
}

@Suite struct `Lending buffers` {
    @Test func `a buffer holds at least what was asked for, and is counted until it is home`() {
        let pool = BufferPool()
        for capacity in [0, 1, 2048, 2049, 16_896, 16_897, 66_048, 66_049, BufferPool.largestCapacityBytes] {
            let buffer = pool.take(capacity)
            #expect(buffer.capacityBytes >= capacity)
            #expect(buffer.readableBytes == 0)
            #expect(buffer.tailroomBytes == buffer.capacityBytes)
            #expect(pool.outstandingBytes == buffer.capacityBytes)
            _ = consume buffer
            #expect(pool.outstanding == 0)
        }
    }

    @Test func `a buffer that comes back is empty again`() {
        let pool = BufferPool()
        do {
            var buffer = pool.take(10)
            buffer.append("old")
            buffer.consume(1)
        }
        let buffer = pool.take(10)
        #expect(buffer.readableBytes == 0)
        #expect(buffer.headroomBytes == 0)
        _ = consume buffer
    }

    @Test func `more buffers than the pool keeps come home too`() {
        let pool = BufferPool()
        var queues: [BufferBox] = []
        for _ in 0..<200 { queues.append(BufferBox(pool.take(2048))) }
        #expect(pool.outstanding == 200)
        queues.removeAll()
        #expect(pool.outstanding == 0)
        pool.trim()
    }
}

@Suite struct `Integers on the wire` {
    @Test func `are big-endian at any offset`() {
        let bytes: [UInt8] = [0xFF, 1, 2, 3, 4, 5, 6, 7, 8]
        let span = bytes.span.bytes
        #expect(span.byte(at: 8) == 8)
        #expect(span.bigEndian(UInt16.self, at: 0) == 0xFF01)
        #expect(span.bigEndian(UInt32.self, at: 1) == 0x0102_0304)
        #expect(span.bigEndian(UInt64.self, at: 1) == 0x0102_0304_0506_0708)
        #expect(span.prefix(upTo: 3).byteCount == 3)
    }

    @Test func `written in front, behind and over are read back`() {
        let pool = BufferPool()
        var buffer = pool.take(100)
        buffer.clear(headroomBytes: 3)
        buffer.append(bigEndian: UInt64(7))
        buffer.prepend(bigEndian: UInt16(0xABCD))
        buffer.store(bigEndian: UInt32(0x0102_0304), at: 4)
        #expect([UInt8](copying: buffer.bytes) == [0xAB, 0xCD, 0, 0, 1, 2, 3, 4, 0, 7])
        #expect(buffer.headroomBytes == 1)
    }

    @Test func `text that is not UTF-8 becomes text all the same`() {
        let bytes: [UInt8] = [0x61, 0xFF, 0x62]
        #expect(String(lossy: bytes.span.bytes) == "a\u{FFFD}b")
    }
}

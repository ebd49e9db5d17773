import FastForward
import Testing

@Suite struct `Owning a run of bytes` {
    @Test func `headers written backwards stand in front of the payload`() {
        let pool = BufferPool()
        do {
            var buffer = pool.take(100)
            buffer.clear(headroomBytes: 16)
            buffer.append("payload")
            buffer.prepend(bigEndian: UInt32(7))
            buffer.prepend(0xAA)
            #expect([UInt8](copying: buffer.bytes) == [0xAA, 0, 0, 0, 7] + Array("payload".utf8))
            #expect(buffer.headroomBytes == 11)
            #expect(pool.outstanding == 1)
        }
        #expect(pool.outstanding == 0)
        #expect(pool.outstandingBytes == 0)
    }
}

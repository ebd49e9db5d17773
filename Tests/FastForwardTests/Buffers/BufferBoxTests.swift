import Testing

@testable import FastForward

@Suite struct `Sharing a buffer` {
    @Test func `a buffer that is replaced goes home`() {
        let pool = BufferPool()
        do {
            let box = BufferBox(pool.take(100))
            for _ in 0..<10 { box.buffer = pool.take(1000) }
            #expect(pool.outstanding == 1)
        }
        #expect(pool.outstanding == 0)
    }
}

/// 32-bit keys from the kernel's generator, fetched in bulk: a mask key for each WebSocket frame (RFC 6455 §5.3).
package final class RandomKeys {
    private var buffer: ByteBuffer

    package init(pool: BufferPool) {
        buffer = pool.take(2048)
    }

    package func next() throws(LoopError) -> UInt32 {
        if buffer.readableBytes < 4 {
            buffer.clear()
            try EventLoop.fillRandom(&buffer, 2048)
        }
        let key = buffer.bytes.bigEndian(UInt32.self, at: 0)
        buffer.consume(4)
        return key
    }
}

/// A place for one buffer that several owners of a turn can reach: the loop reads into it, a session drains it.
///
/// The box is shared, the bytes are not: who fills it and who empties it take turns on one thread.
package final class BufferBox {
    package var buffer: ByteBuffer

    package init(_ buffer: consuming ByteBuffer) {
        self.buffer = buffer
    }
}

internal import CUV

/// A pipe that a child process writes into, read whole up to a bound.
///
/// Give ``writeEnd`` to the child, then call ``closeWriteEnd()``: the end comes when nobody holds it any more.
package final class PipeReader: LoopHandle {
    package enum End: Equatable {
        /// Nobody can write any more.
        case ended
        /// More than the bound has come; it is read no further.
        case full
        case failed(LoopError)
    }

    /// What was read so far.
    package private(set) var bytes: [UInt8] = []
    /// Blocking, closed on exec; -1 when it is closed.
    package private(set) var writeEnd: Int32 = -1
    private let bytesMax: Int
    private var handler: ((End) -> Void)?

    /// Makes the pipe and starts to read; `handler` is called once, in a later turn, unless the reader is closed.
    package init(
        loop: EventLoop,
        bytesMax: Int,
        handler: @escaping (End) -> Void
    ) throws(LoopError) {
        self.bytesMax = bytesMax
        self.handler = handler
        super.init(loop: loop, type: UV_NAMED_PIPE)
        guard let pipe = unsafe raw(uv_pipe_t.self), let stream = unsafe raw(uv_stream_t.self) else { return }
        unsafe uv_pipe_init(loop.raw, pipe, 0)
        tie()
        var ends: (uv_file, uv_file) = (-1, -1)
        // A pipe, not libuv's pair of sockets: what is written to /dev/stdout must arrive as well.
        let code = unsafe withUnsafeMutablePointer(to: &ends) {
            unsafe $0.withMemoryRebound(to: uv_file.self, capacity: 2) {
                unsafe uv_pipe($0, Int32(UV_NONBLOCK_PIPE.rawValue), 0)
            }
        }
        guard code == 0 else {
            close()
            throw LoopError(code: code, attempt: "make a pipe")
        }
        writeEnd = ends.1
        hold(descriptors: 2)
        unsafe uv_pipe_open(pipe, ends.0)
        unsafe uv_read_start(stream, Callbacks.allocateForPipe, Callbacks.readFromPipe)
    }

    /// Closes our copy of the end that the child writes to.
    package func closeWriteEnd() {
        guard writeEnd >= 0 else { return }
        _ = CUV.close(writeEnd)
        writeEnd = -1
    }

    @unsafe func readMemory() -> UnsafeMutableRawBufferPointer {
        loop.receiveBox.buffer.clear()
        return unsafe loop.receiveBox.buffer.tail()
    }

    func readCompleted(_ count: Int) {
        guard count != 0, !isClosing else { return }
        guard count > 0 else {
            let code = Int32(count)
            finish(
                code == LoopError.endOfFile ? .ended : .failed(LoopError(code: code, attempt: "read a pipe"))
            )
            return
        }
        loop.receiveBox.buffer.commit(count)
        keep(loop.receiveBox.buffer)
        loop.receiveBox.buffer.clear()
        if bytes.count > bytesMax { finish(.full) }
    }

    private func keep(_ buffer: borrowing ByteBuffer) { bytes += [UInt8](copying: buffer.bytes) }

    private func finish(_ end: End) {
        let handler = self.handler
        close()
        handler?(end)
    }

    package override func close() {
        closeWriteEnd()
        handler = nil
        super.close()
    }
}

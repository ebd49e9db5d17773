internal import CUV

/// A two-way flow of bytes on the loop: a TCP connection today; pipes and standard streams fit as well.
///
/// Subclasses say where the next bytes are read to and what happens with them; what they send goes through
/// ``output``. Nothing is copied here: reads land where ``prepareRead()`` points, writes leave from the queue.
///
/// An idle transport holds its handle and this object, no buffer.
@safe package class Transport: LoopHandle {
    /// How much is handed to the kernel at once while it is slow to take it, in bytes: progress is reported at this
    /// grain.
    private static let blockedWriteBytesMax = 256 * 1024
    /// What is to be sent; append, then ``flush()``.
    package final var output: WriteQueue
    /// Room that is left free in front of the bytes of each read, for a frame header.
    package final var readGapBytes = 0
    /// How much one read may bring at most, in bytes.
    package final var readBytesMax = Int.max

    /// All that has been read.
    package private(set) final var readByteCount = 0
    /// All that the kernel has taken.
    package private(set) final var writtenByteCount = 0

    /// Whether reading is on; it may still wait for its next turn.
    package private(set) final var isReading = false
    private final var wantsReading = false
    private final var isPutOff = false
    private final var turn: UInt32 = 0
    private final var bytesThisTurn = 0
    private final var readBox: BufferBox?
    private final var writeRequest: UnsafeMutablePointer<uv_write_t>?
    private final var bytesInFlight = 0
    private final var connectAttempt: String?
    private final var hasFailedWriting = false
    private final var wasResetInWriting = false

    package init(loop: EventLoop) {
        output = WriteQueue(pool: loop.pool)
        unsafe writeRequest = nil
        super.init(loop: loop, type: UV_TCP)
        guard let tcp = unsafe raw(uv_tcp_t.self) else { return }
        unsafe uv_tcp_init(loop.raw, tcp)
        tie()
    }

    // MARK: What a subclass decides

    /// Where the next bytes go; nil pauses reading until the next ``startReading()``.
    package func prepareRead() -> BufferBox? { nil }
    /// `count` bytes stand in the box that ``prepareRead()`` gave, behind the gap, not committed yet.
    package func received(_ count: Int) {}
    /// The other side has ended its direction (nil), or the connection failed.
    package func receivedEnd(_ error: LoopError?) {}
    /// The kernel has taken bytes that it had refused before.
    package func outputProgressed() {}
    /// What is in ``output`` can never be sent.
    package func outputFailed(_ error: LoopError) {}
    /// The answer to ``connect(to:)``.
    package func connected(_ error: LoopError?) {}

    // MARK: Connecting

    /// Connects; the answer is ``connected(_:)``.
    package final func connect(to address: SocketAddress) throws(LoopError) {
        guard let tcp = unsafe raw(uv_tcp_t.self) else { return }
        let attempt = "connect to \(address)"
        connectAttempt = attempt
        guard loop.descriptors.mayConnect else {
            throw LoopError(code: LoopError.tooManyOpenFiles, attempt: attempt)
        }
        hold(descriptors: 1)
        let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
        let code = unsafe address.withPointer { unsafe uv_tcp_connect(request, tcp, $0, Callbacks.connected) }
        guard code < 0 else { return }
        unsafe request.deallocate()
        throw LoopError(code: code, attempt: attempt)
    }

    final func connectCompleted(_ status: Int32) {
        guard !isClosing else { return }
        connected(status < 0 ? LoopError(code: status, attempt: connectAttempt ?? "connect") : nil)
        connectAttempt = nil
    }

    /// Sends small writes at once, and notices a peer that is gone without a word.
    ///
    /// - Parameter keepAliveSeconds: after how long a silence the kernel asks; 0: never.
    package final func setOptions(noDelay: Bool, keepAliveSeconds: UInt32) {
        guard let tcp = unsafe raw(uv_tcp_t.self) else { return }
        unsafe uv_tcp_nodelay(tcp, noDelay ? 1 : 0)
        guard keepAliveSeconds > 0 else { return }
        unsafe uv_tcp_keepalive(tcp, 1, keepAliveSeconds)
        if let descriptor {
            ffwd_set_keepalive_pace(descriptor, Self.keepAlivePaceSeconds, Self.keepAliveQuestionsMax)
        }
    }

    /// How often the kernel repeats its question, and how many may go unanswered: its own defaults take eleven minutes.
    private static let keepAlivePaceSeconds: Int32 = 5
    private static let keepAliveQuestionsMax: Int32 = 4

    /// The address of the other side.
    package final var peerAddress: SocketAddress? {
        unsafe address { unsafe uv_tcp_getpeername($0, $1, $2) }
    }

    /// The address of this side.
    package final var localAddress: SocketAddress? {
        unsafe address { unsafe uv_tcp_getsockname($0, $1, $2) }
    }

    private final func address(
        _ query: (UnsafePointer<uv_tcp_t>, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<Int32>) ->
            Int32
    ) -> SocketAddress? {
        guard let tcp = unsafe raw(uv_tcp_t.self) else { return nil }
        var storage = sockaddr_storage()
        var size = Int32(MemoryLayout<sockaddr_storage>.size)
        let code = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe query(tcp, UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), &size)
        }
        return code < 0 ? nil : SocketAddress(storage: storage)
    }

    // MARK: Reading

    package final func startReading() {
        wantsReading = true
        guard !isReading, !isClosing, let stream = unsafe raw(uv_stream_t.self) else { return }
        isPutOff = false
        isReading = unsafe uv_read_start(stream, Callbacks.allocate, Callbacks.read) == 0
    }

    package final func stopReading() {
        wantsReading = false
        pause()
    }

    private final func pause() {
        guard isReading, let stream = unsafe raw(uv_stream_t.self) else { return }
        isReading = false
        unsafe uv_read_stop(stream)
    }

    @unsafe final func readMemory() -> UnsafeMutableRawBufferPointer {
        if turn != loop.turn {
            turn = loop.turn
            bytesThisTurn = 0
        }
        // An empty answer makes libuv report ENOBUFS, where reading is paused.
        guard bytesThisTurn < EventLoop.readBytesPerTurnMax else {
            isPutOff = true
            return unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
        }
        guard let box = prepareRead() else {
            return unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
        }
        readBox = box
        let room = unsafe box.buffer.tail(afterGap: readGapBytes)
        return unsafe UnsafeMutableRawBufferPointer(
            start: room.baseAddress,
            count: min(room.count, readBytesMax)
        )
    }

    final func readCompleted(_ count: Int) {
        readBox = nil
        guard count != 0 else { return }
        if count > 0 {
            bytesThisTurn += count
            readByteCount += count
            received(count)
            return
        }
        pause()
        if Int32(count) == UV_ENOBUFS.rawValue {
            guard isPutOff else {
                wantsReading = false
                return
            }
            loop.readInNextTurn(self)
            return
        }
        wantsReading = false
        guard !isClosing else { return }
        let code = Int32(count) == LoopError.endOfFile ? codeBehindEnd : Int32(count)
        receivedEnd(code == 0 ? nil : LoopError(code: code, attempt: "read"))
    }

    /// What an end really is: 0, or the error that cut the connection.
    ///
    /// Where a reset has come behind bytes that were just read, libuv (`uv__stream_io`) sees the hang-up and reports an end
    /// without asking the kernel. And the kernel tells of a reset once: where that was a write, a read sees an end. Broken
    /// pipe stands for a reset that came behind the end, which is one then.
    private final var codeBehindEnd: Int32 {
        if wasResetInWriting { return UV_ECONNRESET.rawValue }
        guard let descriptor = descriptor else { return 0 }
        let code = ffwd_socket_error(descriptor)
        return code == UV_EPIPE.rawValue ? 0 : code
    }

    /// Called by the loop when a put-off reader has its next turn.
    final func readAgain() {
        guard wantsReading, isPutOff else { return }
        startReading()
    }

    // MARK: Writing

    /// Whether the kernel has refused bytes that are now waiting for it.
    package final var isBlocked: Bool { unsafe writeRequest != nil }

    /// Writes as much of ``output`` as the kernel takes now; libuv writes the rest when it can.
    ///
    /// Borrowed slices may remain in the queue: the caller settles them and calls ``flushRest()``.
    package final func flush() {
        guard unsafe writeRequest == nil, !hasFailedWriting, let stream = unsafe raw(uv_stream_t.self) else {
            return
        }
        while !output.isEmpty {
            var asked = 0
            let written = unsafe withSlices(bytesMax: .max) { slices, bytes in
                asked = bytes
                return unsafe uv_try_write(stream, slices.baseAddress, UInt32(slices.count))
            }
            guard written > 0 else {
                if written < 0, written != UV_EAGAIN.rawValue { fail(written) }
                break
            }
            output.consume(Int(written))
            writtenByteCount += Int(written)
            if Int(written) < asked { break }
        }
        if !output.isEmpty, !output.isBorrowing { flushRest() }
    }

    /// Leaves to libuv what ``flush()`` could not write; the queue must own all its bytes.
    package final func flushRest() {
        guard unsafe writeRequest == nil, !hasFailedWriting, !output.isEmpty,
            let stream = unsafe raw(uv_stream_t.self)
        else { return }
        precondition(!output.isBorrowing, "settle before the end of the batch")
        let request = UnsafeMutablePointer<uv_write_t>.allocate(capacity: 1)
        let code = unsafe withSlices(bytesMax: Self.blockedWriteBytesMax) { slices, bytes in
            bytesInFlight = bytes
            return unsafe uv_write(
                request,
                stream,
                slices.baseAddress,
                UInt32(slices.count),
                Callbacks.written
            )
        }
        if code < 0 {
            unsafe request.deallocate()
            fail(code)
        } else {
            unsafe writeRequest = request
        }
    }

    final func writeCompleted(_ status: Int32) {
        unsafe writeRequest?.deallocate()
        unsafe writeRequest = nil
        output.consume(bytesInFlight)
        if status >= 0 { writtenByteCount += bytesInFlight }
        bytesInFlight = 0
        guard !isClosing else { return }
        if status < 0 {
            fail(status)
            return
        }
        flush()
        if !isClosing, !hasFailedWriting { outputProgressed() }
    }

    private final func fail(_ code: Int32) {
        guard !hasFailedWriting else { return }
        hasFailedWriting = true
        wasResetInWriting = code == UV_ECONNRESET.rawValue
        outputFailed(LoopError(code: code, attempt: "write"))
    }

    @unsafe private final func withSlices(
        bytesMax: Int,
        _ body: (UnsafeBufferPointer<uv_buf_t>, Int) -> Int32
    ) -> Int32 {
        let slices = unsafe loop.slices
        var count = 0
        var bytes = 0
        unsafe output.forEachSlice(EventLoop.slicesPerWriteMax) { start, length in
            guard bytes < bytesMax else { return }
            let piece = min(length, bytesMax - bytes)
            unsafe slices[count] = uv_buf_init(start.assumingMemoryBound(to: CChar.self), UInt32(piece))
            count += 1
            bytes += piece
        }
        return unsafe body(UnsafeBufferPointer(start: slices, count: count), bytes)
    }

    // MARK: Ending

    /// Ends this side's direction; ``output`` must have been written.
    package final func shutdownWriting() {
        guard let descriptor = descriptor else { return }
        precondition(output.isEmpty, "bytes would stand behind the end")
        _ = ffwd_shutdown_write(descriptor)
    }

    /// Bytes that the other side has not acknowledged yet, and still may.
    package final var unacknowledgedBytes: Int {
        guard let descriptor = descriptor else { return 0 }
        let bytes = max(0, Int(ffwd_unsent_bytes(descriptor)))
        // The kernel goes on counting them behind a reset.
        return bytes > 0 && isOver ? 0 : bytes
    }

    /// Whether the other side has ended its direction and nothing of it is left to read, read or not.
    package final var isReadToEnd: Bool { descriptor.map { ffwd_is_read_to_end($0) == 1 } ?? true }

    /// Whether the connection was reset: what nobody who does not read would learn otherwise.
    ///
    /// One that both sides have ended is closed for the kernel too, but may have bytes that nobody has read yet; so may one
    /// whose reset came behind the other side's end (broken pipe). Asked for once: the kernel tells of an error once.
    package final var isGone: Bool {
        guard let descriptor = descriptor else { return true }
        guard isOver else { return false }
        let code = ffwd_socket_error(descriptor)
        return code != 0 && code != UV_EPIPE.rawValue
    }

    /// Whether the kernel has closed the connection in both directions, for whatever reason.
    package final var isOver: Bool { descriptor.map { ffwd_is_tcp_closed($0) == 1 } ?? true }

    /// For how long the other side's kernel has acknowledged nothing of what it should have.
    package final var silence: TimeSpan {
        guard let descriptor = descriptor else { return .zero }
        return .milliseconds(UInt64(max(0, ffwd_tcp_silence(descriptor))))
    }

    /// Closes so that the other side sees a reset; what the kernel has not sent is lost.
    package final func closeWithReset() {
        resetOnClose(true)
        close()
    }

    /// Whether a close, also by the end of this process, looks like a reset to the other side.
    package final func resetOnClose(_ resets: Bool) {
        guard let descriptor = descriptor else { return }
        _ = ffwd_set_reset_on_close(descriptor, resets ? 1 : 0)
    }

    private final var descriptor: Int32? {
        guard let handle = unsafe raw(uv_handle_t.self) else { return nil }
        var descriptor: uv_os_fd_t = -1
        return unsafe uv_fileno(handle, &descriptor) < 0 ? nil : descriptor
    }

    package override func closeCompleted() {
        output.removeAll()
        super.closeCompleted()
    }
}

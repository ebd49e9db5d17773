internal import CUV

/// What is done once when a turn of the loop ends: write what was gathered.
package protocol TurnWork: AnyObject {
    func endTurn()
}

/// One libuv loop, used on one thread, with the buffers that its connections share.
///
/// A *turn* is one iteration. Work that is put off with ``atEndOfTurn(_:)`` runs when all that is readable has
/// been read (after the poll phase) and once more before the loop sleeps, for what timers produced.
@safe package final class EventLoop {
    /// How many bytes one transport may read in a turn before the others get theirs.
    ///
    /// libuv reads a full socket up to 32 times in a row, which is 8 MiB or some 8 ms of everybody's time.
    package static let readBytesPerTurnMax = 1024 * 1024

    /// How many slices one system call gathers: as many as Linux allows (`IOV_MAX`).
    static let slicesPerWriteMax = 1024

    let raw: UnsafeMutablePointer<uv_loop_t>
    /// Where a write puts its slices together; of use only within one call, as libuv copies them.
    let slices: UnsafeMutablePointer<uv_buf_t>
    /// Where upstream transports read ciphertext; empty between callbacks.
    ///
    /// Stands before the pool, as properties go in this order: the buffer comes home before the pool ends.
    package let receiveBox: BufferBox
    package let pool = BufferPool()
    package let descriptors = DescriptorLedger()
    /// Counts turns, to tell what happened in this one.
    package private(set) var turn: UInt32 = 1

    private var turnWork: [any TurnWork] = []
    private var readsPutOff: [Transport] = []
    private let beforePoll: UnsafeMutablePointer<uv_prepare_t>
    private let afterPoll: UnsafeMutablePointer<uv_check_t>
    private var hasClosedParts = false

    package init() throws(LoopError) {
        unsafe raw = .allocate(capacity: 1)
        unsafe slices = .allocate(capacity: Self.slicesPerWriteMax)
        unsafe beforePoll = .allocate(capacity: 1)
        unsafe afterPoll = .allocate(capacity: 1)
        receiveBox = BufferBox(pool.take(BufferPool.largestCapacityBytes))
        try unsafe check(uv_loop_init(raw), "make an event loop")
        unsafe uv_prepare_init(raw, beforePoll)
        unsafe uv_check_init(raw, afterPoll)
        unsafe Callbacks.tie(self, to: &beforePoll.pointee.data)
        unsafe Callbacks.tie(self, to: &afterPoll.pointee.data)
        unsafe uv_prepare_start(beforePoll, Callbacks.beforePoll)
        unsafe uv_check_start(afterPoll, Callbacks.afterPoll)
        // These two do not keep the loop alive.
        unsafe UnsafeMutableRawPointer(beforePoll).assumingMemoryBound(to: uv_handle_t.self).unreference()
        unsafe UnsafeMutableRawPointer(afterPoll).assumingMemoryBound(to: uv_handle_t.self).unreference()
        ffwd_ignore_sigpipe()
    }

    deinit {
        unsafe raw.deallocate()
        unsafe slices.deallocate()
    }

    /// The time at the start of this turn.
    package var now: Instant { unsafe Instant(milliseconds: uv_now(raw)) }

    /// The wall clock: nanoseconds since 1970, which may jump.
    package static var wallClockNanoseconds: Int64 {
        var time = uv_timeval64_t()
        unsafe uv_gettimeofday(&time)
        return time.tv_sec * 1_000_000_000 + Int64(time.tv_usec) * 1_000
    }

    /// Runs until nothing is left to wait for, or ``stop()``.
    package func run() { unsafe uv_run(raw, UV_RUN_DEFAULT) }

    /// Runs one turn; waits for something to do if `waits`.
    ///
    /// - Returns: whether there is more to wait for.
    @discardableResult package func runOnce(waits: Bool = true) -> Bool {
        unsafe uv_run(raw, waits ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0
    }

    /// Lets ``run()`` return at the end of this turn.
    package func stop() { unsafe uv_stop(raw) }

    /// Ends the loop when every handle is closed.
    ///
    /// - Throws: `EBUSY` where a handle is still open: a leak. It may be tried again when that is closed.
    package func close() throws(LoopError) {
        if !hasClosedParts {
            hasClosedParts = true
            unsafe uv_close(
                UnsafeMutableRawPointer(beforePoll).assumingMemoryBound(to: uv_handle_t.self),
                Callbacks.closedPart
            )
            unsafe uv_close(
                UnsafeMutableRawPointer(afterPoll).assumingMemoryBound(to: uv_handle_t.self),
                Callbacks.closedPart
            )
        }
        // One turn closes what is closing. What the loop waits for then is a leak, unless only requests are left: a
        // look-up in the thread pool cannot be called back.
        while unsafe uv_run(raw, UV_RUN_NOWAIT) != 0, !hasOpenHandles {
            unsafe uv_run(raw, UV_RUN_ONCE)
        }
        try unsafe check(uv_loop_close(raw), "close the event loop with all its handles")
    }

    private var hasOpenHandles: Bool {
        var count = 0
        unsafe uv_walk(raw, Callbacks.countOpen, &count)
        return count > 0
    }

    /// Has `work` done once, at the end of this turn.
    package func atEndOfTurn(_ work: any TurnWork) { turnWork.append(work) }

    /// Goes on reading from `transport` in the next turn.
    func readInNextTurn(_ transport: Transport) { readsPutOff.append(transport) }

    func endTurn() {
        turn &+= 1
        while !turnWork.isEmpty {
            var work: [any TurnWork] = []
            swap(&work, &turnWork)
            for item in work { item.endTurn() }
            if turnWork.isEmpty {
                work.removeAll(keepingCapacity: true)
                swap(&work, &turnWork)
            }
        }
        guard !readsPutOff.isEmpty else { return }
        var transports: [Transport] = []
        swap(&transports, &readsPutOff)
        for transport in transports { transport.readAgain() }
    }

    /// Cryptographically strong random bytes from the kernel.
    package static func fillRandom(_ buffer: inout ByteBuffer, _ count: Int) throws(LoopError) {
        let memory = unsafe buffer.tail()
        precondition(memory.count >= count, "no tailroom")
        try unsafe check(
            uv_random(nil, nil, memory.baseAddress, count, 0, nil),
            "get random bytes from the kernel"
        )
        buffer.commit(count)
    }
}

extension UnsafeMutablePointer<uv_handle_t> {
    fileprivate func unreference() { unsafe uv_unref(self) }
}

internal import CUV

/// The one place where C handles and our objects meet.
///
/// A handle's `data` holds a retained reference to its object from the moment the handle is initialised until its
/// close callback, so an object lives as long as libuv may call it. The callbacks are formed here, in nonisolated
/// code: a closure formed on the main actor would cost 20 times as much and trap on another thread.
@unsafe enum Callbacks {
    /// Ties `object` to `data` and retains it.
    static func tie(_ object: AnyObject, to data: inout UnsafeMutableRawPointer?) {
        unsafe data = Unmanaged.passRetained(object).toOpaque()
    }

    /// Gives back the reference that `tie` took.
    static func untie(_ data: inout UnsafeMutableRawPointer?) {
        guard let opaque = unsafe data else { return }
        unsafe data = nil
        unsafe Unmanaged<AnyObject>.fromOpaque(opaque).release()
    }

    @inline(__always)
    private static func with<Object: AnyObject>(
        _ data: UnsafeMutableRawPointer?,
        _ type: Object.Type,
        _ body: (Object) -> Void
    ) {
        guard let data = unsafe data else { return }
        unsafe Unmanaged<Object>.fromOpaque(data)._withUnsafeGuaranteedRef(body)
    }

    // MARK: Transports

    static let allocate: uv_alloc_cb = { handle, _, target in
        guard let handle = unsafe handle, let target = unsafe target else { return }
        unsafe with(handle.pointee.data, Transport.self) { transport in
            let memory = unsafe transport.readMemory()
            unsafe target.pointee = uv_buf_init(
                memory.baseAddress?.assumingMemoryBound(to: CChar.self),
                UInt32(memory.count)
            )
        }
    }

    static let read: uv_read_cb = { handle, count, _ in
        guard let handle = unsafe handle else { return }
        unsafe with(handle.pointee.data, Transport.self) { $0.readCompleted(count) }
    }

    static let written: uv_write_cb = { request, status in
        guard let request = unsafe request, let handle = unsafe request.pointee.handle else { return }
        unsafe with(handle.pointee.data, Transport.self) { $0.writeCompleted(status) }
    }

    static let connected: uv_connect_cb = { request, status in
        guard let request = unsafe request, let handle = unsafe request.pointee.handle else { return }
        unsafe request.deallocate()
        unsafe with(handle.pointee.data, Transport.self) { $0.connectCompleted(status) }
    }

    // MARK: Other handles

    static let allocateForPipe: uv_alloc_cb = { handle, _, target in
        guard let handle = unsafe handle, let target = unsafe target else { return }
        unsafe with(handle.pointee.data, PipeReader.self) { reader in
            let memory = unsafe reader.readMemory()
            unsafe target.pointee = uv_buf_init(
                memory.baseAddress?.assumingMemoryBound(to: CChar.self),
                UInt32(memory.count)
            )
        }
    }

    static let readFromPipe: uv_read_cb = { handle, count, _ in
        guard let handle = unsafe handle else { return }
        unsafe with(handle.pointee.data, PipeReader.self) { $0.readCompleted(count) }
    }

    static let pending: uv_connection_cb = { handle, status in
        guard let handle = unsafe handle else { return }
        unsafe with(handle.pointee.data, Listener.self) { $0.connectionPending(status) }
    }

    static let timer: uv_timer_cb = { handle in
        guard let handle = unsafe handle else { return }
        unsafe with(handle.pointee.data, LoopTimer.self) { $0.fire() }
    }

    static let readable: uv_poll_cb = { handle, _, _ in
        guard let handle = unsafe handle else { return }
        unsafe with(handle.pointee.data, NetworkWatch.self) { $0.becameReadable() }
    }

    static let signal: uv_signal_cb = { handle, _ in
        guard let handle = unsafe handle else { return }
        unsafe with(handle.pointee.data, SignalWatcher.self) { $0.fire() }
    }

    static let beforePoll: uv_prepare_cb = { handle in
        guard let handle = unsafe handle else { return }
        unsafe with(handle.pointee.data, EventLoop.self) { $0.endTurn() }
    }

    static let afterPoll: uv_check_cb = { handle in
        guard let handle = unsafe handle else { return }
        unsafe with(handle.pointee.data, EventLoop.self) { $0.endTurn() }
    }

    static let resolved: uv_getaddrinfo_cb = { request, status, addresses in
        guard let request = unsafe request else { return }
        unsafe with(request.pointee.data, NameLookup.self) { unsafe $0.completed(status, addresses) }
    }

    static let exited: uv_exit_cb = { process, status, signal in
        guard let process = unsafe process else { return }
        unsafe with(process.pointee.data, ChildProcess.self) { $0.exited(status: status, signal: signal) }
    }

    /// Counts handles that nobody has closed into an `Int`.
    static let countOpen: uv_walk_cb = { handle, count in
        guard let handle = unsafe handle, unsafe uv_is_closing(handle) == 0 else { return }
        unsafe count?.assumingMemoryBound(to: Int.self).pointee += 1
    }

    /// Frees a handle's memory that belongs to the loop object itself.
    static let closedPart: uv_close_cb = { handle in
        guard let handle = unsafe handle else { return }
        var data = unsafe handle.pointee.data
        unsafe UnsafeMutableRawPointer(handle).deallocate()
        unsafe untie(&data)
    }

    /// Frees a handle's memory, then lets its object go.
    static let closed: uv_close_cb = { handle in
        guard let handle = unsafe handle else { return }
        var data = unsafe handle.pointee.data
        unsafe with(data, LoopHandle.self) { $0.closeCompleted() }
        unsafe free(handle)
        unsafe untie(&data)
    }
}

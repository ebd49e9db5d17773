internal import CUV

/// What owns a libuv handle: memory at a stable address, freed only in the close callback.
///
/// The object keeps itself alive from ``open(_:_:)`` until the handle is closed; closing twice is allowed.
@safe package class LoopHandle {
    package let loop: EventLoop
    private(set) var handle: UnsafeMutablePointer<uv_handle_t>?
    package private(set) var isClosing = false
    private var descriptorCount: UInt8 = 0

    init(loop: EventLoop, type: uv_handle_type) {
        self.loop = loop
        // Of C: what Swift allocates goes through posix_memalign, which takes twice as long.
        guard let memory = unsafe malloc(uv_handle_size(type)) else { fatalError("out of memory: no handle") }
        unsafe handle = memory.bindMemory(to: uv_handle_t.self, capacity: 1)
    }

    deinit {
        // Never tied to libuv, as initialisation failed: libuv does not know the memory.
        unsafe free(handle)
    }

    /// Ties the initialised handle to this object.
    final func tie() {
        guard let handle = unsafe handle else { return }
        unsafe handle.pointee.data = nil
        unsafe Callbacks.tie(self, to: &handle.pointee.data)
    }

    /// The handle as the type that libuv wants.
    @unsafe final func raw<Handle>(_ type: Handle.Type) -> UnsafeMutablePointer<Handle>? {
        guard let handle = unsafe handle, !isClosing else { return nil }
        return unsafe UnsafeMutableRawPointer(handle).assumingMemoryBound(to: Handle.self)
    }

    /// Takes note that descriptors are open, or about to be, until the handle is closed.
    final func hold(descriptors count: Int) {
        descriptorCount += UInt8(count)
        loop.descriptors.hold(count)
    }

    /// Closes the handle; ``closeCompleted()`` follows in a later phase of the loop.
    package func close() {
        guard let handle = unsafe handle, !isClosing else { return }
        isClosing = true
        loop.descriptors.release(Int(descriptorCount))
        unsafe uv_close(handle, Callbacks.closed)
    }

    /// Called once, when libuv has let the handle go.
    ///
    /// Overriders call `super`.
    package func closeCompleted() {
        unsafe handle = nil
    }
}

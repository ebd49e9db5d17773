internal import CUV

/// A child process on the loop, with a pipe to its standard input that ends when we do.
package final class ChildProcess: LoopHandle {
    /// How a child ended: an exit status, or the signal that killed it.
    package enum End: Equatable, Sendable {
        case exited(Int64)
        case killed(signal: Int32)
    }

    private var handler: ((End) -> Void)?
    package private(set) var processID: Int32 = 0

    /// Starts `arguments[0]` with the rest; output and errors go where ours go, or nowhere.
    ///
    /// - Parameter handler: called once, when the child has ended.
    package init(
        loop: EventLoop,
        arguments: [String],
        standardInput: Int32,
        standardOutput: Int32,
        handler: @escaping (End) -> Void
    ) throws(LoopError) {
        self.handler = handler
        super.init(loop: loop, type: UV_PROCESS)
        guard let process = unsafe raw(uv_process_t.self), let path = arguments.first else { return }
        unsafe process.pointee.data = nil
        let texts = unsafe arguments.map { unsafe strdup($0) }
        defer { unsafe texts.forEach { unsafe free($0) } }
        var vector = unsafe texts + [nil]
        var stdio = unsafe [
            uv_stdio_container_t(flags: UV_INHERIT_FD, data: .init(fd: standardInput)),
            uv_stdio_container_t(flags: UV_INHERIT_FD, data: .init(fd: standardOutput)),
            uv_stdio_container_t(flags: UV_INHERIT_FD, data: .init(fd: 2)),
        ]
        let code = unsafe stdio.withUnsafeMutableBufferPointer { stdio in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                var options = unsafe uv_process_options_t()
                unsafe options.exit_cb = Callbacks.exited
                unsafe options.file = UnsafePointer(vector[0])
                unsafe options.args = vector.baseAddress
                unsafe options.stdio = stdio.baseAddress
                unsafe options.stdio_count = 3
                return unsafe uv_spawn(loop.raw, process, &options)
            }
        }
        tie()
        if code < 0 { close() }
        try check(code, "start \(path)")
        processID = unsafe process.pointee.pid
    }

    package func kill(_ signal: Int32) {
        guard let process = unsafe raw(uv_process_t.self) else { return }
        unsafe uv_process_kill(process, signal)
    }

    func exited(status: Int64, signal: Int32) {
        let handler = self.handler
        self.handler = nil
        close()
        handler?(signal != 0 ? .killed(signal: signal) : .exited(status))
    }
}

internal import CUV

/// Listens on one address and accepts into transports that its handler makes.
package final class Listener: LoopHandle {
    /// How many connections the kernel holds for us; it lowers this to its own `somaxconn`.
    private static let backlog: Int32 = 65_535

    /// The silence after which the kernel asks an accepted connection whether its client is there.
    private static let keepAliveSeconds: UInt32 = 60

    private var handler: ((Listener) -> Void)?
    /// The bound address, with the port that was drawn.
    package private(set) var address: SocketAddress

    /// Binds and listens.
    ///
    /// - Parameters:
    ///   - address: port 0 draws a free one.
    ///   - resetsOnClose: whether accepted connections are reset where they are closed without more ado, even by the
    ///     death of this process.
    ///   - handler: called for each pending connection; it calls ``accept(into:)``.
    package init(
        loop: EventLoop,
        address: SocketAddress,
        resetsOnClose: Bool = false,
        handler: @escaping (Listener) -> Void
    ) throws(LoopError) {
        self.handler = handler
        self.address = address
        super.init(loop: loop, type: UV_TCP)
        guard let tcp = unsafe raw(uv_tcp_t.self), let stream = unsafe raw(uv_stream_t.self) else { return }
        unsafe uv_tcp_init(loop.raw, tcp)
        tie()
        // Its own, and that of the client that libuv accepts ahead.
        hold(descriptors: 2)
        do {
            let attempt = "listen on \(address)"
            // IPv6 listeners leave IPv4 to their neighbour.
            let flags = address.isIPv6 ? UInt32(UV_TCP_IPV6ONLY.rawValue) : 0
            try check(unsafe address.withPointer { unsafe uv_tcp_bind(tcp, $0, flags) }, attempt)
            // Accepted sockets inherit these from the listener: no system call per connection.
            unsafe uv_tcp_nodelay(tcp, 1)
            unsafe uv_tcp_keepalive(tcp, 1, Self.keepAliveSeconds)
            if resetsOnClose {
                var descriptor: uv_os_fd_t = -1
                try unsafe check(uv_fileno(UnsafePointer(raw(uv_handle_t.self)), &descriptor), attempt)
                try check(ffwd_set_reset_on_close(descriptor, 1), attempt)
            }
            try unsafe check(uv_listen(stream, Self.backlog, Callbacks.pending), attempt)
            var storage = sockaddr_storage()
            var size = Int32(MemoryLayout<sockaddr_storage>.size)
            let code = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                let raw = unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self)
                return unsafe uv_tcp_getsockname(tcp, raw, &size)
            }
            try check(code, attempt)
            self.address = SocketAddress(storage: storage)
        } catch {
            close()
            throw error
        }
    }

    /// Hands the pending connection to `transport`.
    package func accept(into transport: Transport) throws(LoopError) {
        guard let server = unsafe raw(uv_stream_t.self), let client = unsafe transport.raw(uv_stream_t.self)
        else {
            return
        }
        try unsafe check(uv_accept(server, client), "accept a connection on \(address)")
        transport.hold(descriptors: 1)
    }

    /// How many connections wait in the kernel to be accepted, and how many may; nil: it does not tell.
    package var queue: (length: Int, most: Int)? {
        guard let handle = unsafe raw(uv_handle_t.self) else { return nil }
        var descriptor: uv_os_fd_t = -1
        var (length, most): (UInt32, UInt32) = (0, 0)
        guard unsafe uv_fileno(handle, &descriptor) >= 0,
            unsafe ffwd_listen_queue(descriptor, &length, &most) >= 0
        else { return nil }
        return (Int(length), Int(most))
    }

    func connectionPending(_ status: Int32) {
        guard status == 0, !isClosing else { return }
        handler?(self)
    }

    package override func closeCompleted() {
        handler = nil
        super.closeCompleted()
    }
}

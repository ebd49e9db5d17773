internal import CUV

/// Looks a host name up, off the loop's thread.
@safe package final class NameLookup {
    private var request: UnsafeMutablePointer<uv_getaddrinfo_t>?
    private let host: String
    private let port: UInt16
    private var handler: ((Result<[SocketAddress], LoopError>) -> Void)?

    /// Starts the look-up of `host`, a name or a numeric address; `handler` is called once, in a later turn, unless
    /// the look-up is cancelled.
    package init(
        loop: EventLoop,
        host: String,
        port: UInt16,
        handler: @escaping (Result<[SocketAddress], LoopError>) -> Void
    ) throws(LoopError) {
        self.host = host
        self.port = port
        self.handler = handler
        let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
        unsafe self.request = request
        unsafe request.pointee.data = nil
        unsafe Callbacks.tie(self, to: &request.pointee.data)
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        // A name's addresses are wanted as this host can use them; glibc would refuse `::1` where only IPv4 is set up.
        let isNumeric = SocketAddress(ip: host, port: port) != nil
        unsafe hints.ai_flags = Int32(isNumeric ? AI_NUMERICHOST : AI_ADDRCONFIG)
        let code = unsafe uv_getaddrinfo(loop.raw, request, Callbacks.resolved, host, nil, &hints)
        guard code < 0 else { return }
        release()
        throw LoopError(code: code, attempt: "look up \(host)")
    }

    /// Forgets the handler; what the thread pool still does is thrown away.
    package func cancel() {
        handler = nil
        if let request = unsafe request {
            unsafe _ = uv_cancel(UnsafeMutableRawPointer(request).assumingMemoryBound(to: uv_req_t.self))
        }
    }

    func completed(_ status: Int32, _ addresses: UnsafeMutablePointer<addrinfo>?) {
        let handler = self.handler
        self.handler = nil
        let attempt = "look up \(host)"
        var found: [SocketAddress] = []
        var next = unsafe addresses
        while let info = unsafe next {
            if let address = unsafe info.pointee.ai_addr {
                let numeric = unsafe SocketAddress(copying: address)
                if let target = SocketAddress(ip: numeric.ip, port: port), !found.contains(target) {
                    found.append(target)
                }
            }
            unsafe next = info.pointee.ai_next
        }
        unsafe uv_freeaddrinfo(addresses)
        release()
        if status < 0 {
            handler?(.failure(LoopError(code: status, attempt: attempt)))
        } else if found.isEmpty {
            handler?(.failure(LoopError(code: LoopError.addressNotAvailable, attempt: attempt)))
        } else {
            handler?(.success(found))
        }
    }

    private func release() {
        guard let request = unsafe request else { return }
        unsafe self.request = nil
        var data = unsafe request.pointee.data
        unsafe request.deallocate()
        unsafe Callbacks.untie(&data)
    }
}

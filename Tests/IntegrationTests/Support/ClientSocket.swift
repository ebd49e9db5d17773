import Foundation

/// A TCP connection of the test itself, with blocking calls that end at the deadline.
///
/// One thread uses it; any other may call ``shutdownWriting()``.
final class ClientSocket: @unchecked Sendable {
    enum Ending: Equatable {
        /// The far side has ended its direction.
        case end
        case reset
        /// The deadline came.
        case timeout
        case failed(String)
    }

    private let deadline: Deadline
    /// Held while the descriptor changes and while another thread may use it: a closed one's number is soon another's.
    private let closing = NSLock()
    private var descriptor: Int32

    /// Connects to a port of loopback.
    init(
        port: UInt16,
        address: String = "127.0.0.1",
        receiveBufferBytes: Int? = nil,
        until deadline: Deadline
    ) throws {
        self.deadline = deadline
        let isIPv6 = address.contains(":")
        descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw ScenarioError.system("socket") }
        if let receiveBufferBytes {
            var size = Int32(receiveBufferBytes)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        let code = SocketName.loopback(address, port).withPointer { connect(descriptor, $0, $1) }
        guard code == 0 else {
            let error = ScenarioError.system("connect to \(address) port \(port)")
            close()
            throw error
        }
    }

    /// Takes a connection that was accepted.
    init(accepted descriptor: Int32, until deadline: Deadline) {
        self.deadline = deadline
        self.descriptor = descriptor
    }

    deinit { close() }

    func close() {
        closing.withLock {
            guard descriptor >= 0 else { return }
            Foundation.close(descriptor)
            descriptor = -1
        }
    }

    /// Closes with a reset.
    func closeWithReset() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Ends our direction.
    func shutdownWriting() { closing.withLock { _ = shutdown(descriptor, Int32(SHUT_WR)) } }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            try awaitEvent(POLLOUT, "sending")
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ScenarioError.system("send") }
            sent += count
        }
    }

    /// Reads exactly so many bytes.
    func receive(_ count: Int) throws -> [UInt8] {
        var received: [UInt8] = []
        while received.count < count {
            let (bytes, ending) = receiveSome(count - received.count)
            received += bytes
            if let ending {
                throw ScenarioError("\(ending) after \(received.count) of \(count) bytes")
            }
        }
        return received
    }

    /// Reads until the far side ends its direction, in whatever way.
    func receiveToEnd() -> (bytes: [UInt8], ending: Ending) {
        var received: [UInt8] = []
        while true {
            let (bytes, ending) = receiveSome(256 * 1024)
            received += bytes
            if let ending { return (received, ending) }
        }
    }

    /// Reads what there is, at least a byte of it; or says how the far side has ended.
    func receiveSome(_ most: Int) -> (bytes: [UInt8], ending: Ending?) {
        do {
            try awaitEvent(POLLIN, "receiving")
        } catch {
            return ([], .timeout)
        }
        var buffer = [UInt8](repeating: 0, count: most)
        let count = recv(descriptor, &buffer, most, 0)
        if count > 0 { return (Array(buffer[..<count]), nil) }
        if count == 0 { return ([], .end) }
        return ([], errno == ECONNRESET ? .reset : .failed(String(cString: strerror(errno))))
    }

    /// Waits so long for the far side to say something, or to end.
    ///
    /// - Returns: whether it has.
    func hears(within milliseconds: Int32) -> Bool {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&watched, 1, min(milliseconds, deadline.remainingMilliseconds)) > 0
    }

    private func awaitEvent(_ event: Int32, _ what: String) throws {
        var watched = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        let count = poll(&watched, 1, deadline.remainingMilliseconds)
        guard count > 0 else { throw ScenarioError("time was up while \(what)") }
    }
}

/// A socket's name, for the calls that want a `sockaddr`.
enum SocketName {
    case inet(sockaddr_in)
    case inet6(sockaddr_in6)

    static func loopback(_ address: String, _ port: UInt16) -> Self {
        if address.contains(":") {
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            inet_pton(AF_INET6, address, &name.sin6_addr)
            return .inet6(name)
        }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        inet_pton(AF_INET, address, &name.sin_addr)
        return .inet(name)
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        func call<Name>(_ name: Name) -> Result {
            withUnsafeBytes(of: name) { bytes in
                bytes.withMemoryRebound(to: sockaddr.self) { buffer in
                    guard let base = buffer.baseAddress else { preconditionFailure("a name has bytes") }
                    return body(base, socklen_t(MemoryLayout<Name>.size))
                }
            }
        }
        switch self {
        case .inet(let name): return call(name)
        case .inet6(let name): return call(name)
        }
    }

    /// A port of loopback that nobody listens on, for a program that cannot draw one itself.
    ///
    /// Below 32768, as the kernel gives clients those from there on.
    static func freePort() throws -> UInt16 {
        for port in (20_000..<32_000).shuffled().map({ UInt16($0) }) where ParityPorts.isFree(port) {
            return port
        }
        throw ScenarioError("no port of loopback is free")
    }

    /// The port that a socket of IPv4 is bound to.
    static func port(of descriptor: Int32) -> UInt16 {
        var name = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutableBytes(of: &name) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) {
                _ = getsockname(descriptor, $0.baseAddress, &length)
            }
        }
        return UInt16(bigEndian: name.sin_port)
    }

    /// Whether this machine has IPv6 on loopback.
    static let hasIPv6: Bool = {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return loopback("::1", 0).withPointer { bind(descriptor, $0, $1) } == 0
    }()
}

/// A TCP server of the test itself: each connection goes to `handler`, in a thread of its own.
final class StubServer: @unchecked Sendable {
    let port: UInt16
    private let descriptor: Int32
    private let lock = NSLock()
    private var connections: [ClientSocket] = []
    private var isClosed = false

    /// - Parameter handler: gets each connection; what it leaves open stays open until ``close()``.
    init(until deadline: Deadline, handler: @escaping @Sendable (ClientSocket) -> Void) throws {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard listening >= 0 else { throw ScenarioError.system("socket") }
        let bound = SocketName.loopback("127.0.0.1", 0).withPointer { bind(listening, $0, $1) }
        guard bound == 0, listen(listening, 128) == 0 else { throw ScenarioError.system("bind") }
        port = SocketName.port(of: listening)
        descriptor = listening
        Thread.detachNewThread {
            while true {
                // No child is started between the two calls, which would inherit the connection.
                var listener = pollfd(fd: listening, events: Int16(POLLIN), revents: 0)
                guard poll(&listener, 1, -1) > 0 else { return }
                let accepted = Subprocess.starting.withLock {
                    let accepted = accept(listening, nil, nil)
                    if accepted >= 0 { _ = fcntl(accepted, F_SETFD, FD_CLOEXEC) }
                    return accepted
                }
                guard accepted >= 0 else { return }
                let socket = ClientSocket(accepted: accepted, until: deadline)
                self.lock.withLock { self.connections.append(socket) }
                Thread.detachNewThread { handler(socket) }
            }
        }
    }

    /// How many connections have come.
    var connectionCount: Int { lock.withLock { connections.count } }

    /// Stops listening and ends what is open.
    func close() {
        lock.withLock {
            guard !isClosed else { return }
            isClosed = true
            // It wakes the accepting thread; the descriptor goes with the process, for a handler may still use it.
            shutdown(descriptor, Int32(SHUT_RDWR))
            for connection in connections { connection.shutdownWriting() }
        }
    }
}

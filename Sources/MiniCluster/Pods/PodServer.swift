package import FastForward

/// The process of a pod: a TCP server with one behaviour to a port, on one address.
///
///     7000 echo            7001 source         7002 sink           7003 counted sink    7004 echo at the end
///     7005 reset           7006 half closed    7007 never reads    7008 waits           7009 greets, echoes
///     7010 echo, too       8080 HTTP           7999 nobody
///
/// Knows nothing of Kubernetes. One loop, one scratch buffer that all connections read into.
package final class PodServer {
    /// How many connections that are never read are kept; the oldest is reset when one more comes.
    private static let unreadConnectionsMax = 8192

    let loop: EventLoop
    let pattern: Pattern
    let scratch: BufferBox
    let greeting: String
    private(set) var openConnections = 0
    private var listeners: [Listener] = []
    private var unread: [OwnedTransport] = []
    private var unreadNext = 0

    /// Listens on all ports of `address`.
    ///
    /// - Parameter greeting: the line that port 7009 sends first.
    package init(loop: EventLoop, address: String, greeting: String) throws(LoopError) {
        self.loop = loop
        self.greeting = greeting
        pattern = Pattern(pool: loop.pool)
        scratch = BufferBox(loop.pool.take(BufferPool.largestCapacityBytes))
        try listen(address, 7000) { EchoConnection(pod: $0) }
        try listen(address, 7001) { SourceConnection(pod: $0) }
        try listen(address, 7002) { SinkConnection(pod: $0) }
        try listen(address, 7003) { CountedSinkConnection(pod: $0) }
        try listen(address, 7004) { EchoAtEndConnection(pod: $0) }
        try listen(address, 7005) { ResetConnection(pod: $0) }
        try listen(address, 7006) { ClosedSendingConnection(pod: $0) }
        try listen(address, 7007) { NeverReadingConnection(pod: $0) }
        try listen(address, 7008) { WaitConnection(pod: $0) }
        try listen(address, 7009) { GreetingConnection(pod: $0) }
        try listen(address, 7010) { EchoConnection(pod: $0) }
        try listen(address, 8080) { WebConnection(pod: $0) }
    }

    private func listen(
        _ address: String,
        _ port: UInt16,
        _ make: @escaping (PodServer) -> PodConnection
    ) throws(LoopError) {
        guard let socketAddress = SocketAddress(ip: address, port: port) else {
            throw LoopError(code: LoopError.addressNotAvailable, attempt: "listen on \(address)")
        }
        let listener = try Listener(loop: loop, address: socketAddress) { [unowned self] listener in
            let connection = make(self)
            openConnections += 1
            do throws(LoopError) {
                try listener.accept(into: connection.transport)
            } catch {
                connection.transport.close()
                return
            }
            connection.opened()
        }
        listeners.append(listener)
    }

    func connectionClosed() { openConnections -= 1 }

    /// Keeps a connection that is never read.
    func keepUnread(_ transport: OwnedTransport) {
        guard unread.count == Self.unreadConnectionsMax else { return unread.append(transport) }
        unread[unreadNext].closeWithReset()
        unread[unreadNext] = transport
        unreadNext = (unreadNext + 1) % Self.unreadConnectionsMax
    }
}

/// The part of a connection's way that leads to a proxy: TLS with it where it wants that, and the exchange by which
/// it connects us to the server.
///
/// Theory of operation. What the link reads is the proxy's until the exchange is through. After that an `http` or
/// `socks5` proxy only copies, and the leg is thrown away. Within TLS to the proxy it stays: ``read()`` decrypts
/// the next batch into ``plaintext``, from which the server's own TLS session reads its ciphertext, and
/// ``tls`` encrypts what that session gives out.
///
/// Invariant: ``plaintext`` is empty between two turns, and then holds no large buffer of its own.
final class ProxyLeg {
    /// TLS with the proxy.
    let tls: TLSSession?
    /// What comes through the proxy; the loop's receive box where the proxy wants no TLS.
    let plaintext: BufferBox
    private let pool: BufferPool
    private var exchange: ProxyExchange
    private var hasStarted = false

    /// - Parameter context: for a proxy that wants TLS.
    init(
        with proxy: UpstreamProxy,
        to server: ServerURL,
        tls context: TLSContext?,
        loop: EventLoop
    ) throws(TLSError) {
        let destination = ProxyDestination(host: server.host, port: server.port)
        exchange = ProxyExchange(with: proxy, to: destination, userAgent: Product.userAgent)
        pool = loop.pool
        guard proxy.scheme == .https, let context else {
            tls = nil
            plaintext = loop.receiveBox
            return
        }
        tls = try TLSSession(
            client: context,
            serverName: proxy.host,
            input: loop.receiveBox,
            pool: loop.pool
        )
        plaintext = BufferBox(loop.pool.take(0))
    }

    /// What is being waited for.
    var awaited: String { hasStarted ? "answer" : "TLS handshake" }

    /// What to make of it that the connection or the time is over: a refusal that the proxy had begun counts more.
    func cause(_ other: ProxyFailure.Cause) -> ProxyFailure.Cause {
        exchange.refusal.map { .exchange($0) } ?? other
    }

    /// Says what can be said before the proxy has answered.
    func start(_ output: inout WriteQueue) throws(ProxyFailure.Cause) {
        guard !hasStarted else { return }
        if let tls {
            let isOpen: Bool
            do throws(TLSError) { isOpen = try tls.handshake() } catch {
                // OpenSSL's alert may help the proxy's log.
                tls.output.moveAll(to: &output)
                throw .tls(error)
            }
            tls.output.moveAll(to: &output)
            guard isOpen else { return }
        }
        hasStarted = true
        let request: [UInt8]
        do throws(ProxyError) { request = try exchange.start() } catch { throw .exchange(error) }
        try send(request, output: &output)
    }

    /// Goes on with the exchange by what ``plaintext`` holds.
    ///
    /// - Returns: whether the way to the server is open; what ``plaintext`` then still holds comes from there.
    func pass(_ output: inout WriteQueue) throws(ProxyFailure.Cause) -> Bool {
        guard hasStarted else { return false }
        while true {
            let event: ProxyEvent?
            do throws(ProxyError) { event = try nextEvent(&plaintext.buffer) } catch {
                throw .exchange(error)
            }
            switch event {
            case .send(let bytes): try send(bytes, output: &output)
            case .established: return true
            case nil: return false
            }
        }
    }

    private func nextEvent(_ buffer: inout ByteBuffer) throws(ProxyError) -> ProxyEvent? {
        var cursor = 0
        let event = try exchange.next(buffer.bytes, from: &cursor)
        buffer.consume(cursor)
        return event
    }

    private func send(_ bytes: [UInt8], output: inout WriteQueue) throws(ProxyFailure.Cause) {
        var buffer = pool.take(bytes.count)
        for byte in bytes { buffer.append(byte) }
        guard let tls else {
            output.append(buffer)
            return
        }
        do throws(TLSError) { try tls.write(buffer.bytes) } catch { throw .tls(error) }
        tls.output.moveAll(to: &output)
    }

    /// Decrypts the next batch into ``plaintext``; without TLS it is there already.
    func read() throws(TLSError) -> TLSSession.ReadOutcome {
        guard let tls, tls.isOpen else { return .drained }
        if plaintext.buffer.capacityBytes < BufferPool.largestCapacityBytes {
            plaintext.buffer = pool.take(BufferPool.largestCapacityBytes)
        }
        plaintext.buffer.clear()
        return try tls.read(into: &plaintext.buffer)
    }

    /// Gives the batch's memory back.
    func endTurn() {
        guard tls != nil else { return }
        plaintext.buffer = pool.take(0)
    }
}

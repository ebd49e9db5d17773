/// One connection to the API server: looked up, connected, encrypted, and then plaintext both ways.
///
/// Theory of operation. The link (a ``Transport``) reads ciphertext into the loop's one receive buffer; the TLS
/// session drains it into batches of plaintext, which the subclass takes apart before the next one. Towards the
/// server, what the subclass sends is encrypted at once and leaves with ``flushUpstream()``, once per turn or when
/// a good deal has gathered.
package class UpstreamConnection: TransportOwner {
    /// How long resolving, connecting, TLS and the first answer may take together.
    package static let openTimeout = TimeSpan.seconds(10)
    /// Ciphertext that is gathered before it is written even within a turn, in bytes.
    private static let gatheredBytesMax = 256 * 1024
    /// The silence after which the kernel asks whether the server is there, in seconds.
    private static let keepAliveSeconds: UInt32 = 15

    private enum Phase { case idle, resolving, connecting, handshaking, open, closed }

    package let loop: EventLoop
    package let endpoint: UpstreamEndpoint
    private var phase = Phase.idle
    private var lookup: NameLookup?
    private var addresses: [SocketAddress] = []
    private var link: OwnedTransport?
    private var tls: TLSSession?
    private var openTimer: LoopTimer?

    package init(loop: EventLoop, endpoint: UpstreamEndpoint) {
        self.loop = loop
        self.endpoint = endpoint
    }

    // MARK: What a subclass decides

    /// The connection is open: send the request.
    package func upstreamOpened() {}
    /// The next batch of plaintext; it is reused after the call.
    package func upstreamReceived(_ batch: inout ByteBuffer) {}
    /// The connection is over; called at most once, never after ``closeUpstream()``.
    package func upstreamEnded(_ error: UpstreamError) {}
    /// The kernel has taken bytes that had to wait.
    package func upstreamProgressed() {}

    /// The server's name and port, for messages.
    package final var serverText: String { endpoint.server.authority }
    package final var isUpstreamOpen: Bool { phase == .open }
    package final var isUpstreamClosed: Bool { phase == .closed }
    /// Ciphertext that the kernel has not taken, in bytes.
    package final var upstreamBacklogBytes: Int {
        (link?.output.byteCount ?? 0) + (tls?.output.byteCount ?? 0)
    }
    /// The TLS version and cipher; nil on a plain connection or before it is open.
    package final var negotiatedTLS: String? { phase == .open ? tls?.negotiated : nil }

    // MARK: Opening

    /// Starts to connect; ``upstreamOpened()`` or ``upstreamEnded(_:)`` follows in a later turn.
    package final func openUpstream() {
        precondition(phase == .idle, "a connection is opened once")
        phase = .resolving
        // Strong, until the answer or the end: see ``Tunnel`` on weak references.
        let timer = LoopTimer(loop: loop) { self.openTimedOut() }
        openTimer = timer
        timer.schedule(at: loop.now + Self.openTimeout)
        if let address = SocketAddress(ip: endpoint.server.host, port: endpoint.server.port) {
            connect(to: [address])
            return
        }
        do throws(LoopError) {
            lookup = try NameLookup(loop: loop, host: endpoint.server.host, port: endpoint.server.port) {
                result in
                guard self.phase == .resolving else { return }
                self.lookup = nil
                switch result {
                case .success(let addresses): self.connect(to: addresses)
                case .failure(let error): self.end(.network(server: self.serverText, error))
                }
            }
        } catch {
            endLater(.network(server: serverText, error))
        }
    }

    /// The first answer has come: no more hurry.
    package final func openTimeoutSatisfied() {
        openTimer?.close()
        openTimer = nil
    }

    private final func openTimedOut() {
        let what =
            switch phase {
            case .idle, .resolving: "address"
            case .connecting: "connection"
            case .handshaking: "TLS handshake"
            case .open, .closed: "answer"
            }
        let seconds = Self.openTimeout.nanoseconds / 1_000_000_000
        end(.timedOut(server: serverText, waitingFor: what, seconds: seconds))
    }

    private final func connect(to addresses: [SocketAddress]) {
        phase = .connecting
        self.addresses = addresses
        connectToNext(after: nil)
    }

    /// Tries the next address; the last one's error is the connection's.
    private final func connectToNext(after failure: LoopError?) {
        guard !addresses.isEmpty else {
            if let failure { end(.network(server: serverText, failure)) }
            return
        }
        let address = addresses.removeFirst()
        let link = OwnedTransport(loop: loop)
        link.owner = self
        self.link = link
        do throws(LoopError) {
            try link.connect(to: address)
        } catch {
            abandonLink()
            guard addresses.isEmpty else {
                connectToNext(after: error)
                return
            }
            endLater(.network(server: serverText, error))
        }
    }

    package final func connected(_ error: LoopError?) {
        guard let link else { return }
        if let error {
            abandonLink()
            connectToNext(after: error)
            return
        }
        addresses = []
        link.setOptions(noDelay: true, keepAliveSeconds: Self.keepAliveSeconds)
        guard let context = endpoint.tls else {
            phase = .open
            upstreamOpened()
            flushUpstream()
            link.startReading()
            return
        }
        phase = .handshaking
        do throws(TLSError) {
            let session = try TLSSession(
                client: context,
                serverName: endpoint.serverName,
                input: loop.receiveBox,
                pool: loop.pool
            )
            tls = session
            _ = try session.handshake()
            flushUpstream()
            link.startReading()
        } catch {
            end(.tls(server: serverText, error))
        }
    }

    // MARK: Receiving

    package final func prepareRead() -> BufferBox? {
        // What a session did not want (after an error) is nobody's.
        loop.receiveBox.buffer.clear()
        return loop.receiveBox
    }

    package final func received(_ count: Int) {
        loop.receiveBox.buffer.commit(count)
        guard let tls else {
            plainReceived()
            return
        }
        do throws(TLSError) {
            if phase == .handshaking {
                guard try tls.handshake() else {
                    flushUpstream()
                    return
                }
                phase = .open
                upstreamOpened()
            }
            var batch = loop.pool.take(BufferPool.largestCapacityBytes)
            while phase == .open {
                batch.clear()
                let outcome = try tls.read(into: &batch)
                if !batch.isEmpty { upstreamReceived(&batch) }
                switch outcome {
                case .filled: continue
                case .drained: break
                case .ended:
                    if phase == .open { end(.ended(server: serverText, during: "transfer")) }
                }
                break
            }
            flushUpstream()
        } catch {
            // What OpenSSL wants to say (an alert) may still help the server's log.
            flushUpstream()
            end(.tls(server: serverText, error))
        }
    }

    private final func plainReceived() {
        var batch = loop.pool.take(BufferPool.largestCapacityBytes)
        swap(&batch, &loop.receiveBox.buffer)
        upstreamReceived(&batch)
        flushUpstream()
    }

    package final func receivedEnd(_ error: LoopError?) {
        if let error {
            end(.network(server: serverText, error))
        } else {
            end(.ended(server: serverText, during: phase == .handshaking ? "TLS handshake" : "transfer"))
        }
    }

    /// Reads no more from the server until ``resumeUpstream()``.
    package final func pauseUpstream() { link?.stopReading() }

    package final func resumeUpstream() {
        guard phase == .open else { return }
        link?.startReading()
    }

    // MARK: Sending

    /// Encrypts `plaintext`; it leaves with the next ``flushUpstream()``.
    package final func sendUpstream(_ plaintext: RawSpan) {
        guard phase == .open, let link else { return }
        guard let tls else {
            link.output.append(copying: plaintext, bufferBytes: BufferPool.largestCapacityBytes)
            return
        }
        do throws(TLSError) {
            try tls.write(plaintext)
        } catch {
            endLater(.tls(server: serverText, error))
            return
        }
        if tls.output.byteCount >= Self.gatheredBytesMax { flushUpstream() }
    }

    /// Sends the request for an upgrade, with the fields that every request has.
    package final func sendRequest(_ upgrade: TunnelUpgrade, _ path: APIPath) throws(UpstreamError) {
        let fields: HTTPFields
        do throws(KubeconfigError) { fields = try endpoint.requestFields(at: loop.now) } catch {
            throw .credential(error)
        }
        try sendRequest(upgrade.request(target: path.description, fields: fields))
    }

    /// Sends a request.
    package final func sendRequest(_ request: HTTPRequestHead) throws(UpstreamError) {
        guard request.encodedBytes <= BufferPool.largestCapacityBytes else {
            throw .answer(
                server: serverText,
                reason: "the request is longer than \(BufferPool.largestCapacityBytes) bytes"
            )
        }
        var buffer = loop.pool.take(request.encodedBytes)
        do throws(HTTPError) { try request.append(to: &buffer) } catch {
            throw .answer(server: serverText, reason: "the request cannot be written: \(error)")
        }
        sendUpstream(buffer.bytes)
    }

    /// Writes what was gathered.
    package final func flushUpstream() {
        guard let link else { return }
        tls?.output.moveAll(to: &link.output)
        link.flush()
    }

    package final func outputProgressed() { upstreamProgressed() }

    package final func outputFailed(_ error: LoopError) { receivedEnd(error) }

    // MARK: Ending

    /// Closes without a callback: says goodbye in TLS where that is possible at once.
    package final func closeUpstream() {
        guard phase != .closed else { return }
        if phase == .open, let tls {
            tls.closeNotify()
            flushUpstream()
        }
        release()
    }

    private final func end(_ error: UpstreamError) {
        guard phase != .closed else { return }
        release()
        upstreamEnded(error)
    }

    /// Ends in a later turn, where the caller is in the middle of something.
    private final func endLater(_ error: UpstreamError) {
        pauseUpstream()
        let timer = LoopTimer(loop: loop) { self.end(error) }
        openTimeoutSatisfied()
        openTimer = timer
        timer.schedule(at: loop.now)
    }

    private final func release() {
        phase = .closed
        openTimeoutSatisfied()
        lookup?.cancel()
        lookup = nil
        abandonLink()
        tls = nil
    }

    /// Closes the transport, which says no more.
    private final func abandonLink() {
        link?.owner = nil
        link?.close()
        link = nil
    }
}

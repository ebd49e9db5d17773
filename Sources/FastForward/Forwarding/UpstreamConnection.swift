/// One connection to the API server: looked up, connected, encrypted, and then plaintext both ways.
///
/// Theory of operation. The link (a ``Transport``) reads ciphertext into the loop's one receive buffer; the TLS
/// session drains it into batches of plaintext, which the subclass takes apart before the next one. Towards the
/// server, what the subclass sends is encrypted at once and leaves with ``flushUpstream()``, once per turn or when
/// a good deal has gathered.
///
/// Before anything else the endpoint is asked for what to show the server, for which a credential plugin may have to
/// run first; there is no time limit on that. A server that does not take it (401) is asked once more with a fresh one.
///
/// Where the endpoint names a proxy, that is looked up and connected to instead, and a ``ProxyLeg`` goes before
/// TLS with the server; it stays only where it has TLS of its own.
package class UpstreamConnection: TransportOwner {
    /// How long resolving, connecting, a proxy, TLS and the first answer may take together.
    ///
    /// A plugin's time does not count.
    package static let openTimeout = TimeSpan.seconds(10)
    /// Ciphertext that is gathered before it is written even within a turn, in bytes.
    ///
    /// Not above any carrier's high mark: it would pause for what has only not been offered to the kernel yet.
    private static let gatheredBytesMax = 256 * 1024
    /// How much may wait for the server when it asks for answers within TLS, in bytes: above what the carriers leave.
    private static let answersBacklogBytesMax = 4 << 20
    /// The silence after which the kernel asks whether the server is there, in seconds.
    private static let keepAliveSeconds: UInt32 = 15

    private enum Phase { case idle, preparing, resolving, connecting, passing, handshaking, open, closed }

    package let loop: EventLoop
    package let endpoint: UpstreamEndpoint
    private var phase = Phase.idle
    private var lookup: NameLookup?
    private var race: ConnectRace?
    private var descriptorPromise: DescriptorLedger.Promise?
    private var link: OwnedTransport?
    private var leg: ProxyLeg?
    private var tls: TLSSession?
    private var openTimer: LoopTimer?
    private var silenceTimer: LoopTimer?
    /// Nil: nobody looks for them.
    private var lifeSigns: LifeSigns?
    private var preparation: CredentialSource.Ticket?
    private var identity: UpstreamIdentity?
    private var hasReopened = false
    private let openTimeout: TimeSpan
    /// When the time that it may take to open is over; nil: it has not begun.
    package private(set) final var openDue: Instant?
    /// When the server was looked up, or connected to.
    private var attemptBegan = Instant(nanoseconds: 0)
    /// How long an attempt is left alone when the network changes: it may have been made because of that.
    private static let attemptPatience = TimeSpan.milliseconds(250)

    package init(
        loop: EventLoop,
        endpoint: UpstreamEndpoint,
        openTimeout: TimeSpan = UpstreamConnection.openTimeout
    ) {
        self.loop = loop
        self.endpoint = endpoint
        self.openTimeout = openTimeout
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
    /// The server, or the network, may be gone.
    package func upstreamDoubted() {}
    /// How much the next read may bring, in bytes.
    package var upstreamReadBytesMax: Int { .max }

    /// The server's name and port, for messages.
    package final var serverText: String { endpoint.server.authority }
    package final var isUpstreamOpen: Bool { phase == .open }
    package final var isUpstreamClosed: Bool { phase == .closed }
    /// Ciphertext that the kernel has not taken, in bytes.
    package final var upstreamBacklogBytes: Int {
        (link?.output.byteCount ?? 0) + (tls?.output.byteCount ?? 0) + (leg?.tls?.output.byteCount ?? 0)
    }
    /// Bytes that were handed to the kernel, or wait for it behind ``flushUpstream()``.
    package final var sentByteCount: Int { link.map { $0.writtenByteCount + $0.output.byteCount } ?? 0 }
    /// Of these, acknowledged by the kernel of the server, or of the proxy in front of it.
    package final var acknowledgedByteCount: Int {
        link.map { $0.writtenByteCount - $0.unacknowledgedBytes } ?? 0
    }
    /// The TLS version and cipher; nil on a plain connection or before it is open.
    package final var negotiatedTLS: String? { phase == .open ? tls?.negotiated : nil }

    // MARK: Opening

    /// Starts to connect; ``upstreamOpened()`` or ``upstreamEnded(_:)`` follows in a later turn.
    package final func openUpstream() {
        precondition(phase == .idle, "a connection is opened once")
        prepare()
    }

    private final func prepare() {
        phase = .preparing
        descriptorPromise = DescriptorLedger.Promise(of: loop.descriptors)
        // Strong, until the answer or the end: see ``Tunnel`` on weak references.
        preparation = endpoint.prepare(on: loop) { result in
            self.preparation = nil
            switch result {
            case .success(let identity):
                self.identity = identity
                self.resolve()
            case .failure(let error): self.endLater(error)
            }
        }
    }

    private final func resolve() {
        openTimeoutSatisfied()
        let timer = LoopTimer(loop: loop) { self.openTimedOut() }
        openTimer = timer
        let due = openDue ?? loop.now + openTimeout
        openDue = due
        timer.schedule(at: due)
        lookUp()
    }

    private final func lookUp() {
        phase = .resolving
        attemptBegan = loop.now
        // A server's name behind a proxy may mean nothing here: the proxy resolves it.
        let host = endpoint.proxy?.host ?? endpoint.server.host
        let port = endpoint.proxy?.port ?? endpoint.server.port
        if let address = SocketAddress(ip: host, port: port) {
            connect(to: [address])
            return
        }
        if let addresses = endpoint.knownAddresses.addresses(at: loop.now) {
            connect(to: addresses)
            return
        }
        do throws(LoopError) {
            lookup = try NameLookup(loop: loop, host: host, port: port) { result in
                guard self.phase == .resolving else { return }
                self.lookup = nil
                switch result {
                case .success(let addresses):
                    self.endpoint.knownAddresses.found(addresses, at: self.loop.now)
                    self.connect(to: addresses)
                case .failure(let error): self.end(self.networkError(error))
                }
            }
        } catch {
            endLater(networkError(error))
        }
    }

    /// Opens the connection once more, where the server did not take what it was shown (401) and there may be something
    /// better.
    ///
    /// - Returns: whether it is being opened: forget the answer, and go on as after ``openUpstream()``.
    package final func reopenAfterRefusal() -> Bool {
        guard let identity, endpoint.wasRefused(identity), !hasReopened else { return false }
        hasReopened = true
        reopen(at: loop.now, keepsDue: false)
        return true
    }

    /// Lets the connection go, and opens it once more at `instant`, in what is left of its time or with all of it.
    package final func reopen(at instant: Instant, keepsDue: Bool) {
        release()
        phase = .preparing
        if !keepsDue { openDue = nil }
        // In a later turn: this may be in the middle of a batch.
        let timer = LoopTimer(loop: loop) { self.prepare() }
        openTimer = timer
        timer.schedule(at: instant)
    }

    /// The first answer has come: no more hurry.
    package final func openTimeoutSatisfied() {
        openTimer?.close()
        openTimer = nil
    }

    /// Ends the connection, once it is open, where nothing is acknowledged any more.
    package final func watchSilence() {
        guard phase == .open else { return }
        lifeSigns = LifeSigns(at: loop.now)
        scheduleLook()
    }

    private final func scheduleLook() {
        guard let lifeSigns else { return }
        if silenceTimer == nil { silenceTimer = LoopTimer(loop: loop) { self.lookForLife() } }
        silenceTimer?.schedule(at: lifeSigns.nextLook)
    }

    private final func lookForLife(networkChanged: Bool = false) {
        guard phase == .open, let link else { return }
        let verdict = lifeSigns?.look(
            silence: link.silence,
            hasAddress: link.localAddress?.isOwn ?? true,
            networkChanged: networkChanged,
            at: loop.now
        )
        switch verdict {
        case nil: return
        case .alive: break
        case .doubted: upstreamDoubted()
        case .silent:
            end(.silent(server: serverText, for: LifeSigns.silenceMax))
            return
        case .addressGone:
            end(.addressGone(server: serverText, address: link.localAddress?.ip ?? ""))
            return
        }
        scheduleLook()
    }

    /// Takes note that the network of this host has changed.
    ///
    /// What is being connected begins anew: its packets went into the old network. What is open is looked at.
    package final func networkChanged() {
        switch phase {
        case .resolving, .connecting:
            guard loop.now - attemptBegan >= Self.attemptPatience else { return }
            lookup?.cancel()
            lookup = nil
            race?.cancel()
            race = nil
            endpoint.knownAddresses.forget()
            lookUp()
        case .open:
            if lifeSigns == nil { lifeSigns = LifeSigns(at: loop.now) }
            lookForLife(networkChanged: true)
        case .idle, .preparing, .passing, .handshaking, .closed: break
        }
    }

    private final func openTimedOut() {
        let what =
            switch phase {
            case .idle, .preparing, .resolving: "address"
            case .connecting: "connection"
            case .passing: leg?.awaited ?? "answer"
            case .handshaking: "TLS handshake"
            case .open, .closed: "answer"
            }
        if let proxy = endpoint.proxy, !isBeyondProxy {
            end(proxyError(proxy, .timedOut(waitingFor: what, within: openTimeout)))
        } else {
            end(.timedOut(server: serverText, waitingFor: what, within: openTimeout))
        }
    }

    /// Whether what fails now is the server's affair, not a proxy's.
    private final var isBeyondProxy: Bool {
        switch phase {
        case .idle, .preparing, .resolving, .connecting, .passing: false
        case .handshaking, .open, .closed: true
        }
    }

    private final func networkError(_ error: LoopError) -> UpstreamError {
        guard let proxy = endpoint.proxy, !isBeyondProxy else { return .network(server: serverText, error) }
        return proxyError(proxy, .network(error))
    }

    private final func proxyError(_ proxy: UpstreamProxy, _ cause: ProxyFailure.Cause) -> UpstreamError {
        .proxy(ProxyFailure(proxy: proxy, server: serverText, cause: leg?.cause(cause) ?? cause))
    }

    private final func connect(to addresses: [SocketAddress]) {
        phase = .connecting
        race = ConnectRace(loop: loop, addresses: addresses) { result in
            self.race = nil
            switch result {
            case .success(let link): self.connected(link)
            case .failure(let error):
                self.endpoint.knownAddresses.forget()
                self.end(self.networkError(error))
            }
        }
    }

    private final func connected(_ link: OwnedTransport) {
        self.link = link
        descriptorPromise = nil
        link.owner = self
        endpoint.knownAddresses.connected(to: link.peerAddress)
        link.setOptions(noDelay: true, keepAliveSeconds: Self.keepAliveSeconds)
        if let proxy = endpoint.proxy {
            startPassing(proxy, link)
        } else {
            startSession(over: loop.receiveBox)
        }
        // It may have ended meanwhile.
        self.link?.startReading()
    }

    private final func startPassing(_ proxy: UpstreamProxy, _ link: OwnedTransport) {
        phase = .passing
        do throws(ProxyFailure.Cause) {
            let leg: ProxyLeg
            do throws(TLSError) {
                leg = try ProxyLeg(with: proxy, to: endpoint.server, tls: identity?.proxyTLS, loop: loop)
            } catch {
                throw ProxyFailure.Cause.tls(error)
            }
            self.leg = leg
            try leg.start(&link.output)
            link.flush()
        } catch {
            end(proxyError(proxy, error))
        }
    }

    /// The bytes are the server's from here on; `input` is where they come.
    private final func startSession(over input: BufferBox) {
        guard let context = identity?.tls else {
            phase = .open
            upstreamOpened()
            flushUpstream()
            return
        }
        phase = .handshaking
        do throws(TLSError) {
            let session = try TLSSession(
                client: context,
                serverName: endpoint.serverName,
                input: input,
                pool: loop.pool
            )
            tls = session
            _ = try session.handshake()
            flushUpstream()
        } catch {
            end(.tls(server: serverText, error))
        }
    }

    // MARK: Receiving

    package final func prepareRead() -> BufferBox? {
        link?.readBytesMax = upstreamReadBytesMax
        return loop.receiveBox
    }

    package final func received(_ count: Int) {
        loop.receiveBox.buffer.commit(count)
        // What the connection did not want, as it ended in the middle, is nobody's: least of all the next one's.
        defer { loop.receiveBox.buffer.clear() }
        if let leg, let proxy = endpoint.proxy {
            received(through: leg, of: proxy)
        } else {
            receivedFromServer(loop.receiveBox)
        }
    }

    /// Takes what was read to the proxy or, through its TLS, to the server.
    private final func received(through leg: ProxyLeg, of proxy: UpstreamProxy) {
        defer { leg.endTurn() }
        // The connection may be closed, or opened anew, by what comes.
        let link = self.link
        do throws(ProxyFailure.Cause) {
            if phase == .passing, let link {
                try leg.start(&link.output)
                link.flush()
            }
            var outcome = TLSSession.ReadOutcome.filled
            while outcome == .filled, self.link === link {
                do throws(TLSError) {
                    outcome = try leg.read()
                    try checkAnswers()
                } catch {
                    throw ProxyFailure.Cause.tls(error)
                }
                if phase == .passing, let link {
                    let isOpen = try leg.pass(&link.output)
                    link.flush()
                    if isOpen { proxyPassed(leg) }
                }
                if isBeyondProxy, self.link === link, !leg.plaintext.buffer.isEmpty {
                    receivedFromServer(leg.plaintext)
                }
            }
            if outcome == .ended, self.link === link { receivedEnd(nil) }
        } catch {
            link?.flush()
            end(proxyError(proxy, error))
        }
    }

    private final func proxyPassed(_ leg: ProxyLeg) {
        // Without TLS there is nothing left to do here.
        if leg.tls == nil { self.leg = nil }
        startSession(over: leg.plaintext)
    }

    private final func receivedFromServer(_ input: BufferBox) {
        guard let tls else {
            plainReceived(input)
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
                let outputBytes = tls.output.byteCount
                let outcome = try tls.read(into: &batch)
                if tls.output.byteCount > outputBytes { try checkAnswers() }
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

    /// Ends a connection that makes TLS itself answer, as TLS 1.2 does to each wish for a renegotiation, and does not read
    /// the answers.
    private final func checkAnswers() throws(TLSError) {
        let bytes = upstreamBacklogBytes
        guard bytes <= Self.answersBacklogBytesMax else { throw .answersNotTaken(bytes: bytes) }
    }

    private final func plainReceived(_ input: BufferBox) {
        var batch = loop.pool.take(BufferPool.largestCapacityBytes)
        swap(&batch, &input.buffer)
        upstreamReceived(&batch)
        flushUpstream()
    }

    package final func receivedEnd(_ error: LoopError?) { end(loss(error)) }

    /// What the loss of the transport is called.
    private final func loss(_ error: LoopError?) -> UpstreamError {
        if let proxy = endpoint.proxy, !isBeyondProxy {
            return proxyError(proxy, error.map { .network($0) } ?? .ended)
        }
        guard let error else {
            return .ended(
                server: serverText,
                during: phase == .handshaking ? "TLS handshake" : "transfer"
            )
        }
        return .network(server: serverText, error)
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
        // Plain HTTP through an `https` proxy is encrypted for the proxy.
        guard let tls = tls ?? leg?.tls else {
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
        try sendRequest(upgrade.request(target: path.description, fields: requestFields))
    }

    /// The fields that every request has, with what this connection shows the server.
    package final var requestFields: HTTPFields {
        identity.map { endpoint.requestFields($0) } ?? [:]
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
        if let outer = leg?.tls {
            do throws(TLSError) {
                if let tls { try outer.write(&tls.output) }
            } catch {
                endLater(.tls(server: serverText, error))
                return
            }
            outer.output.moveAll(to: &link.output)
        } else {
            tls?.output.moveAll(to: &link.output)
        }
        link.flush()
    }

    package final func outputProgressed() { upstreamProgressed() }

    /// Ends later: full staging is written while a client is asked where its next bytes go, and libuv does not bear
    /// that a handle is closed then.
    package final func outputFailed(_ error: LoopError) {
        guard phase != .closed else { return }
        endLater(loss(error))
    }

    // MARK: Ending

    /// Closes without a callback: says goodbye in TLS where that is possible at once.
    package final func closeUpstream() {
        guard phase != .closed else { return }
        if phase == .open, tls != nil || leg != nil {
            tls?.closeNotify()
            flushUpstream()
            if let outer = leg?.tls {
                outer.closeNotify()
                flushUpstream()
            }
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
        silenceTimer?.close()
        silenceTimer = nil
        openTimeoutSatisfied()
        if let preparation { endpoint.cancel(preparation) }
        preparation = nil
        lookup?.cancel()
        lookup = nil
        race?.cancel()
        race = nil
        descriptorPromise = nil
        abandonLink()
        leg = nil
        tls = nil
    }

    /// Closes the transport, which says no more.
    private final func abandonLink() {
        link?.owner = nil
        link?.close()
        link = nil
    }
}

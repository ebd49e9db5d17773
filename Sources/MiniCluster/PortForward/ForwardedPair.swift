import FastForward

/// One forwarded connection: the error stream and the data stream of a tunnel, and the TCP connection to the pod.
///
/// Theory of operation. Each direction ends once: towards the pod by the client's FIN or reset or by a write that
/// fails, from the pod by its end or its reset. What follows is the runtime's dialect (``RuntimeDialect``): *ideal*
/// passes each end on at once and ends the error stream after both; the others pass nothing on, give the other
/// direction one second after the first end, and then close everything in their own order.
final class ForwardedPair: TransportOwner {
    /// How long container runtimes let one direction run after the other has ended.
    private static let graceAfterFirstEnd = TimeSpan.seconds(1)

    private unowned let tunnel: Tunnel
    let port: UInt16
    let transport: OwnedTransport
    var errorID: UInt32?
    var dataID: UInt32?
    /// Whether it stands in the tunnel's list of connections to be written.
    var isTouched = false

    private var isConnected = false
    private var hasConnectionBegun = false
    private var isOver = false
    /// The client has sent its last byte; it may still be in the queue.
    private var hasFinal = false
    private var toPodEnded = false
    private var fromPodEnded = false
    private var hasSentFinal = false
    private var dataWasReset = false
    private var errorWasReset = false
    private var failure: String?
    private var timer: LoopTimer?

    private var dialect: RuntimeDialect { tunnel.cluster.options.runtime }

    init(tunnel: Tunnel, port: UInt16) {
        self.tunnel = tunnel
        self.port = port
        transport = OwnedTransport(loop: tunnel.cluster.loop)
        transport.owner = self
        transport.readGapBytes = SPDYFrameWriter.dataHeaderBytes
    }

    // MARK: The client's side

    /// Whether data of the client is of any use.
    var wantsData: Bool { !isOver && !toPodEnded && !hasFinal }

    /// Whether the pod's socket has taken all that was handed to it.
    var canTake: Bool { isConnected && !transport.isBlocked }

    /// The client sends no more.
    func receivedFinal() {
        hasFinal = true
        outputSettled()
    }

    func receivedReset(ofErrorStream isError: Bool) {
        guard !isOver else { return }
        if isError {
            errorWasReset = true
            return
        }
        dataWasReset = true
        guard dialect == .ideal else { return toPodHasEnded(nil) }
        end(nil)
    }

    /// Everything that is queued for the pod has an owner, and has been offered to the kernel.
    func outputSettled() {
        guard !isOver, isConnected, transport.output.isEmpty else { return }
        if hasFinal, !toPodEnded {
            if dialect == .ideal { transport.shutdownWriting() }
            toPodHasEnded(nil)
        }
        reportRoom()
    }

    private func reportRoom() {
        if let dataID, canTake || !wantsData { tunnel.workerMayGoOn(forStream: dataID) }
    }

    /// The other stream of the pair has that long to come.
    func waitForSecondStream(_ span: TimeSpan) {
        schedule(span) { [unowned self] in
            if let dataID { tunnel.output.sendReset(dataID, SPDYResetStatus.cancel) }
            if let errorID { tunnel.output.sendReset(errorID, SPDYResetStatus.cancel) }
            over()
        }
    }

    func tunnelClosed() {
        isOver = true
        timer?.close()
        transport.close()
    }

    // MARK: The pod's side

    /// Both streams are there: the pod is dialled.
    func connect() {
        timer?.close()
        timer = nil
        hasConnectionBegun = true
        tunnel.cluster.statistics.connectionsOpened += 1
        guard let address = SocketAddress(ip: tunnel.pod.address, port: port) else {
            // A pod without a process: its network is there, and nobody listens.
            return connected(LoopError(code: LoopError.connectionRefused, attempt: "connect to the pod"))
        }
        do throws(LoopError) {
            try transport.connect(to: address)
        } catch {
            connected(error)
        }
    }

    func connected(_ error: LoopError?) {
        guard !isOver else { return }
        if let error {
            tunnel.cluster.statistics.connectionsFailed += 1
            return end(FailureText.dial(port: port, pod: tunnel.pod, error))
        }
        isConnected = true
        transport.setOptions(noDelay: true, keepAliveSeconds: 0)
        transport.startReading()
        outputSettled()
    }

    func prepareRead() -> BufferBox? { tunnel.output.boxForRead(by: transport) }

    func received(_ count: Int) {
        guard !isOver, let dataID else { return }
        tunnel.output.commitRead(count, stream: dataID)
    }

    func receivedEnd(_ error: LoopError?) {
        guard !isOver, !fromPodEnded else { return }
        fromPodEnded = true
        if let error {
            let text = FailureText.transfer(
                port: port,
                pod: tunnel.pod,
                "read",
                localPort: transport.localAddress?.port ?? 0,
                error
            )
            return dialect == .ideal ? end(text) : firstEnd(text)
        }
        guard dialect == .ideal else { return firstEnd(nil) }
        if let dataID, !dataWasReset {
            tunnel.output.sendData("", on: dataID, isFinal: true)
            hasSentFinal = true
        }
        if toPodEnded { end(nil) }
    }

    func outputProgressed() { outputSettled() }

    func outputFailed(_ error: LoopError) {
        guard !isOver, !toPodEnded else { return }
        let text = FailureText.transfer(
            port: port,
            pod: tunnel.pod,
            "write",
            localPort: transport.localAddress?.port ?? 0,
            error
        )
        // A pod that has closed does not want the rest; what it sent before is complete.
        toPodHasEnded(dialect == .ideal ? nil : text)
        reportRoom()
    }

    // MARK: The end

    private func toPodHasEnded(_ text: String?) {
        guard !toPodEnded else { return }
        toPodEnded = true
        guard dialect == .ideal else { return firstEnd(text) }
        if fromPodEnded { end(text) }
    }

    /// One direction has ended: the other gets its second.
    private func firstEnd(_ text: String?) {
        if failure == nil { failure = text }
        if toPodEnded, fromPodEnded { return end(failure) }
        schedule(Self.graceAfterFirstEnd) { [unowned self] in end(failure) }
    }

    private func schedule(_ span: TimeSpan, _ handler: @escaping () -> Void) {
        timer?.close()
        let timer = LoopTimer(loop: tunnel.cluster.loop, handler: handler)
        timer.schedule(at: tunnel.cluster.loop.now + span)
        self.timer = timer
    }

    /// Ends both streams in the runtime's dialect.
    private func end(_ text: String?) {
        guard !isOver, let dataID, let errorID else { return }
        switch dialect {
        case .ideal:
            if let text { sendText(text) }
            finish(errorID, wasReset: errorWasReset)
            if text != nil {
                reset(dataID, wasReset: dataWasReset)
            } else if !hasSentFinal {
                finish(dataID, wasReset: dataWasReset)
            }
        case .containerd16:
            finish(dataID, wasReset: dataWasReset)
            if let text { sendText(text) }
            finish(errorID, wasReset: errorWasReset)
        case .streaming132:
            if let text {
                sendText(text)
                reset(errorID, wasReset: errorWasReset)
                reset(dataID, wasReset: dataWasReset)
            } else {
                finish(errorID, wasReset: errorWasReset)
                finish(dataID, wasReset: dataWasReset)
            }
        }
        over()
    }

    private func sendText(_ text: String) {
        if let errorID, !errorWasReset { tunnel.output.sendData(text, on: errorID, isFinal: false) }
    }

    private func finish(_ id: UInt32, wasReset: Bool) {
        if !wasReset { tunnel.output.sendData("", on: id, isFinal: true) }
    }

    private func reset(_ id: UInt32, wasReset: Bool) {
        if !wasReset { tunnel.output.sendReset(id, SPDYResetStatus.cancel) }
    }

    private func over() {
        isOver = true
        timer?.close()
        timer = nil
        if dataWasReset, dialect == .ideal { transport.closeWithReset() } else { transport.close() }
        tunnel.pairs.remove(self)
        if let dataID { tunnel.workerMayGoOn(forStream: dataID) }
    }
}

/// What the kubelet and the runtime say of a connection that failed.
enum FailureText {
    private static let networkNamespace = "/var/run/netns/cni-8e1e05bc-ef30-6ec2-56e9-cad3681e959e"

    private static func prefix(_ port: UInt16, _ pod: Pod) -> String {
        "error forwarding port \(port) to pod \(pod.containerID), uid : "
            + "failed to execute portforward in network namespace \"\(networkNamespace)\": "
    }

    static func dial(port: UInt16, pod: Pod, _ error: LoopError) -> String {
        prefix(port, pod)
            + "failed to connect to localhost:\(port) inside namespace \"\(pod.containerID)\", "
            + "IPv4: dial tcp4 127.0.0.1:\(port): connect: \(error.reason) "
            + "IPv6 dial tcp6: address localhost: no suitable address found "
    }

    /// - Parameter call: `read` or `write`.
    static func transfer(
        port: UInt16,
        pod: Pod,
        _ call: String,
        localPort: UInt16,
        _ error: LoopError
    ) -> String {
        prefix(port, pod)
            + "\(call) tcp4 127.0.0.1:\(localPort)->127.0.0.1:\(port): \(call): \(error.reason)"
    }
}

/// One client on a WebSocket of its own: WebSocket channels, for servers and proxies that let nothing else through.
///
/// Theory of operation. The pod is dialled when the WebSocket opens, so it is opened for each client, which is not read
/// before. Each read becomes one message: the channel's byte in the gap, the header in the headroom; where the server
/// speaks base64 only, it is made of the bytes in the same buffer, for which the gap is larger. The protocol has no half-close: a client that has ended its side keeps its WebSocket until the pod ends it, or the client
/// has closed altogether; closing it at once would cut the answer.
package final class ChannelConnection: Carrier, TurnWork {
    enum Event {
        /// The client is carried.
        case opened
        /// Why the connection fails.
        case failed(ConnectionFailure)
        /// Told once, at last.
        case ended(Ending)
    }

    enum Ending {
        case over
        /// The network, or the server without a word, ended a WebSocket that was open.
        case cut
        /// The WebSocket could not be opened: nothing of the client has gone anywhere, so that it may be tried again.
        case notOpened(LocalConnection, UpstreamError)
        /// The pod refused the dial, and all that was sent is kept.
        case refused(LocalConnection, ConnectionFailure)
    }

    /// Ciphertext that waits for the kernel, in bytes: there may be thousands of these connections.
    private static let toPodMarks = BacklogMarks(lowBytes: 64 * 1024, highBytes: 256 * 1024)
    /// How long the server may take to close behind the client's end, and the network for any of its last bytes.
    private static let endMax = TimeSpan.seconds(10)
    private let upgrade: TunnelUpgrade
    private let path: APIPath
    private let pod: String
    private let keys: RandomKeys
    private let budget: MemoryBudget
    private var reservation: MemoryBudget.Reservation?
    private let report: (Event) -> Void
    /// When it was made.
    let beganAt: Instant
    /// Whether it carries its client, or has.
    var hasOpened: Bool { answer.isAccepted }
    private var answer: UpgradeAnswer
    private var core = ChannelCore()
    private var local: LocalConnection?
    private var staging: BufferBox?
    private var isTurnScheduled = false
    private var isParked = false
    /// The payload of the server's last PING that is not answered yet.
    private var owedPong: WebSocketControlPayload?
    private var toPodGate = BacklogGate()
    /// Runs while the server is to take note of the client's end.
    private var endTimer: LoopTimer?
    /// How much had been acknowledged when that was last looked at.
    private var acknowledgedAtLook = 0
    private var isHeldUp = false

    /// - Parameters:
    ///   - path: with the port in its query.
    init(
        loop: EventLoop,
        endpoint: UpstreamEndpoint,
        path: APIPath,
        pod: String,
        keys: RandomKeys,
        budget: MemoryBudget,
        local: LocalConnection,
        openTimeout: TimeSpan,
        report: @escaping (Event) -> Void
    ) {
        let key = Digests.randomWebSocketKey()
        upgrade = TunnelUpgrade(
            way: .channels,
            key: key,
            expectedAccept: Digests.webSocketAccept(forKey: key)
        )
        answer = UpgradeAnswer(upgrade: upgrade)
        self.path = path
        self.pod = pod
        self.keys = keys
        self.budget = budget
        reservation = MemoryBudget.Reservation(TunnelLimits.channelBytes, of: budget)
        self.local = local
        self.report = report
        beganAt = loop.now
        super.init(loop: loop, endpoint: endpoint, openTimeout: openTimeout)
    }

    override var gapBytes: Int {
        ChannelCore.gapBytes(answer.channelForm, capacityBytes: BufferPool.largestCapacityBytes)
    }

    // MARK: From the pod

    package override func upstreamOpened() {
        do throws(UpstreamError) {
            try sendRequest(upgrade, path)
            answer.asked()
        } catch {
            over(.reported("\(error)"))
        }
    }

    package override func upstreamReceived(_ batch: inout ByteBuffer) {
        var cursor = 0
        do throws(UpstreamError) {
            if !answer.isAccepted {
                guard try answer.next(batch.bytes, from: &cursor, server: serverText, pod: pod) else {
                    return
                }
                core = ChannelCore(form: answer.channelForm)
                openTimeoutSatisfied()
                watchSilence()
                attachLocal()
                report(.opened)
            }
        } catch {
            if !isTriedAgain(error) { notOpened(error) }
            return
        }
        do throws(TunnelError) {
            while let event = try core.next(batch.bytes, from: &cursor) {
                switch event {
                case .payload(let range):
                    deliver(batch, range)
                case .encoded(let range, let endsMessage):
                    if let range = try core.decode(&batch, in: range, endsMessage: endsMessage) {
                        deliver(batch, range)
                    }
                case .ping(let payload):
                    // Only the latest has to be answered (RFC 6455 §5.5.3), so a flood costs nothing.
                    owedPong = payload
                    scheduleTurn()
                case .ended(let failure):
                    flushLocal(&batch)
                    sendControl(.close, WebSocketControlPayload(closeCode: 1000))
                    over(failure)
                    return
                }
            }
        } catch {
            flushLocal(&batch)
            over(.reported("\(UpstreamError.tunnel(server: serverText, error))"))
            return
        }
        flushLocal(&batch)
    }

    private func attachLocal() {
        guard let local else { return }
        local.attach(self, slot: 0)
        if let replay = local.replay, !replay.bytes.isEmpty, let box = readBox(for: local) {
            // What another pod did not take; much less than a buffer holds.
            box.buffer.commit(gapBytes)
            for byte in replay.bytes { box.buffer.append(byte) }
            sendMessage(of: replay.bytes.count)
        }
        local.repeatEnd()
    }

    /// Whether the upgrade is sent once more, with a fresh credential.
    private func isTriedAgain(_ error: UpstreamError) -> Bool {
        guard !answer.isAccepted, error.isUnauthorized, reopenAfterRefusal() else { return false }
        answer = UpgradeAnswer(upgrade: upgrade)
        return true
    }

    private func deliver(_ batch: borrowing ByteBuffer, _ range: Range<Int>) {
        guard let local, !local.isClosing, endTimer == nil else { return }
        _ = local.borrow(range, of: batch, at: loop.now)
        fromPodBytes += UInt64(range.count)
    }

    private func flushLocal(_ batch: inout ByteBuffer) {
        guard let local, local.isTouched else { return }
        if local.flushBatch(batchBytes: batch.capacityBytes) { local.takeBatch(&batch) }
    }

    package override var upstreamReadBytesMax: Int {
        budget.isScarce ? TunnelLimits.scarceReadBytes : .max
    }

    override func backlogChanged(_ local: LocalConnection, _ verdict: BacklogGate.Verdict?) {
        // While memory is scarce there is nothing new before all that waits is taken.
        let isHeldNow = local.isHolding || !local.output.isEmpty && budget.isScarce
        guard isHeldNow != isHeldUp else { return }
        isHeldUp = isHeldNow
        if isHeldNow { pauseUpstream() } else { resumeUpstream() }
    }

    // MARK: To the pod

    override func readBox(for local: LocalConnection) -> BufferBox? {
        guard !toPodGate.isPaused else {
            isParked = true
            return nil
        }
        let isScarce = budget.isScarce
        local.readBytesMax = isScarce ? TunnelLimits.scarceReadBytes : LocalConnection.readBytesMost
        if let staging { return staging }
        let box = BufferBox(loop.pool.take(BufferPool.largestCapacityBytes))
        box.buffer.clear(headroomBytes: WebSocketFrameWriter.headroomBytesMax)
        staging = box
        scheduleTurn()
        return box
    }

    override func sendToPod(_ local: LocalConnection, _ count: Int) {
        guard let staging else { return }
        staging.buffer.commit(gapBytes + count)
        local.pace.sent()
        local.replay?.keep(staging.buffer.bytes, gapBytes..<gapBytes + count)
        sendMessage(of: count)
    }

    private func sendMessage(of count: Int) {
        guard let staging else { return }
        toPodBytes += UInt64(count)
        ChannelCore.makeMessage(answer.channelForm, gapBytes: gapBytes, in: &staging.buffer)
        // Each read is a message of its own, and thousands may be read in a turn: the buffer goes home at once.
        seal()
        self.staging = nil
        scheduleTurn()
    }

    private var toPodMarks: BacklogMarks {
        budget.isScarce ? TunnelLimits.channelScarceMarks : Self.toPodMarks
    }

    private func seal() {
        guard let staging, !staging.buffer.isEmpty, let key = nextKey() else { return }
        let opcode: WebSocketOpcode = answer.channelForm == .binary ? .binary : .text
        WebSocketFrameWriter.prependHeader(to: &staging.buffer, opcode: opcode, key: key)
        sendUpstream(staging.buffer.bytes)
        staging.buffer.clear(headroomBytes: WebSocketFrameWriter.headroomBytesMax)
        // Nor does ciphertext gather then; what the kernel has not been offered must not pause anything.
        if budget.isScarce { flushUpstream() }
        _ = updateToPodGate()
    }

    private func updateToPodGate() -> BacklogGate.Verdict? {
        toPodGate.update(backlogBytes: upstreamBacklogBytes, marks: toPodMarks)
    }

    private func sendControl(_ opcode: WebSocketOpcode, _ payload: WebSocketControlPayload) {
        seal()
        guard let key = nextKey() else { return }
        var buffer = loop.pool.take(WebSocketFrameWriter.controlFrameBytesMax)
        WebSocketFrameWriter.appendControl(opcode, payload, key: key, to: &buffer)
        sendUpstream(buffer.bytes)
        _ = updateToPodGate()
        scheduleTurn()
    }

    private func nextKey() -> WebSocketMask? {
        (try? keys.next()).map { WebSocketMask($0) }
    }

    private func scheduleTurn() {
        guard !isTurnScheduled, !isUpstreamClosed else { return }
        isTurnScheduled = true
        loop.atEndOfTurn(self)
    }

    package func endTurn() {
        isTurnScheduled = false
        guard !isUpstreamClosed else { return }
        seal()
        staging = nil
        if let payload = owedPong, !toPodGate.isPaused {
            owedPong = nil
            sendControl(.pong, payload)
        }
        flushUpstream()
    }

    package override func upstreamProgressed() {
        guard updateToPodGate() == .resume else { return }
        if owedPong != nil { scheduleTurn() }
        guard isParked else { return }
        isParked = false
        local?.startReading()
    }

    override var endsWithClient: Bool { true }

    /// The client has closed altogether, or could not be asked for long: its last bytes are to arrive, and that is all.
    ///
    /// A close at once would destroy what the kernel has not sent yet as soon as the server says a word. So the server
    /// closes first, and what it still sends is dropped.
    override func finishToPod(_ local: LocalConnection) {
        guard self.local === local, !isUpstreamClosed, answer.isAccepted, endTimer == nil else {
            abandon(local)
            local.fail()
            return
        }
        sendControl(.close, WebSocketControlPayload(closeCode: 1000))
        resumeUpstream()
        let timer = LoopTimer(loop: loop) { self.lookAtEnd() }
        endTimer = timer
        acknowledgedAtLook = acknowledgedByteCount
        timer.schedule(at: loop.now + Self.endMax)
    }

    /// Waits on while the client's last bytes get on: over a slow link they take their time.
    private func lookAtEnd() {
        let acknowledged = acknowledgedByteCount
        guard acknowledged > acknowledgedAtLook, acknowledged < sentByteCount else { return over(nil) }
        acknowledgedAtLook = acknowledged
        endTimer?.schedule(at: loop.now + Self.endMax)
    }

    // MARK: Ending

    override func abandon(_ local: LocalConnection) {
        guard self.local === local else { return }
        self.local = nil
        if answer.isAccepted { sendControl(.close, WebSocketControlPayload(closeCode: 1000)) }
        release()
    }

    package override func upstreamEnded(_ error: UpstreamError) {
        let reason = answer.reason(ofEnd: error, pod: pod)
        if isTriedAgain(reason) { return }
        guard answer.isAccepted else { return notOpened(reason) }
        let failure = core.cut()
        // What the network does is worth more words than what the server does.
        if case .silent = error { return over(.reported("\(reason)"), .cut) }
        over(failure, .cut)
    }

    private func notOpened(_ error: UpstreamError) {
        guard let local, !error.isOfOneConnection else { return over(.reported("\(error)")) }
        self.local = nil
        release(.notOpened(local, error))
    }

    /// The connection is over; nil: completely.
    private func over(_ failure: ConnectionFailure?, _ ending: Ending = .over) {
        let local = self.local
        self.local = nil
        if endTimer != nil {
            // The client is not there any more: how its connection ends nobody sees.
            local?.fail()
        } else if let failure {
            if failure.isRefusedDial, let local, local.leave(undelivered: true) {
                return release(.refused(local, failure))
            }
            report(.failed(failure))
            local?.fail()
        } else {
            local?.finish(isComplete: true)
        }
        release(ending)
    }

    /// Closes; a client that is still there is reset.
    func close() {
        let local = self.local
        self.local = nil
        local?.abort()
        release()
    }

    private func release(_ ending: Ending = .over) {
        endTimer?.close()
        endTimer = nil
        if !isUpstreamClosed {
            seal()
            closeUpstream()
        }
        staging = nil
        reservation = nil
        report(.ended(ending))
    }
}

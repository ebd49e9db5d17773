/// One tunnel to a pod: the upgrade of an upstream connection, and the connections that ride on it.
///
/// Theory of operation. From the pod: a batch of plaintext goes through the core, which gives ranges; each touched
/// connection gets its slices borrowed and writes them in one gathered call when the batch is through. To the pod:
/// local sockets are read into the staging buffer, each read behind a gap for its frame header; at the end of the
/// turn (or when the buffer is full) all of it becomes one WebSocket message, masked in place, encrypted, and
/// written once.
///
/// Back-pressure. To the pod: while the kernel has not taken `toPodMarks`' worth of ciphertext, or the server's
/// worker owes acknowledgements, a local connection that becomes readable is parked, which costs nothing for those
/// that are not. From the pod: while a client's backlog is above its mark, for ``holdPatience`` where it has company,
/// or all of them together above `fromPodMarks`, the tunnel is not read. Who does not read for ``culpritPatience`` while
/// others on the tunnel wait is reset; nobody is while nobody waits.
package final class Tunnel: Carrier, TurnWork {
    /// How often parked clients are looked at.
    private static let parkedLook = TimeSpan.seconds(1)
    /// The least room that a local connection is read into, in bytes: less than a large read makes small frames.
    private static let readBytesMin = 64 * 1024

    private let path: APIPath
    private let pod: String
    /// Until the tunnel is torn down: a weak reference makes each later retain of its object a slow one.
    var owner: (any Owner)?
    private let keys: RandomKeys
    let limits: TunnelLimits
    let budget: MemoryBudget
    private var reservation: MemoryBudget.Reservation?

    var core: TunnelCore
    private let upgrade: TunnelUpgrade
    private var answer: UpgradeAnswer

    /// By slot.
    var locals: [LocalConnection?] = []
    private var touched: [LocalConnection] = []
    private var staging: BufferBox?
    private var isTurnScheduled = false
    private var timer: LoopTimer?
    private var pingsUnderway = PingsUnderway()

    /// The payload of the server's last WebSocket PING that is not answered yet.
    private var owedPong: WebSocketControlPayload?
    private var toPodGate = BacklogGate()
    private var parked: [LocalConnection] = []
    private var parkedTimer: LoopTimer?
    private var parkedByWorker = [[LocalConnection]](repeating: [], count: WorkerWindow.workerCount)
    var fromPodGate = BacklogGate()
    var clientBacklogBytes = 0
    var holdingCount = 0
    /// Whether it is not read, for the sake of clients that do not read.
    package var isHeldUp = false
    /// Whether it is read though clients are above their marks, as others share it.
    var isReadOn = false
    /// Whether it has not given a sign of life since another one was found dead.
    private var isDoubted = false
    private(set) var podActivity = PodActivity()
    var heldUpSince = Instant(nanoseconds: 0)
    /// When those who do not read have kept others waiting for long enough.
    var patienceEnd = Instant(nanoseconds: 0)
    var holdTimer: LoopTimer?
    var scarcityTimer: LoopTimer?

    init(
        loop: EventLoop,
        endpoint: UpstreamEndpoint,
        path: APIPath,
        pod: String,
        way: TunnelWay,
        keys: RandomKeys,
        limits: TunnelLimits,
        budget: MemoryBudget,
        owner: any Owner
    ) {
        self.limits = limits
        self.budget = budget
        reservation = MemoryBudget.Reservation(TunnelLimits.overheadBytes, of: budget)
        self.path = path
        self.pod = pod
        self.keys = keys
        self.owner = owner
        let key = Digests.randomWebSocketKey()
        upgrade = TunnelUpgrade(way: way, key: key, expectedAccept: Digests.webSocketAccept(forKey: key))
        answer = UpgradeAnswer(upgrade: upgrade)
        core = TunnelCore(way: way, now: loop.now)
        super.init(loop: loop, endpoint: endpoint)
    }

    /// How it was, or is to be, made.
    package var way: TunnelWay { upgrade.way }
    /// What is asked for each new connection.
    var candidate: TunnelChoice.Candidate {
        var candidate = TunnelChoice.Candidate(standing)
        guard candidate.standing == .open else { return candidate }
        candidate.isHeldUp = isHeldUp || holdingCount > 0 || isDoubted
        candidate.load = core.load
        candidate.isSuspect = core.isWhollySuspect
        if candidate.load > 0 {
            candidate.port = lastPort
            candidate.loadedSince = loadedSince
        }
        return candidate
    }

    private var standing: TunnelChoice.Candidate.Standing {
        guard answer.isAccepted, !isUpstreamClosed else { return isUpstreamClosed ? .retiring : .opening }
        return core.isGoingAway || isStalled ? .retiring : .open
    }
    /// Whether connections can be opened on it now.
    package var isOpen: Bool { answer.isAccepted && isUpstreamOpen && !core.isGoingAway }
    /// For how long it has been, or had been, open.
    package var openSpan: TimeSpan { openedAt.map { loop.now - $0 } ?? .zero }
    private var openedAt: Instant?
    /// Whether it has ever been open.
    package var hasBeenOpen: Bool { openedAt != nil }
    /// Whether it is still on its way to be opened.
    package var isOpening: Bool { !answer.isAccepted && !isUpstreamClosed }
    /// Whether it only ends what it carries: the server said so, its ids are used up, or the server is stuck.
    package var isRetiring: Bool { answer.isAccepted && (core.isGoingAway || isStalled) }
    /// Whether it takes no more connections and has ended all that it carried.
    ///
    /// A server that is stuck never ends what it carries: there nobody is waited for but clients.
    var isOver: Bool { isRetiring && (isStalled ? liveCount == 0 : core.load == 0) }
    /// Whether the server is stuck with bytes that a pod does not take.
    package var isStalled: Bool { core.isStalled(at: loop.now) }
    /// The port of the pod that connections on it go to.
    private var lastPort: UInt16 = 0
    /// When it got the first of the connections on it.
    private var loadedSince = Instant(nanoseconds: 0)
    /// Since when there are none, or it is open.
    private(set) var idleSince = Instant(nanoseconds: 0)
    /// Clients that it carries.
    package private(set) var liveCount = 0
    /// Connections on it, the discarding ones among them.
    package var load: Int { core.load }

    /// Keeps new connections away until it has given a sign of life, for which it is asked.
    func doubt() {
        guard isOpen else { return }
        isDoubted = true
        core.askNow(loop.now)
        scheduleTurn()
    }

    package override func upstreamDoubted() { doubt() }

    // MARK: Opening

    package override func upstreamOpened() {
        do throws(UpstreamError) {
            try sendRequest(upgrade, path)
            answer.asked()
        } catch {
            fail(error)
        }
    }

    package override func upstreamReceived(_ batch: inout ByteBuffer) {
        var cursor = 0
        if !answer.isAccepted {
            do throws(UpstreamError) {
                guard try answer.next(batch.bytes, from: &cursor, server: serverText, pod: pod) else {
                    return
                }
            } catch {
                if !isTriedAgain(error) { fail(error) }
                return
            }
            openTimeoutSatisfied()
            openedAt = loop.now
            idleSince = loop.now
            watchSilence()
            owner?.tunnelOpened(self)
        }
        receiveFrames(&batch, from: &cursor)
    }

    /// Whether the upgrade is sent once more, with a fresh credential.
    private func isTriedAgain(_ error: UpstreamError) -> Bool {
        guard !answer.isAccepted, error.isUnauthorized, reopenAfterRefusal() else { return false }
        answer = UpgradeAnswer(upgrade: upgrade)
        return true
    }

    // MARK: From the pod

    private func receiveFrames(_ batch: inout ByteBuffer, from cursor: inout Int) {
        let now = loop.now
        if isDoubted {
            isDoubted = false
            owner?.tunnelTakesAgain(self)
        }
        core.batchCame(at: now)
        do throws(TunnelError) {
            while true {
                receivePayloads(batch, from: &cursor)
                guard let event = try core.next(batch.bytes, from: &cursor, now: now) else { break }
                if case .payload(let slot, let range) = event {
                    if let local = locals[slot] { deliver(range, batch, to: local) }
                } else {
                    perform(event)
                }
            }
        } catch {
            flushTouched(&batch)
            fail(.tunnel(server: serverText, error))
            return
        }
        flushTouched(&batch)
        guard !isUpstreamClosed else { return }
        scheduleWork(now)
    }

    /// The way of a byte: everything else is rare.
    private func receivePayloads(_ batch: borrowing ByteBuffer, from cursor: inout Int) {
        var next = core.nextPayload(batch.bytes, from: &cursor)
        while let slot = next?.slot {
            // Mostly several frames in a row are of one connection, which is looked up once for all.
            let local = locals[slot]
            while let payload = next, payload.slot == slot {
                if let local { deliver(payload.range, batch, to: local) }
                next = core.nextPayload(batch.bytes, from: &cursor)
            }
        }
    }

    @inline(__always)
    private func deliver(_ range: Range<Int>, _ batch: borrowing ByteBuffer, to local: LocalConnection) {
        fromPodBytes += UInt64(range.count)
        if local.borrow(range, of: batch, at: loop.now) { touched.append(local) }
    }

    private func flushTouched(_ batch: inout ByteBuffer) {
        if !touched.isEmpty, core.isUpToDate(at: loop.now) { podActivity.received(at: loop.now) }
        var heir: LocalConnection?
        for local in touched where local.flushBatch(batchBytes: batch.capacityBytes) { heir = local }
        // Only one connection can have more than half of the batch; by now nobody else borrows from it.
        heir?.takeBatch(&batch)
        touched.removeAll(keepingCapacity: true)
    }

    private func perform(_ event: TunnelCore.Event) {
        switch event {
        case .payload:
            break
        case .finish(let slot, let isComplete):
            locals[slot]?.finish(isComplete: isComplete)
        case .fail(let slot, let failure):
            guard let local = locals[slot], !local.finishIfServed() else { return }
            if failure.isRefusedDial || failure == .unseen, let owner, local.leave(undelivered: true) {
                unpark(local)
                remove(slot)
                if failure == .unseen {
                    owner.connectionLeft(local)
                } else {
                    owner.connectionRefused(local, failure)
                }
                return
            }
            if let port = local.port {
                owner?.connectionFailed(local: port.local, remote: local.remotePort, failure)
            }
            local.fail()
        case .release(let slot):
            if let local = locals[slot] {
                local.pairReleased()
                remove(slot)
            }
            guard core.load == 0 else { return }
            idleSince = loop.now
            owner?.tunnelBecameIdle(self)
        case .workerReady(let worker):
            wake(&parkedByWorker[worker])
        case .webSocketPing(let payload):
            // Only the latest has to be answered (RFC 6455 §5.5.3), so a flood costs nothing.
            owedPong = payload
            scheduleTurn()
        case .goAway:
            owner?.tunnelTakesNoMore(self)
        case .closed(let code, let reason):
            sendControl(.close, WebSocketControlPayload(closeCode: 1000))
            fail(.closed(server: serverText, code: code, reason: reason))
        }
    }

    private func drainEvents() {
        while let event = core.nextEvent() { perform(event) }
    }

    /// A client's backlog has changed.
    override func backlogChanged(_ local: LocalConnection, _ verdict: BacklogGate.Verdict?) {
        switch verdict {
        case .pause: holdingCount += 1
        case .resume: holdingCount -= 1
        case nil: break
        }
        let bytes = local.output.allocatedBytes
        clientBacklogBytes += bytes - local.countedBacklogBytes
        local.countedBacklogBytes = bytes
        updateHold()
    }

    /// A client leaves the tunnel's account.
    override func uncount(_ local: LocalConnection) {
        if local.isHolding { holdingCount -= 1 }
        clientBacklogBytes -= local.countedBacklogBytes
        local.countedBacklogBytes = 0
        updateHold()
    }

    // MARK: To the pod

    override var gapBytes: Int { SPDYFrameWriter.dataHeaderBytes }

    /// Opens a connection: its SYNs leave at the end of this turn.
    func open(_ local: LocalConnection, port: UInt16) {
        lastPort = port
        if core.load == 0 { loadedSince = loop.now }
        let box = stagingBox(room: TunnelCore.openBytesMax)
        let slot = core.open(port: port, into: &box.buffer, now: loop.now)
        while locals.count <= slot { locals.append(nil) }
        locals[slot] = local
        liveCount += 1
        local.attach(self, slot: slot)
        if let replay = local.replay, !replay.bytes.isEmpty { send(replay, of: local) }
        local.repeatEnd()
    }

    /// Sends again what another pod did not take.
    private func send(_ replay: Replay, of local: LocalConnection) {
        let box = stagingBox(room: gapBytes + replay.bytes.count)
        let offset = box.buffer.readableBytes
        box.buffer.commit(gapBytes)
        for byte in replay.bytes { box.buffer.append(byte) }
        core.storeDataHeader(local.slot, payloadBytes: replay.bytes.count, in: &box.buffer, at: offset)
        local.pace.sent()
        toPodBytes += UInt64(replay.bytes.count)
        scheduleTurn()
    }

    private func unpark(_ local: LocalConnection) {
        parked.removeAll { $0 === local }
        for worker in parkedByWorker.indices { parkedByWorker[worker].removeAll { $0 === local } }
    }

    /// Where a client's next bytes go; nil: it is parked until the tunnel takes more.
    override func readBox(for local: LocalConnection) -> BufferBox? {
        guard !toPodGate.isPaused else {
            park(local, in: &parked)
            return nil
        }
        guard core.maySend(local.slot) else {
            park(local, in: &parkedByWorker[core.worker(of: local.slot)])
            return nil
        }
        return stagingBox(room: Self.readBytesMin)
    }

    private func park(_ local: LocalConnection, in list: inout [LocalConnection]) {
        guard !local.isParked else { return }
        local.isParked = true
        list.append(local)
        guard parkedTimer?.deadline == nil else { return }
        if parkedTimer == nil { parkedTimer = LoopTimer(loop: loop) { self.lookAtParked() } }
        parkedTimer?.schedule(at: loop.now + Self.parkedLook)
    }

    /// Closes parked clients that were reset meanwhile: a socket that is not read does not tell.
    private func lookAtParked() {
        guard !isUpstreamClosed else { return }
        parked.removeAll { $0.isClosing }
        for worker in parkedByWorker.indices { parkedByWorker[worker].removeAll { $0.isClosing } }
        let all = parked + parkedByWorker.joined()
        for local in all where local.isGone { local.close() }
        if !all.isEmpty { parkedTimer?.schedule(at: loop.now + Self.parkedLook) }
    }

    private func wake(_ list: inout [LocalConnection]) {
        guard !list.isEmpty else { return }
        var woken: [LocalConnection] = []
        swap(&woken, &list)
        for local in woken {
            local.isParked = false
            if !local.isClosing { local.startReading() }
        }
    }

    /// Takes the `count` bytes that a client's read has put behind the gap in the staging buffer.
    override func sendToPod(_ local: LocalConnection, _ count: Int) {
        guard let box = staging else { return }
        let offset = box.buffer.readableBytes
        box.buffer.commit(gapBytes + count)
        core.storeDataHeader(local.slot, payloadBytes: count, in: &box.buffer, at: offset)
        local.pace.sent()
        if let replay = local.replay {
            let start = offset + gapBytes
            replay.keep(box.buffer.bytes, start..<start + count)
        }
        toPodBytes += UInt64(count)
        scheduleTurn()
    }

    /// Passes a client's end on, behind its bytes.
    override func finishToPod(_ local: LocalConnection) {
        let box = stagingBox(room: SPDYFrameWriter.dataHeaderBytes)
        core.finish(local.slot, into: &box.buffer)
    }

    /// The client is gone: the server is told, and what still comes for it is dropped.
    override func abandon(_ local: LocalConnection) {
        uncount(local)
        guard locals.indices.contains(local.slot), locals[local.slot] === local else { return }
        remove(local.slot)
        // What follows from it is drained at the end of the turn: this may be in the middle of a batch.
        core.abandon(local.slot, now: loop.now)
        scheduleTurn()
    }

    private func remove(_ slot: Int) {
        locals[slot] = nil
        liveCount -= 1
    }

    /// The staging buffer with at least `room` bytes free; what is in it leaves at the end of the turn.
    private func stagingBox(room: Int) -> BufferBox {
        scheduleTurn()
        if let staging {
            if staging.buffer.tailroomBytes < room + SPDYFrameWriter.dataHeaderBytes { sealStaging() }
            return staging
        }
        let box = BufferBox(loop.pool.take(BufferPool.largestCapacityBytes))
        box.buffer.clear(headroomBytes: WebSocketFrameWriter.headroomBytesMax)
        staging = box
        return box
    }

    /// Makes what is staged one WebSocket message and encrypts it.
    private func sealStaging() {
        guard let staging, !staging.buffer.isEmpty else { return }
        switch way {
        case .webSocket:
            guard let key = nextKey() else { return }
            WebSocketFrameWriter.prependHeader(to: &staging.buffer, key: key)
        case .spdy, .channels:
            break
        }
        sendUpstream(staging.buffer.bytes)
        staging.buffer.clear(headroomBytes: WebSocketFrameWriter.headroomBytesMax)
        updateToPodGate()
    }

    /// - Returns: whether the backlog is short again.
    @discardableResult private func updateToPodGate() -> Bool {
        let verdict = toPodGate.update(backlogBytes: upstreamBacklogBytes, marks: toPodMarks)
        core.holdsPongs = toPodGate.isPaused
        return verdict == .resume
    }

    private var toPodMarks: BacklogMarks { budget.isScarce ? TunnelLimits.scarceMarks : limits.toPodMarks }

    private func sendControl(_ opcode: WebSocketOpcode, _ payload: WebSocketControlPayload) {
        guard way == .webSocket, let key = nextKey() else { return }
        var buffer = loop.pool.take(WebSocketFrameWriter.controlFrameBytesMax)
        WebSocketFrameWriter.appendControl(opcode, payload, key: key, to: &buffer)
        sendUpstream(buffer.bytes)
        updateToPodGate()
        scheduleTurn()
    }

    private func nextKey() -> WebSocketMask? {
        do throws(LoopError) {
            return WebSocketMask(try keys.next())
        } catch {
            fail(.network(server: serverText, error))
            return nil
        }
    }

    package override func upstreamProgressed() {
        guard updateToPodGate() else { return }
        wake(&parked)
        if owedPong != nil || core.hasControlFrames(now: loop.now) { scheduleTurn() }
    }

    // MARK: Turns and time

    private func scheduleTurn() {
        guard !isTurnScheduled, !isUpstreamClosed else { return }
        isTurnScheduled = true
        loop.atEndOfTurn(self)
    }

    package func endTurn() {
        isTurnScheduled = false
        guard answer.isAccepted, !isUpstreamClosed else { return }
        let now = loop.now
        let pingCount = core.pingCount
        if core.hasControlFrames(now: now) {
            let box = stagingBox(room: SPDYFrameWriter.pingBytes * WorkerWindow.workerCount)
            core.appendControlFrames(to: &box.buffer, now: now)
        }
        drainEvents()
        if let payload = owedPong, !toPodGate.isPaused {
            owedPong = nil
            sendControl(.pong, payload)
        }
        sealStaging()
        staging = nil
        flushUpstream()
        // A write that failed has ended it, with its timers.
        guard !isUpstreamClosed else { return }
        if core.pingCount > pingCount { pingsUnderway.sent(core.pingCount, end: sentByteCount, at: now) }
        // What did not fit goes with the next turn.
        isTurnScheduled = false
        scheduleWork(now)
    }

    /// Makes sure that the core gets its turn or its time.
    private func scheduleWork(_ now: Instant) {
        if core.hasControlFrames(now: now) { scheduleTurn() }
        if timer == nil {
            timer = LoopTimer(loop: loop) { self.timerFired() }
        }
        timer?.schedule(at: pingsUnderway.nextLook.map { min($0, core.deadline) } ?? core.deadline)
    }

    private func timerFired() {
        guard !isUpstreamClosed else { return }
        if let look = pingsUnderway.nextLook, look <= loop.now {
            let arrived = pingsUnderway.look(
                answered: core.arrivedPingCount,
                acknowledgedByteCount: { acknowledgedByteCount },
                at: loop.now
            )
            core.pingsArrived(arrived, at: loop.now)
        }
        if let pause = timer?.ownPause, pause > .zero {
            core.stoodStill(for: pause, isReading: !isHeldUp, at: loop.now)
        }
        core.expire(at: loop.now, isPodServing: owner?.isPodServing ?? false)
        drainEvents()
        scheduleTurn()
    }

    // MARK: Ending

    private func fail(_ error: UpstreamError) {
        guard !isUpstreamClosed else { return }
        closeUpstream()
        upstreamEnded(error)
    }

    package override func upstreamEnded(_ error: UpstreamError) {
        let reason = answer.reason(ofEnd: error, pod: pod)
        if !isTriedAgain(reason) { tearDown(reason) }
    }

    private func tearDown(_ error: UpstreamError) {
        timer?.close()
        timer = nil
        parkedTimer?.close()
        parkedTimer = nil
        holdTimer?.close()
        holdTimer = nil
        scarcityTimer?.close()
        scarcityTimer = nil
        reservation = nil
        staging = nil
        let lost = locals.compactMap { $0 }
        locals = []
        parked = []
        parkedByWorker = []
        for local in lost where !local.finishIfServed() {
            if let owner, local.leave(undelivered: false) {
                owner.connectionLeft(local)
                continue
            }
            if let port = local.port {
                owner?.connectionFailed(local: port.local, remote: local.remotePort, .tunnelLost)
            }
            local.fail()
        }
        defer { owner = nil }
        owner?.tunnelEnded(self, error)
    }

    /// Closes the tunnel; its connections are reset.
    package func close() {
        guard !isUpstreamClosed else { return }
        if answer.isAccepted {
            sealStaging()
            // The connections first: no GOAWAY while a stream lives, the server would read nothing more.
            sendControl(.close, WebSocketControlPayload(closeCode: 1000))
        }
        owner = nil
        for local in locals { local?.abort() }
        closeUpstream()
        tearDown(.ended(server: serverText, during: "end"))
    }
}

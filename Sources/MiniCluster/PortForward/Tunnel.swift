import FastForward

/// One upgraded connection: SPDY, in WebSocket messages or bare, each pair of streams tied to a port of the pod.
///
/// Theory of operation. *To the pod*: a batch of plaintext is parsed in place; the payload is unmasked in place, and
/// each data frame's range is appended, borrowed, to its connection's queue. At the end of the batch every queue is
/// written; what a pod does not take is copied, or, where that is more than half of the batch, the batch changes
/// owner. *From the pod*: every pod reads into the tunnel's one staging buffer, behind a gap for the frame's head, so
/// what came in a turn leaves as one WebSocket message. A frame of the server's own is appended there too, so the order
/// on the wire is the order of events.
///
/// *Pressure*. Pods are not read while more than ``backlogMarks`` says waits for the client. The tunnel is not read while
/// one of its workers' queues is full (``FrameWorker``); what was decrypted by then, at most two batches, is held.
final class Tunnel: UpgradedConnection {
    /// What a client asks for that wants SPDY in WebSocket messages.
    static let subprotocol = "SPDY/3.1+portforward.k8s.io"
    /// How much waits for the client before the client itself is read no more: its PINGs and opens ask for answers.
    private static let answersBytesMax = 8 * 1024 * 1024
    /// How often a client whose bytes are held is probed: who does not read does not see that the other side is gone.
    private static let probeSpan = TimeSpan.seconds(2)

    let connection: SecureConnection
    let pod: Pod
    var cluster: Cluster { connection.cluster }
    private let isWebSocket: Bool
    private(set) var isOver = false

    // From the client.
    private var webSocket = WebSocketFrameReader(role: .server)
    private var spdy = SPDYFrameReader(role: .server)
    private var cursors = Cursors()
    private var held: [BufferBox] = []
    private var probeTimer: LoopTimer?
    private var isParsing = false
    private var workers = [FrameWorker](repeating: FrameWorker(), count: FrameWorker.count)
    private var pings = 0
    private var frameUnderWay = FrameUnderWay.none
    private var touched: [ForwardedPair] = []
    /// The client's GOAWAY: spdystream reads nothing behind it.
    private var isDeaf = false

    let pairs = PairTable()
    let output: TunnelOutput
    /// Our own GOAWAY: new streams are refused.
    private var takesNoStreams = false
    private var withheldPings: [UInt32] = []

    /// Where parsing goes on in the batch.
    private struct Cursors {
        var webSocket = 0
        var spdy = 0
        var spdyEnd = 0
    }

    /// Where the rest of a data frame goes that has come in part.
    private enum FrameUnderWay {
        case none
        case dropped
        case taken(ForwardedPair)
        case queued(QueuedFrame)
    }

    init(connection: SecureConnection, pod: Pod, isWebSocket: Bool) {
        self.connection = connection
        self.pod = pod
        self.isWebSocket = isWebSocket
        output = TunnelOutput(connection: connection, isWebSocket: isWebSocket)
        pairs.tunnel = self
        connection.cluster.upgradedOpened(self)
        applyStall()
    }

    // MARK: SecureConnectionUser

    func receivedPlaintext(in box: BufferBox) {
        guard !isOver, !isDeaf else { return }
        guard held.isEmpty else { return hold(box) }
        if !parse(box) { hold(box) }
    }

    /// The client is gone without a WebSocket CLOSE.
    func receivedEnd() { connection.closeWhenSent() }

    func outputProgressed() {
        output.connectionProgressed()
        if mayRead { goOn() }
    }

    func connectionClosed() {
        isOver = true
        output.close()
        held = []
        probeTimer?.close()
        for index in workers.indices { workers[index].removeAll() }
        frameUnderWay = .none
        pairs.closeAll()
        cluster.upgradedClosed(self)
    }

    // MARK: Parsing

    private var mayRead: Bool {
        !isOver && !cluster.failures.stallsTunnels && !workers.contains { $0.isFull }
            && connection.backlogBytes < Self.answersBytesMax
    }

    /// Works through a batch.
    ///
    /// - Returns: whether to its end; else ``cursors`` say where to go on.
    private func parse(_ box: BufferBox) -> Bool {
        isParsing = true
        defer {
            isParsing = false
            for worker in workers.indices where !workers[worker].isIdle { goOn(worker: worker) }
        }
        do {
            let isDone = try parseFrames(box)
            settle(box, isDone: isDone)
            return isDone
        } catch {
            cluster.options.report("a tunnel to \(pod.name): \(error)")
            settle(box, isDone: false)
            connection.transport.close()
            return true
        }
    }

    private func parseFrames(_ box: BufferBox) throws -> Bool {
        if !isWebSocket { cursors.spdyEnd = box.buffer.readableBytes }
        while true {
            while let event = try spdy.next(in: box.buffer, upTo: cursors.spdyEnd, from: &cursors.spdy) {
                try handle(event, in: box)
                if isOver || isDeaf { break }
                guard mayRead else { return false }
            }
            guard isWebSocket, !isOver, !isDeaf,
                let event = try webSocket.next(in: box.buffer, from: &cursors.webSocket)
            else { break }
            switch event {
            case .payload(let range, let mask, _):
                mask?.apply(to: &box.buffer, in: range)
                cursors.spdy = range.lowerBound
                cursors.spdyEnd = range.upperBound
            case .ping(let payload): output.sendControl(.pong, payload)
            case .pong: break
            case .close(let code, _):
                output.sendControl(.close, WebSocketControlPayload(closeCode: code ?? 1000))
                connection.closeWhenSent()
                isDeaf = true
            }
        }
        cursors = Cursors()
        return true
    }

    /// Keeps a batch that must wait; reading stops.
    private func hold(_ box: BufferBox) {
        connection.transport.stopReading()
        let kept = BufferBox(cluster.loop.pool.take(BufferPool.largestCapacityBytes))
        swap(&kept.buffer, &box.buffer)
        held.append(kept)
        guard probeTimer == nil else { return }
        probeTimer = LoopTimer(loop: cluster.loop) { [unowned self] in probe() }
        probeTimer?.schedule(at: cluster.loop.now + Self.probeSpan)
    }

    /// Sends a message that needs no answer; a client that is gone resets the connection.
    private func probe() {
        guard !isOver, !held.isEmpty else { return }
        if isWebSocket {
            output.sendControl(.pong, WebSocketControlPayload())
        } else {
            output.sendPing(2)
        }
        probeTimer?.schedule(at: cluster.loop.now + Self.probeSpan)
    }

    /// Goes on where parsing had to stop.
    private func goOn() {
        guard !isParsing else { return }
        while let box = held.first {
            guard parse(box) else { return }
            if held.isEmpty { return }
            held.removeFirst()
        }
        probeTimer?.close()
        probeTimer = nil
        if !isOver, mayRead { connection.transport.startReading() }
    }

    /// Ends the borrowing from a batch, after having written what the pods take.
    private func settle(_ box: BufferBox, isDone: Bool) {
        var largest: ForwardedPair?
        for pair in touched {
            pair.transport.flush()
            guard pair.transport.output.isBorrowing else { continue }
            if isDone, pair.transport.output.borrowedBytes > box.buffer.capacityBytes / 2 {
                largest = pair
            } else {
                pair.transport.output.settleByCopying()
            }
        }
        largest?.transport.output.settle(byTaking: &box.buffer)
        for pair in touched {
            pair.isTouched = false
            pair.transport.flushRest()
            pair.outputSettled()
        }
        touched.removeAll(keepingCapacity: true)
    }

    // MARK: Frames

    private func handle(_ event: SPDYEvent, in box: BufferBox) throws {
        switch event {
        case .data(let id, let range, let endsFrame, let isFinal):
            receivedData(id, range, in: box, endsFrame: endsFrame, isFinal: isFinal)
        case .openedStream(let id, _, _, let headers, let isFinal):
            submit(.open(headers, isFinal: isFinal), id: id, worker: Self.worker(of: id))
        case .reset(let id, _): submit(.reset, id: id, worker: Self.worker(of: id))
        case .ping(let id):
            // The client's are odd; an even one would answer ours, and we send none.
            guard id & 1 == 1 else { return }
            submit(.ping, id: id, worker: pings % FrameWorker.count)
            pings += 1
        case .goAway:
            isDeaf = true
            if pairs.isEmpty { connection.closeWhenSent() }
        case .reply, .headers: break
        }
    }

    private static func worker(of id: UInt32) -> Int { Int(id) % FrameWorker.count }

    private func submit(_ kind: QueuedFrame.Kind, id: UInt32, worker: Int) {
        if workers[worker].isIdle {
            perform(kind, id: id)
        } else {
            workers[worker].append(
                QueuedFrame(kind: kind, id: id, isComplete: true, pool: cluster.loop.pool)
            )
        }
    }

    private func perform(_ kind: QueuedFrame.Kind, id: UInt32) {
        switch kind {
        case .open(let headers, let isFinal):
            guard !takesNoStreams else { return output.sendReset(id, SPDYResetStatus.refusedStream) }
            pairs.open(id, headers: headers, isFinal: isFinal)
        case .reset: pairs.reset(id)
        case .ping:
            if cluster.failures.withholdsPings {
                withheldPings.append(id)
            } else if !cluster.failures.dropsPings {
                output.sendPing(id)
            }
        case .data: preconditionFailure("data is handled where its payload is")
        }
    }

    /// Takes a part of a data frame: to its pod if that is ready, else into the worker's queue.
    private func receivedData(
        _ id: UInt32,
        _ range: Range<Int>,
        in box: BufferBox,
        endsFrame: Bool,
        isFinal: Bool
    ) {
        if case .none = frameUnderWay { beginData(id, hasPayload: !range.isEmpty) }
        switch frameUnderWay {
        case .none, .dropped: break
        case .taken(let pair): append(range, of: box, to: pair)
        case .queued(let frame):
            frame.payload.append(copying: range, of: box.buffer)
            guard endsFrame else { break }
            frame.isComplete = true
            frame.isFinal = isFinal
        }
        guard endsFrame else { return }
        if case .taken(let pair) = frameUnderWay, isFinal { pair.receivedFinal() }
        frameUnderWay = .none
    }

    private func beginData(_ id: UInt32, hasPayload: Bool) {
        let worker = Self.worker(of: id)
        if workers[worker].isIdle {
            switch pairs.disposition(ofDataFor: id) {
            case .drop: return frameUnderWay = .dropped
            case .take(let pair): return frameUnderWay = .taken(pair)
            case .wait(let pair): if !hasPayload { return frameUnderWay = .taken(pair) }
            }
        }
        let frame = QueuedFrame(kind: .data, id: id, isComplete: false, pool: cluster.loop.pool)
        workers[worker].append(frame)
        frameUnderWay = .queued(frame)
    }

    private func append(_ range: Range<Int>, of box: BufferBox, to pair: ForwardedPair) {
        guard !range.isEmpty, pair.wantsData else { return }
        pair.transport.output.appendBorrowed(box.buffer, range)
        cluster.statistics.bytesToPods += range.count
        guard !pair.isTouched else { return }
        pair.isTouched = true
        touched.append(pair)
    }

    // MARK: Workers

    /// A stream takes data again, or is gone.
    func workerMayGoOn(forStream id: UInt32) {
        // While a batch is parsed its borrowed bytes must stay behind; all workers go on behind it.
        guard !isParsing, !isOver else { return }
        goOn(worker: Self.worker(of: id))
        if mayRead { goOn() }
    }

    private func goOn(worker: Int) {
        while let frame = workers[worker].frames.first {
            if case .data = frame.kind {
                guard performData(frame) else { break }
            } else {
                workers[worker].removeFirst()
                perform(frame.kind, id: frame.id)
            }
        }
    }

    /// Hands a queued data frame to its pod.
    ///
    /// - Returns: false: the stream is not ready.
    private func performData(_ frame: QueuedFrame) -> Bool {
        let worker = Self.worker(of: frame.id)
        switch pairs.disposition(ofDataFor: frame.id) {
        case .wait(let pair):
            guard frame.payload.isEmpty, frame.isComplete else { return false }
            workers[worker].removeFirst()
            if frame.isFinal { pair.receivedFinal() }
        case .drop:
            workers[worker].removeFirst()
            if !frame.isComplete { frameUnderWay = .dropped }
        case .take(let pair):
            workers[worker].removeFirst()
            cluster.statistics.bytesToPods += frame.payload.byteCount
            frame.payload.moveAll(to: &pair.transport.output)
            if !frame.isComplete { frameUnderWay = .taken(pair) }
            pair.transport.flush()
            if frame.isFinal { pair.receivedFinal() } else { pair.outputSettled() }
        }
        return true
    }

    // MARK: What tests ask for

    /// Tells the client to open no more streams.
    func goAway() {
        takesNoStreams = true
        output.sendGoAway(lastGoodStreamID: pairs.lastOpenedID)
    }

    /// Breaks the connection in the middle of a frame.
    ///
    /// - Parameter byReset: else by an end of TCP without close_notify.
    func cut(byReset: Bool) {
        output.sendHalfFrame()
        byReset ? connection.transport.closeWithReset() : connection.transport.close()
    }

    var streamCount: Int { pairs.streamCount }

    func answerWithheldPings() {
        for id in withheldPings { output.sendPing(id) }
        withheldPings = []
    }

    /// Obeys the switch that stalls tunnels.
    func applyStall() {
        if cluster.failures.stallsTunnels {
            connection.transport.stopReading()
        } else if mayRead {
            goOn()
        }
    }

    /// A pair has ended; after a GOAWAY the last one ends the tunnel.
    func pairEnded() {
        if isDeaf, pairs.isEmpty { connection.closeWhenSent() }
    }
}

/// One tunnel without its transport: frames in, events out; connections in, frames out.
///
/// Theory of operation. The driver gives each batch of plaintext to ``next(_:from:now:)`` until it returns nil, and
/// performs the events. The WebSocket reader cuts the batch into payload ranges, the SPDY reader cuts those into
/// parts of frames; both index the driver's buffer, nothing is copied. A stream id leads to a *slot*, the index under
/// which the driver keeps the connection.
///
/// Towards the server the driver appends SPDY frames to one staging buffer, which becomes one WebSocket message:
/// data frames as the local sides are read, and at the end of the turn, with ``appendControlFrames(to:now:)``, what
/// the core has to say by itself: resets, ends, PINGs and PONGs. Nothing waits for a reply: the server's worker
/// handles SYN and data of a stream in order.
///
/// Bounds: live connections are bounded by the driver's descriptors; frames of discarded streams cost nothing; what
/// the core has to say is bounded by what the driver asked for and by ``pongsOwedMax``.
package struct TunnelCore: ~Copyable {
    /// PINGs of the server that may wait for their answer; a server that sends more without reading is broken.
    package static let pongsOwedMax = 1024
    /// Stream ids are 31 bits; a tunnel that comes near takes no more connections.
    private static let streamIDMax: UInt32 = 0x7FFF_FF00

    private struct Slot {
        var pair = StreamPair()
        var dataID: UInt32 = 0
        var errorID: UInt32 = 0
        var openedAt = Instant(nanoseconds: 0)
        var hasSentFinish = false
        /// Whether the server has begun it.
        var isReplied = false
        /// Its worker's frames up to the last of its own with payload.
        var lastDataFrame = 0
        /// Whether it was told not to send, and has sent nothing since.
        var isHeld = false
    }

    private let way: TunnelWay
    private var webSocket = WebSocketFrameReader(role: .client)
    private var spdy = SPDYFrameReader(role: .client)
    private var compressor = HeaderCompressor()

    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    /// A stream's slot, twice, plus 1 for the error stream.
    private var streams = StreamTable()
    private var nextStreamID: UInt32 = 1
    private var nextRequestID = 0
    private var window = WorkerWindow()
    private var wasFull = [Bool](repeating: false, count: WorkerWindow.workerCount)

    /// Where the SPDY reader is in the current WebSocket payload, as offsets in the batch.
    private var payloadCursor = 0
    private var payloadEnd = 0
    private var events = FirstInFirstOut<Event>()

    /// A frame that ends a data stream.
    private struct OwedEnd {
        let streamID: UInt32
        let isReset: Bool
    }

    private var owedPongs: [UInt32] = []
    /// Whether the server's PINGs are not answered now, as it does not take what was sent before.
    package var holdsPongs = false
    /// For each of the server's workers; a full one gets none, as each takes a place in its queue.
    private var owedEnds = [FirstInFirstOut<OwedEnd>](
        repeating: FirstInFirstOut(),
        count: WorkerWindow.workerCount
    )
    private var owedEndCount = 0
    private var graces = SlotDeadlines()
    private var discards = SlotDeadlines()
    private var nextKeepAlive: Instant
    /// When to look for connections that a blocked worker keeps from beginning; nil: no PONG is owed.
    private var stallCheck: Instant?
    /// Whether connections were given up that the server did not begin, and it has answered nothing since.
    private var hasFailedStalled = false
    /// Whether a GOAWAY came, or the ids are used up: no new connections.
    package private(set) var isGoingAway = false
    private var hasToldGoAway = false
    /// Connections that have a slot, the discarding ones among them.
    package private(set) var load = 0

    /// - Parameter way: whether the SPDY frames come inside WebSocket messages.
    package init(way: TunnelWay = .webSocket, now: Instant) {
        self.way = way
        nextKeepAlive = now + Self.keepAlive
    }

    // MARK: From the server

    /// Tells that a batch has come, which is not empty: once for each, before it is read.
    package mutating func batchCame(at now: Instant) { window.received(at: now) }

    /// Bytes for a client; the range indexes the batch.
    package struct Payload {
        package let slot: Int
        package let range: Range<Int>
    }

    /// The next bytes for a client, where nothing else comes before them: the way of a byte.
    ///
    /// What ``next(_:from:now:)`` tells in general, in a tenth of its instructions: it hands no large values about.
    ///
    /// - Returns: nil where something else comes, or nothing: ``next(_:from:now:)`` says what.
    package mutating func nextPayload(_ bytes: RawSpan, from cursor: inout Int) -> Payload? {
        guard events.isEmpty else { return nil }
        while true {
            if payloadCursor == payloadEnd {
                guard way == .webSocket, let range = webSocket.nextPlainPayload(bytes, from: &cursor) else {
                    return nil
                }
                payloadCursor = range.lowerBound
                payloadEnd = range.upperBound
            }
            guard let part = spdy.payloadAhead(bytes, from: &payloadCursor, to: payloadEnd) else {
                if payloadCursor == payloadEnd { continue }
                return nil
            }
            guard let value = streams.value(for: part.streamID), value & 1 == 0,
                slots[Int(value >> 1)].pair.isDelivering
            else { return nil }
            let start = payloadCursor
            spdy.stepOverPayload(part.count, from: &payloadCursor)
            return Payload(slot: Int(value >> 1), range: start..<payloadCursor)
        }
    }

    /// The next event, or nil when all of `bytes` was consumed.
    ///
    /// - Parameters:
    ///   - bytes: the batch; the same until nil is returned.
    ///   - cursor: 0 at the start of a batch.
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int,
        now: Instant
    ) throws(TunnelError) -> Event? {
        while true {
            if let event = nextEvent() { return event }
            if payloadCursor < payloadEnd {
                let payload = bytes.prefix(upTo: payloadEnd)
                if let frame = try readFrame(payload) {
                    // Almost every frame is a part of a data frame: the way of a byte.
                    if case .data(let streamID, let range, _, let isFinal) = frame {
                        if let event = receiveData(streamID, range, isFinal, bytes, now: now) { return event }
                    } else {
                        try receive(frame, now: now)
                    }
                }
                continue
            }
            if way != .webSocket {
                guard cursor < bytes.byteCount else { return nil }
                payloadCursor = cursor
                payloadEnd = bytes.byteCount
                cursor = bytes.byteCount
                continue
            }
            let event: WebSocketEvent?
            do { event = try webSocket.next(bytes, from: &cursor) } catch { throw .webSocket(error) }
            guard let event else { return nil }
            switch event {
            case .payload(let range, _, _):
                payloadCursor = range.lowerBound
                payloadEnd = range.upperBound
            case .ping(let payload): return .webSocketPing(payload)
            case .pong: break
            case .close(let code, let reason): return .closed(code: code, reason: reason)
            }
        }
    }

    /// What a call that is no ``next(_:from:now:)`` has caused; drain it after ``expire(at:)`` and ``abandon(_:now:)``.
    package mutating func nextEvent() -> Event? {
        guard let event = events.pop() else { return nil }
        if case .release(let slot) = event {
            freeSlots.append(slot)
            load -= 1
        }
        return event
    }

    private mutating func readFrame(_ payload: RawSpan) throws(TunnelError) -> SPDYEvent? {
        do { return try spdy.next(payload, from: &payloadCursor) } catch { throw .spdy(error) }
    }

    private mutating func receiveData(
        _ streamID: UInt32,
        _ range: Range<Int>,
        _ isFinal: Bool,
        _ bytes: RawSpan,
        now: Instant
    ) -> Event? {
        // Data for a stream that is gone is dropped: the server cannot know yet.
        guard let value = streams.value(for: streamID) else { return nil }
        let slot = Int(value >> 1)
        if value & 1 == 0 {
            let isWanted = slots[slot].pair.isDelivering && !range.isEmpty
            if isFinal { perform(slots[slot].pair.dataFinished(), on: slot, now: now) }
            return isWanted ? .payload(slot: slot, range) : nil
        }
        if !range.isEmpty {
            let text = bytes.extracting(range)
            perform(slots[slot].pair.errorTextReceived(text), on: slot, now: now)
        }
        if isFinal { perform(slots[slot].pair.errorFinished(), on: slot, now: now) }
        return nil
    }

    private mutating func receive(_ frame: SPDYEvent, now: Instant) throws(TunnelError) {
        switch frame {
        case .data:
            break
        case .openedStream(let streamID, _, _, _, _):
            throw .unexpectedStream(streamID)
        case .reply(let streamID, let isFinal), .headers(let streamID, let isFinal):
            guard let value = streams.value(for: streamID) else { return }
            let slot = Int(value >> 1)
            let isError = value & 1 == 1
            if !isError { slots[slot].isReplied = true }
            guard isFinal else { return }
            perform(
                isError ? slots[slot].pair.errorFinished() : slots[slot].pair.dataFinished(),
                on: slot,
                now: now
            )
        case .reset(let streamID, let status):
            guard let value = streams.value(for: streamID) else { return }
            let slot = Int(value >> 1)
            perform(
                value & 1 == 1
                    ? slots[slot].pair.errorReset(status: status)
                    : slots[slot].pair.dataReset(status: status),
                on: slot,
                now: now
            )
        case .ping(let id):
            guard id % 2 == 0 else {
                receivePong(id, now: now)
                return
            }
            guard owedPongs.count < Self.pongsOwedMax else { throw .pingFlood }
            owedPongs.append(id)
        case .goAway(let lastGood, _):
            guard !hasToldGoAway else { return }
            hasToldGoAway = true
            isGoingAway = true
            events.push(.goAway)
            // What crossed with it is dropped without a word (spdystream `connection.go`, checkStreamFrame).
            for slot in slots.indices where slots[slot].dataID > lastGood && !slots[slot].isReplied {
                perform(slots[slot].pair.giveUp(.unseen), on: slot, now: now)
            }
        }
    }

    private mutating func receivePong(_ id: UInt32, now: Instant) {
        guard window.receivePong(id, at: now) else { return }
        hasFailedStalled = false
        noteReadiness()
    }

    /// Wakes those that wait for a worker which may be sent to again.
    private mutating func noteReadiness() {
        for worker in wasFull.indices where wasFull[worker] && !window.isFull(worker) {
            wasFull[worker] = false
            events.push(.workerReady(worker))
        }
    }

    private mutating func perform(_ actions: [StreamPair.Action], on slot: Int, now: Instant) {
        for action in actions {
            switch action {
            case .awaitErrorEnd:
                graces.push(
                    SlotDeadlines.Item(
                        instant: now + StreamPair.endGrace,
                        slot: slot,
                        dataID: slots[slot].dataID
                    )
                )
            case .finish(let isComplete):
                if isComplete, !slots[slot].hasSentFinish { suspectWorker(of: slot, asksNow: false) }
                events.push(.finish(slot: slot, isComplete: isComplete))
            case .fail(let failure):
                suspectWorker(of: slot, asksNow: true)
                events.push(.fail(slot: slot, failure))
            case .cancelData:
                owe(OwedEnd(streamID: slots[slot].dataID, isReset: true))
                discards.push(
                    SlotDeadlines.Item(
                        instant: now + Self.discardGrace,
                        slot: slot,
                        dataID: slots[slot].dataID
                    )
                )
            case .finishData:
                if !slots[slot].hasSentFinish { owe(OwedEnd(streamID: slots[slot].dataID, isReset: false)) }
            case .release:
                release(slot)
            }
        }
    }

    /// Keeps new connections away from the server's worker if it may still hold bytes of one that is over.
    private mutating func suspectWorker(of slot: Int, asksNow: Bool) {
        let worker = self.worker(of: slot)
        guard !window.hasTaken(worker, frames: slots[slot].lastDataFrame) else { return }
        window.suspect(worker, asksNow: asksNow)
    }

    private mutating func owe(_ end: OwedEnd) {
        owedEnds[WorkerWindow.worker(of: end.streamID)].push(end)
        owedEndCount += 1
    }

    private mutating func release(_ slot: Int) {
        streams.remove(slots[slot].dataID)
        streams.remove(slots[slot].errorID)
        slots[slot].dataID = 0
        events.push(.release(slot: slot))
    }

    // MARK: To the server

    /// How much room ``open(port:into:)`` needs, in bytes.
    package static let openBytesMax = 512

    /// Opens a connection to a port of the pod: two SYN_STREAMs, unanswered yet, behind which data may stand.
    ///
    /// - Parameter staging: has ``openBytesMax`` of room.
    /// - Returns: its slot.
    package mutating func open(port: UInt16, into staging: inout ByteBuffer, now: Instant) -> Int {
        precondition(!isGoingAway, "no new connections after GOAWAY")
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = slots.count
            slots.append(Slot())
        }
        load += 1
        let errorID = takeStreamID(now: now)
        let dataID = takeStreamID(now: now)
        slots[slot] = Slot(dataID: dataID, errorID: errorID, openedAt: now)
        streams.insert(dataID, UInt32(slot) << 1)
        streams.insert(errorID, UInt32(slot) << 1 | 1)
        var headers = StreamOpening(kind: .error, port: port, requestID: nextRequestID)
        nextRequestID += 1
        compressor.appendSynStream(streamID: errorID, headers: headers, isFinal: true, to: &staging)
        headers.kind = .data
        compressor.appendSynStream(streamID: dataID, headers: headers, isFinal: false, to: &staging)
        window.sent(on: errorID)
        window.sent(on: dataID)
        isGoingAway = isGoingAway || nextStreamID >= Self.streamIDMax
        return slot
    }

    /// How many unproved frames more than the least a worker may have before new streams go to others.
    private static let owedFramesSpread = 3

    /// The next id, which must rise, of the best worker that there is.
    private mutating func takeStreamID(now: Instant) -> UInt32 {
        var trusted: UInt32?
        var clean: UInt32?
        var usable: UInt32?
        // A pod that does not read shows first in what its worker owes.
        let owedMost = window.leastOwedFrames + Self.owedFramesSpread
        for step in 0..<UInt32(WorkerWindow.workerCount) where trusted == nil {
            let id = nextStreamID + 2 * step
            let worker = WorkerWindow.worker(of: id)
            guard !window.isFull(worker), !window.isBlocked(worker, at: now) else { continue }
            usable = usable ?? id
            guard !window.isSuspect(worker) else { continue }
            clean = clean ?? id
            if window.owedFrames(worker) <= owedMost { trusted = id }
        }
        let id = trusted ?? clean ?? usable ?? nextStreamID
        nextStreamID = id + 2
        return id
    }

    /// Whether a connection may send data now; if not, ``Event/workerReady(_:)`` of ``worker(of:)`` will tell.
    package mutating func maySend(_ slot: Int) -> Bool {
        let worker = self.worker(of: slot)
        guard window.isFull(worker) else { return true }
        slots[slot].isHeld = true
        wasFull[worker] = true
        return false
    }

    /// The server's worker that a connection's data goes to.
    package func worker(of slot: Int) -> Int { WorkerWindow.worker(of: slots[slot].dataID) }

    /// Whether a worker of the server is stuck with bytes that no pod takes, so that new connections belong elsewhere.
    package func isStalled(at now: Instant) -> Bool {
        window.isSilent || hasFailedStalled
            || (0..<WorkerWindow.workerCount).contains { window.isBlocked($0, at: now) }
    }

    /// Whether connections that failed may have left something in the way of every worker.
    package var isWhollySuspect: Bool { window.isWhollySuspect }

    /// Tells whether the driver reads the tunnel.
    package mutating func readingChanged(to isReading: Bool, at now: Instant) {
        window.readingChanged(to: isReading, at: now)
    }

    /// Writes the header of a data frame over 8 bytes of `staging`, which the payload follows.
    package mutating func storeDataHeader(
        _ slot: Int,
        payloadBytes: Int,
        in staging: inout ByteBuffer,
        at offset: Int
    ) {
        precondition(!slots[slot].hasSentFinish, "data behind the end")
        let id = slots[slot].dataID
        SPDYFrameWriter.storeDataHeader(
            in: &staging,
            at: offset,
            streamID: id,
            payloadBytes: payloadBytes,
            isFinal: false
        )
        window.sent(on: id)
        slots[slot].isHeld = false
        slots[slot].lastDataFrame = window.sentFrames(WorkerWindow.worker(of: id))
    }

    /// Passes the client's end on, behind the data that stands in `staging`.
    ///
    /// Where the server's worker takes nothing now, the end follows with ``appendControlFrames(to:now:)``.
    ///
    /// - Parameter staging: has 8 bytes of room.
    package mutating func finish(_ slot: Int, into staging: inout ByteBuffer) {
        guard !slots[slot].hasSentFinish else { return }
        slots[slot].hasSentFinish = true
        let id = slots[slot].dataID
        guard !window.isFull(WorkerWindow.worker(of: id)) else {
            owe(OwedEnd(streamID: id, isReset: false))
            return
        }
        SPDYFrameWriter.appendDataHeader(streamID: id, payloadBytes: 0, isFinal: true, to: &staging)
        window.sent(on: id)
    }

    /// The client is gone; drain ``nextEvent()`` afterwards.
    package mutating func abandon(_ slot: Int, now: Instant) {
        perform(slots[slot].pair.localGone(), on: slot, now: now)
    }

    /// How many PINGs have been sent, and how many of them have come to the server as far as is known.
    package var pingCount: Int { window.pingCount }
    package var arrivedPingCount: Int { window.arrivedPingCount }

    /// Tells that the first `count` PINGs have come to the server: from when on it can be asked why it is silent.
    package mutating func pingsArrived(_ count: Int, at now: Instant) { window.pingsArrived(count, at: now) }

    /// Asks the server at once whether it lives, with the next ``appendControlFrames(to:now:)``.
    package mutating func askNow(_ now: Instant) { nextKeepAlive = now }

    /// Whether there is something for ``appendControlFrames(to:now:)``.
    package func hasControlFrames(now: Instant) -> Bool {
        (!owedPongs.isEmpty && !holdsPongs) || window.isRoundDue || now >= nextKeepAlive
            || owedEndCount > 0 && owedEnds.indices.contains { !owedEnds[$0].isEmpty && !window.isFull($0) }
    }

    /// Appends as many of the core's own frames as there is room for: once at the end of each turn, behind the data.
    ///
    /// Drain ``nextEvent()`` afterwards: where this gives up waiting for a worker, others may send again.
    package mutating func appendControlFrames(to staging: inout ByteBuffer, now: Instant) {
        appendRound(to: &staging, now: now)
        while !holdsPongs, let id = owedPongs.last, staging.tailroomBytes >= SPDYFrameWriter.pingBytes {
            owedPongs.removeLast()
            SPDYFrameWriter.appendPing(id: id, to: &staging)
            window.sendEcho()
        }
        for worker in owedEnds.indices {
            while !window.isFull(worker), staging.tailroomBytes >= SPDYFrameWriter.resetBytes,
                let end = owedEnds[worker].pop()
            {
                owedEndCount -= 1
                append(end, to: &staging)
            }
        }
    }

    private mutating func append(_ end: OwedEnd, to staging: inout ByteBuffer) {
        let id = end.streamID
        if end.isReset {
            SPDYFrameWriter.appendReset(streamID: id, status: SPDYResetStatus.cancel, to: &staging)
        } else {
            SPDYFrameWriter.appendDataHeader(streamID: id, payloadBytes: 0, isFinal: true, to: &staging)
        }
        window.sent(on: id)
    }

    /// Takes note that this process has stood still for `span`: nobody was silent meanwhile, and nobody waited.
    package mutating func stoodStill(for span: TimeSpan, isReading: Bool, at now: Instant) {
        readingChanged(to: isReading, at: now)
        for slot in slots.indices { slots[slot].openedAt = min(now, slots[slot].openedAt + span) }
    }

    /// Whether what comes now has been sent now, and has not waited for us to read it.
    package func isUpToDate(at now: Instant) -> Bool { window.isRead(for: .seconds(1), at: now) }

    /// Asks every worker, where one owes enough or the tunnel has been silent.
    private mutating func appendRound(to staging: inout ByteBuffer, now: Instant) {
        let roundBytes = WorkerWindow.workerCount * SPDYFrameWriter.pingBytes
        let isKeepAliveDue = now >= nextKeepAlive
        guard window.isRoundDue || isKeepAliveDue, staging.tailroomBytes >= roundBytes else { return }
        nextKeepAlive = now + Self.keepAlive
        guard !window.isSilent else { return }
        // An idle tunnel that still owes PONGs has been asked already.
        if isKeepAliveDue, !window.isRoundDue, window.isAwaitingPongs {
            window.stopWaitingForFirstAnswer()
            noteReadiness()
            guard window.hasUnaskedFrames else { return }
        }
        if stallCheck == nil { stallCheck = now + Self.answerMax }
        for _ in 0..<WorkerWindow.workerCount {
            SPDYFrameWriter.appendPing(id: window.sendPing(), to: &staging)
        }
    }

    // MARK: Time

    /// When ``expire(at:)`` or ``appendControlFrames(to:now:)`` has something to do at the latest.
    package var deadline: Instant {
        var earliest = nextKeepAlive
        if let grace = graces.first { earliest = min(earliest, grace) }
        if let discard = discards.first { earliest = min(earliest, discard) }
        if let stallCheck { earliest = min(earliest, stallCheck) }
        return earliest
    }

    /// Ends the waits that are over; drain ``nextEvent()`` afterwards.
    ///
    /// - Parameter isPodServing: ``PodActivity/isServing(at:)`` of any tunnel to the pod.
    package mutating func expire(at now: Instant, isPodServing: Bool) {
        while let due = graces.pop(at: now) {
            guard isCurrent(due) else { continue }
            perform(slots[due.slot].pair.graceExpired(), on: due.slot, now: now)
        }
        while let due = discards.pop(at: now) {
            guard isCurrent(due) else { continue }
            release(due.slot)
        }
        if let due = stallCheck, due <= now {
            failStalled(now, podServes: isPodServing)
            stallCheck = window.isAwaitingPongs ? now + Self.stallLook : nil
        }
    }

    /// Fails the connections that a blocked worker keeps from beginning and, where it is blocked by what a connection
    /// that is over has left, so for ever, also those whose bytes it does not take.
    ///
    /// One that is blocked by a live pod may go on: there ``blockedMax`` is waited, and longer by who is alone there.
    private mutating func failStalled(_ now: Instant, podServes serves: Bool) {
        let isSilent = (0..<WorkerWindow.workerCount).map {
            window.isSilent($0, for: Self.answerMax, at: now)
        }
        guard isSilent.contains(true) else { return }
        var waitingCounts = [Int](repeating: 0, count: WorkerWindow.workerCount)
        for slot in slots.indices where isKeptWaiting(slot) { waitingCounts[worker(of: slot)] += 1 }
        for slot in slots.indices where slots[slot].dataID != 0 {
            let worker = self.worker(of: slot)
            let isForEver = isSilent[worker] && window.isSuspect(worker)
            let isSilentLong = isForEver || window.isSilent(worker, for: Self.blockedMax, at: now)
            // One that has just come to a worker that was silent before has not waited yet.
            let patience = isForEver ? Self.answerMax : Self.blockedMax
            // Where nobody can be asked any more, those count as silent too that begin nothing.
            guard isSilentLong || window.isSilent, slots[slot].openedAt + patience <= now else { continue }
            let isInCompany = serves && isSilentLong && waitingCounts[worker] > 1
            if !slots[slot].isReplied {
                hasFailedStalled = true
                let isAlone = isForEver || window.hasHeard(beside: worker, since: slots[slot].openedAt)
                perform(slots[slot].pair.giveUp(isAlone ? .stalled : .unanswered), on: slot, now: now)
            } else if isForEver && window.isOvertaken(worker) || isInCompany, isKeptWaiting(slot) {
                perform(slots[slot].pair.giveUp(.stalled), on: slot, now: now)
            }
        }
    }

    /// Whether its worker has not taken all of its bytes, or takes no more.
    private func isKeptWaiting(_ slot: Int) -> Bool {
        guard slots[slot].dataID != 0 else { return false }
        let worker = self.worker(of: slot)
        return !window.hasTaken(worker, frames: slots[slot].lastDataFrame)
            || slots[slot].isHeld && window.isFull(worker)
    }

    private func isCurrent(_ due: SlotDeadlines.Item) -> Bool { slots[due.slot].dataID == due.dataID }
}

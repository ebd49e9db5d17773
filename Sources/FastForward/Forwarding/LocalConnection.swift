/// One client of a local port.
///
/// Theory of operation. The client's bytes are read straight into its tunnel's staging buffer, so while it is idle
/// it holds no memory but its handle. The pod's bytes come as borrowed slices of the tunnel's batch; what the kernel
/// does not take is copied into the connection's own queue at the end of the batch.
///
/// Three ends. *Clean*: the pod's side is over, behind the last byte the client's reading ends (shutdown), and what
/// the client still sends is drained, since a close with unread bytes would reset the connection and destroy the
/// answer. *Failed*: what the client can still read is delivered first, then it is reset. *Gone*: the client itself
/// went away; the tunnel is told.
final class LocalConnection: Transport {
    /// What a slow client may keep in memory before its tunnel waits for it: enough to bridge a scheduling gap of a
    /// fast client, small enough for a thousand slow ones.
    static let marks = BacklogMarks(lowBytes: 64 * 1024, highBytes: 256 * 1024)
    /// How much one read brings at most, in bytes: with its headers it fills a batch, as ciphertext too.
    static let readBytesMost = 512 * 1024
    /// How long a client that has got its clean end may go on sending into the void.
    static let lingerMax = TimeSpan.seconds(30)

    private enum FromPod { case open, ending, ended, failing }

    /// The forward that accepted it; nil once it is over.
    private(set) var port: ForwardedListener?
    /// The port of the pod that it goes to.
    var remotePort: UInt16 = 0
    /// The pod's number in its ``PodSet``; negative: it has none.
    var podNumber = -1
    /// The tunnel that carries it; nil while it waits for one and after the pod's side is over.
    private(set) var tunnel: Carrier?
    private(set) var slot = -1
    private var fromPod = FromPod.open
    /// Whether the client has ended its direction.
    private var hasClientEnded = false
    /// Whether this connection holds its tunnel up.
    private var gate = BacklogGate()
    /// Whether the tunnel has slices of the current batch for it.
    var isTouched = false
    /// Whether it is in one of the tunnel's lists of those who may not read now.
    var isParked = false
    /// Whether the client's end is not passed on yet.
    private(set) var isEndHeld = false
    /// Who has spoken last.
    var pace = ConnectionPace()
    /// Since when it has waited for a tunnel.
    var wait = TunnelWait()
    /// What it has sent, where another pod may get it; nil: none may.
    var replay: Replay?
    /// How many pods have refused it.
    var refusalCount = 0
    /// Whether the pod may still send something.
    var isFromPodOpen: Bool { fromPod == .open }
    /// The allocated bytes that its tunnel, or the departures, count for it.
    var countedBacklogBytes = 0
    /// Its place among the departing ones; negative: it is not there.
    var departureIndex = -1
    private(set) var departureDeadline = Instant(nanoseconds: 0)

    // Overridden, as the compiler's own stub for it is an endless recursion (Swift 6.3.1).
    private override init(loop: EventLoop) { super.init(loop: loop) }

    convenience init(loop: EventLoop, port: ForwardedListener) {
        self.init(loop: loop)
        self.port = port
    }

    // MARK: The tunnel's calls

    /// Begins to forward.
    func attach(_ tunnel: Carrier, slot: Int) {
        self.tunnel = tunnel
        readGapBytes = tunnel.gapBytes
        readBytesMax = Self.readBytesMost
        self.slot = slot
        if !isClosing, !hasClientEnded { startReading() }
    }

    /// What another pod must be told again, behind the replayed bytes: that the client sends no more.
    func repeatEnd() {
        if hasClientEnded { clientEnded() }
    }

    /// Leaves a tunnel for another one; the client notices nothing.
    ///
    /// That is possible where neither side has sent anything. What the client has sent may be sent again, if all of it is
    /// kept, only where that reaches nobody twice.
    ///
    /// - Parameter undelivered: whether it is certain that nothing of it has reached the pod: it refused the dial, or
    ///   the server did not look at it. Of a tunnel that is lost, nobody can tell.
    /// - Returns: false: it cannot.
    func leave(undelivered: Bool) -> Bool {
        guard fromPod == .open, !isClosing, output.isEmpty, pace.hasHeardNothing else { return false }
        let isUntouched = pace.isUntouched && !hasClientEnded
        guard isUntouched || undelivered && replay?.isWhole ?? false else { return false }
        stopReading()
        pace = ConnectionPace()
        isEndHeld = false
        tunnel = nil
        slot = -1
        isParked = false
        return true
    }

    /// The pod's side is over, behind what is queued.
    ///
    /// - Parameter isComplete: the client's bytes go nowhere from now on.
    func finish(isComplete: Bool) {
        guard fromPod == .open, !isClosing else {
            if isComplete { detach() }
            return
        }
        fromPod = .ending
        // There is no answer any more that the client's end could cut.
        if isComplete { detach() } else { passEnd() }
        endIfWritten()
    }

    /// Ends it where its client has closed behind the pod's answer: how the way to the pod ends concerns nobody then.
    ///
    /// - Returns: whether that is so.
    func finishIfServed() -> Bool {
        guard hasClientEnded, pace.hasBeenAnswered, output.isEmpty, isForsaken else { return false }
        finish(isComplete: true)
        // The pod's side may have been over before.
        if !isClosing { close() }
        return true
    }

    /// The client must see a reset, behind what is queued.
    func fail() {
        guard fromPod != .failing, !isClosing else { return }
        fromPod = .failing
        detach()
        endIfWritten()
    }

    /// Resets the client at once: the forward itself ends.
    func abort() {
        guard fromPod != .ended else {
            close()
            return
        }
        fromPod = .failing
        close()
    }

    /// The server has ended both streams; nothing more can be sent to the pod.
    func pairReleased() {
        guard tunnel != nil else { return }
        detach()
        guard fromPod == .ended, !isClosing else { return }
        if hasClientEnded {
            close()
        } else {
            depart(until: loop.now + Self.lingerMax)
        }
    }

    /// Nothing of the tunnel concerns this connection any more.
    private func detach() {
        tunnel?.uncount(self)
        tunnel = nil
        isEndHeld = false
        slot = -1
        // What the client still sends is read and dropped, and its end is noticed.
        if !isClosing, !hasClientEnded { startReading() }
        countRest()
    }

    /// Takes note of bytes in the batch, which ``flushBatch(batchBytes:)`` writes.
    ///
    /// - Returns: whether they are the first of this batch.
    @inline(__always)
    func borrow(_ range: Range<Int>, of batch: borrowing ByteBuffer, at now: @autoclosure () -> Instant)
        -> Bool
    {
        output.appendBorrowed(batch, range)
        guard !isTouched else { return false }
        isTouched = true
        pace.received(at: now())
        replay = nil
        return true
    }

    /// Writes the slices of the batch; called once for each batch that touched the connection.
    ///
    /// - Returns: whether slices are left that are worth the whole batch; the others have been copied.
    func flushBatch(batchBytes: Int) -> Bool {
        isTouched = false
        guard !isClosing else {
            output.settleByCopying()
            return false
        }
        flush()
        guard output.isBorrowing else {
            outputChanged()
            return false
        }
        if output.borrowedBytes * 2 > batchBytes { return true }
        output.settleByCopying()
        flushRest()
        outputChanged()
        return false
    }

    /// Takes the whole batch, as most of it is this connection's.
    func takeBatch(_ batch: inout ByteBuffer) {
        output.settle(byTaking: &batch)
        flushRest()
        outputChanged()
    }

    /// Keeps the tunnel's account of what this client has not taken.
    private func outputChanged() {
        guard let tunnel else {
            countRest()
            endIfWritten()
            return
        }
        let verdict = gate.update(backlogBytes: output.byteCount, marks: Self.marks)
        tunnel.backlogChanged(self, verdict)
        endIfWritten()
    }

    /// Whether nobody is there any more who would notice what becomes of it, and nothing of it is left to be passed on.
    var isForsaken: Bool {
        isOver || isReadToEnd && port?.heldEnds.owners.answer(for: self) == .closed
    }

    /// Whether this client's backlog holds its tunnel up.
    var isHolding: Bool { gate.isPaused }

    // MARK: The loop's calls

    override func prepareRead() -> BufferBox? {
        if let tunnel { return tunnel.readBox(for: self) }
        // Nobody wants the bytes; they are dropped.
        loop.receiveBox.buffer.clear()
        return loop.receiveBox
    }

    override func received(_ count: Int) {
        guard let tunnel else { return }
        tunnel.sendToPod(self, count)
    }

    override func receivedEnd(_ error: LoopError?) {
        guard error == nil else {
            clientGone()
            return
        }
        hasClientEnded = true
        clientEnded()
        switch fromPod {
        case .open, .ending: break
        case .ended:
            // An end that goes on behind the last bytes must not be overtaken by a cancel, which would destroy them.
            passEnd()
            guard tunnel != nil else {
                close()
                return
            }
            depart(until: loop.now + Self.lingerMax)
        case .failing: endIfWritten()
        }
    }

    private func clientEnded() {
        if let tunnel, let port, port.holdsEnds || tunnel.endsWithClient {
            isEndHeld = true
            port.heldEnds.add(self)
        } else {
            tunnel?.finishToPod(self)
        }
    }

    /// Passes the client's end on after all.
    func passEnd() {
        guard isEndHeld else { return }
        isEndHeld = false
        tunnel?.finishToPod(self)
    }

    override func outputProgressed() { outputChanged() }

    override func outputFailed(_ error: LoopError) { clientGone() }

    private func clientGone() {
        tunnel?.abandon(self)
        tunnel = nil
        close()
    }

    // MARK: Ends

    private func endIfWritten() {
        guard output.isEmpty, !isBlocked, !isClosing else { return }
        switch fromPod {
        case .open, .ended:
            break
        case .ending:
            fromPod = .ended
            guard !hasClientEnded || tunnel != nil else {
                // Nothing is left either way: the close itself is the end that the client waits for.
                close()
                return
            }
            // A half-closed pod may still be reading what was passed on; the client has all it gets.
            shutdownWriting()
            if !hasClientEnded, tunnel == nil { depart(until: loop.now + Self.lingerMax) }
        case .failing:
            guard unacknowledgedBytes > 0 else {
                close()
                return
            }
            depart(until: loop.now + Self.lingerMax)
        }
    }

    /// Has what a client can still read, though its connection is over, counted by the departures.
    private func countRest() {
        guard tunnel == nil, !isClosing else { return }
        if !output.isEmpty || countedBacklogBytes > 0 { port?.departures.countRest(of: self) }
    }

    private func depart(until deadline: Instant) {
        departureDeadline = deadline
        port?.departures.add(self)
    }

    /// Asked now and then while it departs: whether it still has to wait.
    var isAwaitingAcknowledgement: Bool { fromPod == .failing && output.isEmpty }

    /// The next step of a departure.
    func departIfPossible(at now: Instant) {
        // A slow client takes the time that it takes.
        guard output.isEmpty else { return }
        if now >= departureDeadline || fromPod == .failing && unacknowledgedBytes == 0 { close() }
    }

    /// Closes.
    ///
    /// The client sees a reset unless it has got its clean end: sockets are accepted so that even the death of this
    /// process never makes a cut answer look whole.
    override func close() {
        guard !isClosing else { return }
        tunnel?.abandon(self)
        tunnel = nil
        isEndHeld = false
        if fromPod == .ended { resetOnClose(false) }
        super.close()
    }

    override func closeCompleted() {
        super.closeCompleted()
        port?.departures.remove(self)
        port?.connectionClosed(self)
        port = nil
    }
}

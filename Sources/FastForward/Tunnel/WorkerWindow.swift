/// Counts, for each of the server's frame workers, what it has not taken yet, with PONGs as acknowledgements.
///
/// Theory of operation. The server (moby/spdystream, connection.go `Serve`) deals frames to five workers: a frame of
/// stream N to worker N % 5, the k-th PING to worker k % 5, each into a queue of 50 in order. A pod that does not
/// read blocks its worker; when that worker's queue is full the server reads nothing more from the tunnel, and
/// nothing that we send can undo it. So it is prevented: a PONG of a worker proves that it has taken every frame
/// before the PING, and a worker that has not proved its last `unackedFramesMax` gets no more.
///
/// A PING takes a place in its worker's queue too and cannot be dealt to another worker. So a blocked worker is
/// asked `unansweredPingsMax` times at most; after that no worker is asked (``isSilent``), and the window gives up
/// limiting those that have answered everything: TCP's own back-pressure is what is left for them, and nobody should
/// put new connections here. A second worker that was blocked by then still owes a PONG and stays limited.
///
/// PINGs go out in rounds of five, one for each worker, when one of them has `framesPerRound` unasked frames.
///
/// Servers before Kubernetes 1.32 block a worker for good where a connection ends with bytes for the pod unread (a
/// refused port; a pod that closes early): nobody takes them, and nothing overtakes them. So a worker is *suspect*
/// from such an end until it has proved that it took everything: new streams go to others. It is *blocked* when it
/// has been silent for long, though the tunnel is read.
///
/// On a slow link a PING waits behind uploads and a PONG behind downloads, for seconds each, and neither is a worker's
/// silence. So its clock begins when another worker's answer to the same round has come: the two left together. Where
/// no worker answers, it begins when the PING has come to the server's host and nothing comes from there any more.
package struct WorkerWindow: Equatable {
    /// spdystream's `FRAME_WORKERS`.
    package static let workerCount = 5
    /// Frames that a worker may owe: below spdystream's `QUEUE_SIZE` of 50, with room for the PINGs that queue up
    /// behind them and for a few SYN_STREAMs, which are not held back where all workers are full.
    package static let unackedFramesMax = 30
    /// PINGs that one worker may owe.
    package static let unansweredPingsMax = 14
    /// How many frames of a worker make it worth asking: just below half of what it may owe, so that the answer about
    /// one half is on its way while the other is sent; a round costs the server ten frames.
    package static let framesPerRound = 14

    private struct Worker: Equatable {
        /// Frames sent so far.
        var sent = 0
        /// Of these, before the last PING.
        var asked = 0
        /// Of these, proved taken.
        var acked = 0
        /// The frames that must be proved taken before the worker is above suspicion.
        var suspectUntil = 0
        /// The frames that are worth a round of their own.
        var askUntil = 0
        /// For each unanswered PING, its place among all and the frames before it; oldest first.
        var pings: [Ping] = []

        var isRoundDue: Bool { sent - asked >= framesPerRound || askUntil > asked }
        var isSilent: Bool { pings.count >= unansweredPingsMax }
    }

    private struct Ping: Equatable {
        let index: UInt32
        /// Its number among ours, from 1.
        let number: Int
        let sent: Int
        /// When it was known to have come to the server; nil: it may still be on its way.
        var arrivedAt: Instant?
        /// Since when another worker's answer to its round, or to a later one, has been here; nil: it is not.
        var overdueSince: Instant?
    }

    /// How long a worker's answer may be overdue before it is taken for blocked: at least this, and several times as
    /// long as the latest answer so far was.
    package static let silenceMin = TimeSpan.seconds(1)
    private static let silenceFactor: UInt64 = 4
    /// How long no worker may answer what has come to the server while other bytes come from there: they may be in the
    /// way of the answers.
    package static let busyMax = TimeSpan.seconds(30)

    /// PING ids are odd and have 32 bits; at a multiple of the workers they begin again, in step with the server.
    private static let pingIndexCount: UInt32 = 0x7FFF_FFFD

    private var workers = [Worker](repeating: Worker(), count: workerCount)
    /// How many PINGs have been sent on this tunnel, the server's own on their way back among them, modulo
    /// `pingIndexCount`.
    private var nextPingIndex: UInt32 = 0
    /// How many PINGs of ours have been sent on this tunnel.
    package private(set) var pingCount = 0
    /// How many of them are known to have come to the server.
    package private(set) var arrivedPingCount = 0
    /// Whether the server has ever answered.
    private var hasAnswered = false
    /// How long the latest answer was overdue when it came, while the tunnel was read.
    private var latestAnswer = TimeSpan.zero
    /// When something has last come from the server.
    private var receivedAt = Instant(nanoseconds: 0)
    /// Since when the tunnel has been read without a pause; nil: we do not read it now.
    private var readingSince: Instant? = Instant(nanoseconds: 0)
    private var isLimiting = true

    package init() {}

    /// The worker that gets the frames of `streamID`.
    package static func worker(of streamID: UInt32) -> Int { Int(streamID % UInt32(workerCount)) }

    /// Records one frame sent on `streamID`.
    package mutating func sent(on streamID: UInt32) { sent(to: Self.worker(of: streamID)) }

    private mutating func sent(to worker: Int) {
        workers[worker].sent += 1
        if workers[worker].isRoundDue { hasDueWorker = true }
    }

    /// Whether a worker should get no more data now.
    package func isFull(_ worker: Int) -> Bool {
        guard isLimiting, owedFrames(worker) >= Self.unackedFramesMax else { return false }
        // Once none can be asked any more, those that have answered all they were asked are trusted.
        return !isSilent || !workers[worker].pings.isEmpty
    }

    /// Frames that `worker` has not proved taken.
    package func owedFrames(_ worker: Int) -> Int { workers[worker].sent - workers[worker].acked }

    /// Whether some worker owes so many PONGs that none can be asked any more: its pod does not read.
    package private(set) var isSilent = false

    /// Whether some worker has not been asked about enough frames to ask all.
    package var isRoundDue: Bool { hasDueWorker && !isSilent }
    private var hasDueWorker = false

    /// The frames that the worker with the fewest has not proved taken.
    package var leastOwedFrames: Int { workers.reduce(Int.max) { min($0, $1.sent - $1.acked) } }

    /// How many frames a worker has been sent; a stream's frames are proved when as many are.
    package func sentFrames(_ worker: Int) -> Int { workers[worker].sent }

    /// Whether `worker` has proved that it took its first `frames` frames.
    package func hasTaken(_ worker: Int, frames: Int) -> Bool { workers[worker].acked >= frames }

    /// Keeps new streams away from a worker until it has proved all that it was sent so far.
    ///
    /// - Parameter asksNow: whether that is worth a round of PINGs at once.
    package mutating func suspect(_ worker: Int, asksNow: Bool) {
        workers[worker].suspectUntil = workers[worker].sent
        guard asksNow else { return }
        workers[worker].askUntil = workers[worker].sent
        if workers[worker].isRoundDue { hasDueWorker = true }
    }

    /// Whether a connection that ended may have left something in the worker's way.
    package func isSuspect(_ worker: Int) -> Bool { workers[worker].suspectUntil > workers[worker].acked }

    /// Whether no worker is above suspicion, as far as the server answers PINGs at all.
    package var isWhollySuspect: Bool { hasAnswered && (0..<Self.workerCount).allSatisfy { isSuspect($0) } }

    /// Tells whether the tunnel is read: an answer that we do not fetch is no silence of the server's.
    package mutating func readingChanged(to isReading: Bool, at now: Instant) {
        readingSince = isReading ? now : nil
    }

    /// Whether the tunnel has been read without a pause for `span`: what comes now has been sent now.
    package func isRead(for span: TimeSpan, at now: Instant) -> Bool {
        readingSince.map { $0 + span <= now } ?? false
    }

    /// Whether a worker has been silent for too long.
    package func isBlocked(_ worker: Int, at now: Instant) -> Bool {
        let patience = TimeSpan(nanoseconds: latestAnswer.nanoseconds * Self.silenceFactor)
        // Whoever has never answered may not know how.
        return hasAnswered && isSilent(worker, for: max(Self.silenceMin, patience), at: now)
    }

    /// Whether a worker has been silent for `span` while the tunnel was read.
    package func isSilent(_ worker: Int, for span: TimeSpan, at now: Instant) -> Bool {
        guard let oldest = workers[worker].pings.first, let readingSince else { return false }
        if let overdueSince = oldest.overdueSince { return max(overdueSince, readingSince) + span <= now }
        guard let arrivedAt = oldest.arrivedAt else { return false }
        let since = max(arrivedAt, readingSince)
        return max(since, receivedAt) + span <= now || since + max(span, Self.busyMax) <= now
    }

    /// Whether another worker has answered what this one has not: the server does not stand still as a whole.
    package func isOvertaken(_ worker: Int) -> Bool { workers[worker].pings.first?.overdueSince != nil }

    /// Records that something has come from the server.
    package mutating func received(at now: Instant) { receivedAt = now }

    /// Whether the server does anything but begin what came to this worker at an instant.
    package func hasHeard(beside worker: Int, since begin: Instant) -> Bool {
        isOvertaken(worker) || receivedAt > begin
    }

    /// Records that the first `count` PINGs of ours have come to the server.
    ///
    /// One that has not, as it waits behind uploads on a slow link, cannot be answered: its silence says nothing.
    package mutating func pingsArrived(_ count: Int, at now: Instant) {
        guard count > arrivedPingCount else { return }
        arrivedPingCount = count
        forEachPing(upTo: count) { $0.arrivedAt = $0.arrivedAt ?? now }
    }

    private mutating func forEachPing(upTo number: Int, _ body: (inout Ping) -> Void) {
        for worker in workers.indices {
            for place in workers[worker].pings.indices {
                guard workers[worker].pings[place].number <= number else { break }
                body(&workers[worker].pings[place])
            }
        }
    }

    /// Whether any worker owes a PONG.
    package var isAwaitingPongs: Bool { workers.contains { !$0.pings.isEmpty } }

    /// Whether a worker that has answered everything has been sent frames since: another one's silence is not its own.
    package var hasUnaskedFrames: Bool { workers.contains { $0.pings.isEmpty && $0.sent > $0.asked } }

    /// Records the next PING as sent.
    ///
    /// - Returns: its id: odd, as the client's are, and rising.
    package mutating func sendPing() -> UInt32 {
        let index = takePingIndex()
        let worker = Int(index % UInt32(Self.workerCount))
        pingCount += 1
        workers[worker].asked = workers[worker].sent
        workers[worker].pings.append(Ping(index: index, number: pingCount, sent: workers[worker].sent))
        if workers[worker].isSilent { isSilent = true }
        if hasDueWorker { hasDueWorker = workers.contains { $0.isRoundDue } }
        return index * 2 + 1
    }

    /// Records that a PING of the server was sent back.
    ///
    /// The server deals it like ours (connection.go, `partitionRoundRobin`), so it takes a place in a queue and a turn.
    package mutating func sendEcho() {
        sent(to: Int(takePingIndex() % UInt32(Self.workerCount)))
    }

    private mutating func takePingIndex() -> UInt32 {
        defer { nextPingIndex = (nextPingIndex + 1) % Self.pingIndexCount }
        return nextPingIndex
    }

    /// Stops limiting if no PING was ever answered: whoever the server is, it does not acknowledge.
    ///
    /// TCP's own back-pressure is what is left, until a PONG comes after all.
    package mutating func stopWaitingForFirstAnswer() {
        if !hasAnswered { isLimiting = false }
    }

    /// Takes a PONG.
    ///
    /// - Returns: whether it answers a PING that was open.
    package mutating func receivePong(_ id: UInt32, at now: Instant) -> Bool {
        guard id % 2 == 1 else { return false }
        let index = id / 2
        let worker = Int(index % UInt32(Self.workerCount))
        // A worker answers in order; a later PONG answers for the ones before.
        guard let place = workers[worker].pings.firstIndex(where: { $0.index == index }) else { return false }
        hasAnswered = true
        isLimiting = true
        let ping = workers[worker].pings[place]
        workers[worker].acked = ping.sent
        if let overdueSince = ping.overdueSince {
            if let readingSince, readingSince <= overdueSince, !isBlocked(worker, at: now) {
                latestAnswer = max(latestAnswer, now - overdueSince)
            }
            workers[worker].pings.removeFirst(place + 1)
        } else {
            workers[worker].pings.removeFirst(place + 1)
            // The first of its round: the others' are due.
            let round = (ping.number + Self.workerCount - 1) / Self.workerCount * Self.workerCount
            arrivedPingCount = max(arrivedPingCount, min(round, pingCount))
            forEachPing(upTo: round) { $0.overdueSince = $0.overdueSince ?? now }
        }
        if isSilent { isSilent = workers.contains { $0.isSilent } }
        return true
    }
}

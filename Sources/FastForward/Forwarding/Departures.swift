/// Connections that are over but may not be closed yet.
///
/// A client that has its clean end may still send, and a reset must wait until the client's kernel has what it can
/// still read, of which no event tells: so these are looked at now and then, soon first and then at longer
/// distances, and for a bounded time. Those that have not taken all yet take their time, but together they keep no
/// more than ``restBytesMax`` in memory: beyond it those that have been there longest are reset.
final class Departures {
    /// What all clients whose connections are over may leave untaken, as allocated bytes.
    private static let restBytesMax = 16 << 20
    private static let shortestSpan = TimeSpan.milliseconds(1)
    private static let longestSpan = TimeSpan.milliseconds(1000)

    private let loop: EventLoop
    private var connections: [LocalConnection] = []
    private var restBytes = 0
    private var span = Departures.longestSpan
    private var timer: LoopTimer?

    init(loop: EventLoop) {
        self.loop = loop
    }

    var count: Int { connections.count }

    /// Counts anew what a connection has not taken.
    func countRest(of connection: LocalConnection) {
        insert(connection)
        let bytes = connection.output.allocatedBytes
        restBytes += bytes - connection.countedBacklogBytes
        connection.countedBacklogBytes = bytes
        while restBytes > Self.restBytesMax,
            let oldest = connections.first(where: { $0.countedBacklogBytes > 0 && !$0.isClosing })
        {
            uncount(oldest)
            oldest.close()
        }
    }

    private func uncount(_ connection: LocalConnection) {
        restBytes -= connection.countedBacklogBytes
        connection.countedBacklogBytes = 0
    }

    private func insert(_ connection: LocalConnection) {
        guard connection.departureIndex < 0 else { return }
        connection.departureIndex = connections.count
        connections.append(connection)
    }

    func add(_ connection: LocalConnection) {
        insert(connection)
        guard connection.isAwaitingAcknowledgement else {
            scheduleIfNeeded()
            return
        }
        span = Self.shortestSpan
        schedule()
    }

    func remove(_ connection: LocalConnection) {
        let index = connection.departureIndex
        guard index >= 0 else { return }
        uncount(connection)
        connection.departureIndex = -1
        let last = connections.removeLast()
        if index < connections.count {
            connections[index] = last
            last.departureIndex = index
        }
        if connections.isEmpty { timer?.cancel() }
    }

    private func scheduleIfNeeded() {
        if timer?.deadline == nil { schedule() }
    }

    private func schedule() {
        if timer == nil {
            let timer = LoopTimer(loop: loop) { [weak self] in self?.look() }
            timer.keepsLoopAlive(false)
            self.timer = timer
        }
        timer?.schedule(at: loop.now + span)
    }

    private func look() {
        let now = loop.now
        var isAnyAwaiting = false
        for connection in connections {
            connection.departIfPossible(at: now)
            if !connection.isClosing, connection.isAwaitingAcknowledgement { isAnyAwaiting = true }
        }
        span =
            isAnyAwaiting
            ? min(TimeSpan(nanoseconds: span.nanoseconds * 2), Self.longestSpan) : Self.longestSpan
        if connections.contains(where: { !$0.isClosing }) { schedule() }
    }

    /// Ends every wait: those whose reset was still to come get it now.
    func close() {
        for connection in connections { connection.abort() }
        timer?.close()
        timer = nil
    }
}

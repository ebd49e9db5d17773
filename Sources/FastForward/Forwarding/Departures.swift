/// Connections that are over but may not be closed yet.
///
/// A client that has its clean end may still send, and a reset must wait until the client's kernel has what it can
/// still read, of which no event tells: so these are looked at now and then, soon first and then at longer
/// distances, and for a bounded time.
final class Departures {
    private static let shortestSpan = TimeSpan.milliseconds(1)
    private static let longestSpan = TimeSpan.milliseconds(1000)

    private let loop: EventLoop
    private var connections: [LocalConnection] = []
    private var span = Departures.longestSpan
    private var timer: LoopTimer?

    init(loop: EventLoop) {
        self.loop = loop
    }

    var count: Int { connections.count }

    func add(_ connection: LocalConnection) {
        if connection.departureIndex < 0 {
            connection.departureIndex = connections.count
            connections.append(connection)
        }
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

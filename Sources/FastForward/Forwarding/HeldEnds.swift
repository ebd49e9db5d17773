/// Ends of clients that are not passed on to the pod yet.
///
/// Theory of operation. containerd cuts a connection a second after either direction has ended, and the cut looks
/// complete, so the FIN of a client that still waits for its answer must not be passed on; that of a client that
/// has closed altogether must, behind its last bytes. A FIN does not tell which it is, the kernel does, for clients
/// on this host (``SocketOwners``). A half-closed client may close later, of which no event tells: it is asked about
/// again, soon first and then at longer distances. Clients on other hosts are held for a bounded time.
final class HeldEnds {
    private static let shortestSpan = TimeSpan.milliseconds(10)
    private static let longestSpan = TimeSpan.milliseconds(1000)

    private struct Held {
        let connection: LocalConnection
        let since: Instant
    }

    private let loop: EventLoop
    private let timeout: TimeSpan
    let owners: SocketOwners
    private var held: [Held] = []
    private var span = HeldEnds.shortestSpan
    private var timer: LoopTimer?

    /// - Parameter timeout: how long the end of a client is held whose kernel cannot be asked.
    init(loop: EventLoop, owners: SocketOwners, timeout: TimeSpan) {
        self.owners = owners
        self.loop = loop
        self.timeout = timeout
    }

    /// Passes a client's end on at once if the client has closed, else when it has.
    func add(_ connection: LocalConnection) {
        guard owners.answer(for: connection) != .closed else {
            connection.passEnd()
            return
        }
        held.append(Held(connection: connection, since: loop.now))
        span = Self.shortestSpan
        schedule()
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
        var kept: [Held] = []
        var over: [LocalConnection] = []
        for item in held where item.connection.isEndHeld {
            let isOver =
                switch owners.answer(for: item.connection) {
                case .owned: false
                case .closed: true
                case .unknown: item.since + timeout <= now
                }
            if isOver {
                over.append(item.connection)
            } else {
                kept.append(item)
            }
        }
        held = kept
        for connection in over { connection.passEnd() }
        span = min(TimeSpan(nanoseconds: span.nanoseconds * 2), Self.longestSpan)
        if !held.isEmpty { schedule() }
    }

    func close() {
        held = []
        timer?.close()
        timer = nil
    }
}

/// The local addresses that lead to one port of the pod.
final class ForwardedListener {
    /// An address that could not be listened on.
    struct Failure {
        let address: SocketAddress
        let error: LoopError
    }

    /// The port of the pod that was found first; other pods may have another one of the same name.
    let remote: UInt16
    /// Its place among the forward's ports.
    let index: Int
    let departures: Departures
    let heldEnds: HeldEnds
    /// Whether the runtime would cut the answer of a client whose end is passed on.
    let holdsEnds: Bool
    /// How often the queues of listeners are looked at whose clients wait.
    private static let crowdedLook = TimeSpan.seconds(1)

    private let loop: EventLoop
    private let mayAccept: () -> Bool
    private let overflowed: (_ localPort: UInt16, _ queueLengthMax: Int) -> Void
    private var gauge = QueueGauge()
    /// The turn in which a queue was looked at last.
    private var lookedTurn: UInt32 = 0
    private var crowdedTimer: LoopTimer?
    private let accepted: (LocalConnection) -> Void
    private let closed: (LocalConnection) -> Void
    private var listeners: [Listener] = []
    /// Those with a client that has to wait.
    private var crowded: [Listener] = []
    /// The local port that was asked for, or drawn.
    private(set) var local: UInt16

    /// - Parameters:
    ///   - mayAccept: whether there is room for one more; if not, it waits for ``acceptCrowded()``.
    ///   - accepted: gets each new connection.
    ///   - overflowed: called where more clients come than a queue of the kernel's holds, once for each episode.
    ///   - closed: gets each connection whose descriptor has gone back to the kernel.
    init(
        loop: EventLoop,
        port: ForwardedPort,
        index: Int,
        departures: Departures,
        heldEnds: HeldEnds,
        holdsEnds: Bool,
        mayAccept: @escaping () -> Bool,
        accepted: @escaping (LocalConnection) -> Void,
        overflowed: @escaping (_ localPort: UInt16, _ queueLengthMax: Int) -> Void,
        closed: @escaping (LocalConnection) -> Void
    ) {
        self.loop = loop
        self.remote = port.remote
        self.index = index
        self.local = port.local
        self.departures = departures
        self.heldEnds = heldEnds
        self.holdsEnds = holdsEnds
        self.mayAccept = mayAccept
        self.accepted = accepted
        self.overflowed = overflowed
        self.closed = closed
    }

    /// How many clients have connected and are not accepted yet.
    var queuedCount: Int {
        // Of those that are crowded libuv has taken one already.
        listeners.reduce(crowded.count) { $0 + ($1.queue?.length ?? 0) }
    }

    /// Where it listens.
    var addresses: [SocketAddress] { listeners.map { $0.address } }

    /// Listens on one more address; where port 0 was asked for, on the port that an earlier one drew.
    func listen(on ip: String) -> Failure? {
        guard let address = SocketAddress(ip: ip, port: local) else { return nil }
        do throws(LoopError) {
            // Strong, until close(): see ``Tunnel`` on weak references.
            let listener = try Listener(loop: loop, address: address, resetsOnClose: true) {
                self.accept(from: $0)
            }
            listeners.append(listener)
            local = listener.address.port
            return nil
        } catch {
            return Failure(address: address, error: error)
        }
    }

    /// Goes on with the clients that had to wait, as far as there is room.
    func acceptCrowded() {
        var waiting: [Listener] = []
        swap(&waiting, &crowded)
        for listener in waiting { accept(from: listener) }
    }

    private func accept(from listener: Listener) {
        // The first of a turn finds the queue as it was; a system call for each would be too many.
        if lookedTurn != loop.turn {
            lookedTurn = loop.turn
            look(at: listener)
        }
        // libuv tells of no further client until this one is accepted.
        guard mayAccept() else {
            crowded.append(listener)
            watchCrowded()
            return
        }
        let connection = LocalConnection(loop: loop, port: self)
        do throws(LoopError) {
            try listener.accept(into: connection)
        } catch {
            // The client went away between its connect and our accept.
            connection.close()
            return
        }
        accepted(connection)
    }

    private func look(at listener: Listener) {
        guard let queue = listener.queue, gauge.look(length: queue.length, most: queue.most) else { return }
        overflowed(local, queue.most)
    }

    /// Looks at the queues, and for room, now and then while nobody is accepted: there may be no event then.
    private func watchCrowded() {
        if crowdedTimer == nil {
            crowdedTimer = LoopTimer(loop: loop) {
                guard !self.crowded.isEmpty else { return }
                for listener in self.crowded { self.look(at: listener) }
                // Room may have come by something else than a client's end.
                self.acceptCrowded()
            }
            crowdedTimer?.keepsLoopAlive(false)
        }
        if crowdedTimer?.deadline == nil { crowdedTimer?.schedule(at: loop.now + Self.crowdedLook) }
    }

    func connectionClosed(_ connection: LocalConnection) { closed(connection) }

    func close() {
        for listener in listeners { listener.close() }
        listeners = []
        crowded = []
        crowdedTimer?.close()
        crowdedTimer = nil
    }
}

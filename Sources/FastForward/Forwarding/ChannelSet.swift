/// The clients of one pod that have a WebSocket each, where no tunnel can be had.
///
/// Theory of operation. Each client costs the server a TLS handshake, and a proxy a connection, so only some are opened
/// at a time, in the order in which they came; the others wait, without being read. An opening that takes long ceases to
/// count, as it is not the handshake then that takes so long: a few that hang hold up nobody.
final class ChannelSet {
    /// How many may be on their way at a time: enough that a thousand are open within seconds over a long way, few enough
    /// that neither a server's queue of connections overflows nor its processors do nothing but handshakes.
    static let openingMax = 64
    /// For how long an opening counts.
    static let openingSpan = TimeSpan.seconds(1)

    private let loop: EventLoop
    private let endpoint: UpstreamEndpoint
    private let path: (UInt16) -> APIPath
    private let pod: String
    private let keys: RandomKeys
    private let budget: MemoryBudget
    /// How long a client waits for its turn.
    private let hold: TimeSpan
    private let reportFailure: (_ local: UInt16, _ remote: UInt16, ConnectionFailure) -> Void
    private var connections: [Int: ChannelConnection] = [:]
    private var nextNumber = 0
    /// The numbers of those on their way; never more than ``openingMax``.
    private var opening: Set<Int> = []
    private var openingEnds = FirstInFirstOut<(instant: Instant, number: Int)>()
    /// Bounded as the clients that wait for a tunnel are, in number and time.
    private var waiting = FirstInFirstOut<(local: LocalConnection, since: Instant)>()
    private var timer: LoopTimer?
    /// Of the connections that are over.
    private var pastStatistics = TunnelStatistics()

    /// - Parameters:
    ///   - path: for a port of the pod.
    ///   - reportFailure: gets the reason where a connection fails.
    init(
        loop: EventLoop,
        endpoint: UpstreamEndpoint,
        path: @escaping (UInt16) -> APIPath,
        pod: String,
        keys: RandomKeys,
        budget: MemoryBudget,
        hold: TimeSpan,
        reportFailure: @escaping (_ local: UInt16, _ remote: UInt16, ConnectionFailure) -> Void
    ) {
        self.loop = loop
        self.endpoint = endpoint
        self.path = path
        self.pod = pod
        self.keys = keys
        self.budget = budget
        self.hold = hold
        self.reportFailure = reportFailure
    }

    /// Opens a WebSocket for a client, as soon as it is its turn.
    func place(_ local: LocalConnection) {
        guard waiting.count < TunnelSet.waitingMax else {
            giveUp(local)
            return
        }
        waiting.push((local, loop.now))
        openWaiting()
    }

    private func openWaiting() {
        while let end = openingEnds.first, end.instant <= loop.now || !opening.contains(end.number) {
            opening.remove(end.number)
            _ = openingEnds.pop()
        }
        while opening.count < Self.openingMax, let (local, _) = waiting.pop() {
            // Nobody has read from it meanwhile, so it may have gone unnoticed.
            if !local.isClosing, local.isGone { local.close() }
            if !local.isClosing { open(local) }
        }
        schedule()
    }

    private func open(_ local: LocalConnection) {
        guard let port = local.port else { return }
        let (localPort, remotePort, number) = (port.local, local.remotePort, nextNumber)
        nextNumber += 1
        let connection = ChannelConnection(
            loop: loop,
            endpoint: endpoint,
            path: path(remotePort),
            pod: pod,
            keys: keys,
            budget: budget,
            local: local,
            reportFailure: { [weak self] in self?.reportFailure(localPort, remotePort, $0) },
            reportOpened: { [weak self] in self?.opened(number) },
            reportEnd: { [weak self] in self?.ended(number) }
        )
        connections[number] = connection
        pastStatistics.connections += 1
        opening.insert(number)
        openingEnds.push((loop.now + Self.openingSpan, number))
        connection.openUpstream()
    }

    /// What has gone through the WebSockets so far.
    var statistics: TunnelStatistics {
        connections.values.reduce(into: pastStatistics) { $0.add($1) }
    }

    /// Whether it carries and waits for nobody.
    var isIdle: Bool { connections.isEmpty && waiting.isEmpty }

    private func opened(_ number: Int) {
        guard opening.remove(number) != nil, !waiting.isEmpty else { return }
        // In a later turn: this may be in the middle of a batch.
        schedule()
    }

    private func ended(_ number: Int) {
        if let connection = connections.removeValue(forKey: number) { pastStatistics.add(connection) }
        opened(number)
    }

    /// Takes note that the network of this host has changed.
    func networkChanged() {
        // Some may end by it.
        for connection in Array(connections.values) { connection.networkChanged() }
    }

    private func giveUp(_ local: LocalConnection) {
        if let port = local.port { reportFailure(port.local, local.remotePort, .noTunnel) }
        local.fail()
    }

    private func schedule() {
        guard let oldest = waiting.first else { return }
        if timer == nil { timer = LoopTimer(loop: loop) { [weak self] in self?.timerFired() } }
        var next = oldest.since + hold
        if opening.count < Self.openingMax {
            next = loop.now
        } else if let end = openingEnds.first {
            next = min(next, end.instant)
        }
        timer?.schedule(at: next)
    }

    private func timerFired() {
        while let oldest = waiting.first, oldest.since + hold <= loop.now {
            _ = waiting.pop()
            if !oldest.local.isClosing { giveUp(oldest.local) }
        }
        openWaiting()
    }

    /// Closes everything; clients that are still there are reset.
    func close() {
        timer?.close()
        timer = nil
        while let (local, _) = waiting.pop() { local.abort() }
        for connection in connections.values { connection.close() }
        connections = [:]
    }
}

/// The clients of one pod that have a WebSocket each, where no tunnel can be had.
///
/// Theory of operation. Each client costs the server a TLS handshake, and a proxy a connection, so only some are opened
/// at a time; the others wait in their ``TunnelSet``. An opening that takes long ceases to count, as it is not the
/// handshake then that takes so long: a few that hang hold up nobody. A client whose WebSocket could not be opened is handed
/// back, to wait until the server can be reached again.
final class ChannelSet {
    /// How many may be on their way at a time: enough that a thousand are open within seconds over a long way, few enough
    /// that neither a server's queue of connections overflows nor its processors do nothing but handshakes.
    static let openingMax = 64
    /// For how long an opening counts.
    static let openingSpan = TimeSpan.seconds(1)

    /// What an opening may take where clients wait but for a short time.
    private static let openTimeoutMin = TimeSpan.seconds(5)

    enum Event {
        /// A client has its WebSocket.
        case opened
        /// A client has got none. `isOutdated`: the server has been reached since, so that it says nothing of that.
        case notOpened(LocalConnection, UpstreamError, isOutdated: Bool)
        case connectionFailed(local: UInt16, remote: UInt16, ConnectionFailure)
        /// The pod refused a connection, which may be tried at another one.
        case connectionRefused(LocalConnection, ConnectionFailure)
        /// `isCut`: the network, or the server without a word, ended a WebSocket that was open.
        case ended(isCut: Bool)
    }

    private let loop: EventLoop
    private var endpoint: UpstreamEndpoint
    private let pod: String
    private let namespace: String
    private let keys: RandomKeys
    private let budget: MemoryBudget
    private let openTimeout: TimeSpan
    private let handler: (Event) -> Void
    private var connections: [Int: ChannelConnection] = [:]
    private var nextNumber = 0
    /// The numbers of those on their way; never more than ``openingMax``.
    private var opening: Set<Int> = []
    private var openingEnds = FirstInFirstOut<(instant: Instant, number: Int)>()
    private var openCount = 0
    /// When the server was last known to let WebSockets in.
    private var reachedAt: Instant
    /// Of the connections that are over.
    private var pastStatistics = TunnelStatistics()

    /// - Parameter hold: how long clients wait: an opening that hangs is given up in time for another one.
    init(
        loop: EventLoop,
        endpoint: UpstreamEndpoint,
        pod: String,
        namespace: String,
        keys: RandomKeys,
        budget: MemoryBudget,
        hold: TimeSpan,
        handler: @escaping (Event) -> Void
    ) {
        self.loop = loop
        self.endpoint = endpoint
        reachedAt = loop.now
        self.pod = pod
        self.namespace = namespace
        self.keys = keys
        self.budget = budget
        openTimeout = min(
            max(Self.openTimeoutMin, TimeSpan(nanoseconds: hold.nanoseconds / 2)),
            UpstreamConnection.openTimeout
        )
        self.handler = handler
    }

    /// The server lets WebSockets in; the next ones are opened at `endpoint`.
    func reached(at endpoint: UpstreamEndpoint) {
        self.endpoint = endpoint
        reachedAt = loop.now
    }

    /// When one more may be opened: now, or when one that is on its way ceases to count.
    func nextRoom() -> Instant {
        while let end = openingEnds.first, end.instant <= loop.now || !opening.contains(end.number) {
            opening.remove(end.number)
            _ = openingEnds.pop()
        }
        guard opening.count >= Self.openingMax else { return loop.now }
        return openingEnds.first?.instant ?? loop.now
    }

    var hasRoom: Bool { nextRoom() <= loop.now }

    /// Opens a WebSocket for a client.
    func open(_ local: LocalConnection) {
        // Nobody has read from it meanwhile, so it may have gone unnoticed.
        if !local.isClosing, local.isGone { local.close() }
        guard !local.isClosing, let port = local.port else { return }
        let (localPort, remotePort, number) = (port.local, local.remotePort, nextNumber)
        nextNumber += 1
        let connection = ChannelConnection(
            loop: loop,
            endpoint: endpoint,
            path: .portForward(pod: pod, namespace: namespace, ports: [remotePort], at: endpoint.server),
            pod: pod,
            keys: keys,
            budget: budget,
            local: local,
            openTimeout: openTimeout
        ) { [weak self] event in
            guard let self else { return }
            switch event {
            case .opened: opened(number)
            case .failed(let failure):
                handler(.connectionFailed(local: localPort, remote: remotePort, failure))
            case .ended(let ending): ended(number, ending)
            }
        }
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

    /// Whether it carries nobody, and nobody is on the way.
    var isIdle: Bool { connections.isEmpty }

    /// Whether it carries somebody.
    var hasOpen: Bool { openCount > 0 }

    private func opened(_ number: Int) {
        opening.remove(number)
        openCount += 1
        reachedAt = loop.now
        handler(.opened)
    }

    private func ended(_ number: Int, _ ending: ChannelConnection.Ending) {
        guard let connection = connections.removeValue(forKey: number) else { return }
        opening.remove(number)
        pastStatistics.add(connection)
        if connection.hasOpened { openCount -= 1 }
        switch ending {
        case .over: handler(.ended(isCut: false))
        case .cut: handler(.ended(isCut: true))
        case .refused(let local, let failure): handler(.connectionRefused(local, failure))
        case .notOpened(let local, let error):
            pastStatistics.connections -= 1
            handler(.notOpened(local, error, isOutdated: connection.beganAt < reachedAt))
        }
    }

    /// Takes note that the network of this host has changed.
    func networkChanged() {
        // Some may end by it.
        for connection in Array(connections.values) { connection.networkChanged() }
    }

    /// Closes everything; clients that are still there are reset.
    func close() {
        let closed = connections.values
        connections = [:]
        for connection in closed { connection.close() }
    }
}

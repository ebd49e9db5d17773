/// The tunnels to one pod, and the choice among them.
///
/// Theory of operation. One tunnel at the start; a spare is opened as soon as every open one carries something, up
/// to ``tunnelsMax``. A new connection goes to the least loaded tunnel that nobody holds up and that carries
/// connections to its own port only, as long as there may be one. So a handful of
/// connections have a tunnel each, and thousands share. A lost tunnel is replaced, with growing pauses between
/// attempts; meanwhile accepted clients wait, bounded in number and time.
package final class TunnelSet: Tunnel.Owner {
    /// How many tunnels one pod gets at most: each costs the servers a handshake and a few goroutines.
    package static let tunnelsMax = 8
    /// How many there may be with those that only end what they carry.
    package static let tunnelsWithRetiringMax = 32
    /// How many accepted clients may wait for a tunnel, and how long.
    package static let waitingMax = 4096
    package static let waitingSpan = TimeSpan.seconds(30)

    package enum Event {
        /// A tunnel is open; the first says that the forward works.
        case opened
        /// A tunnel is gone or could not be made; `isLast`: no other is open now.
        case lost(UpstreamError, isLast: Bool)
        /// A connection failed for a reason that the server gave, or with its tunnel.
        case connectionFailed(local: UInt16, remote: UInt16, ConnectionFailure)
    }

    private struct Waiting {
        let local: LocalConnection
        let since: Instant
    }

    private let loop: EventLoop
    private let endpoint: UpstreamEndpoint
    private let path: APIPath
    private let channelPath: (UInt16) -> APIPath
    private let pod: String
    private let keys: RandomKeys
    private let handler: (Event) -> Void
    /// The ways to try, the best first; those that were refused are gone, those behind one that worked are not needed.
    private var ways: [TunnelWay]
    private var hasFoundWay = false
    /// The connections that have a WebSocket of their own, where no tunnel can be had.
    private var channels: [ObjectIdentifier: ChannelConnection] = [:]
    private var usesChannels = false
    /// Why the first way was refused: it says more than the last one's reason.
    private var firstRefusal: UpstreamError?
    private var tunnels: [Tunnel] = []
    private var waiting: [Waiting] = []
    private var reconnect = ReconnectPolicy()
    private var reconnectTimer: LoopTimer?
    private var isClosed = false

    package init(
        loop: EventLoop,
        endpoint: UpstreamEndpoint,
        path: APIPath,
        channelPath: @escaping (UInt16) -> APIPath,
        pod: String,
        ways: [TunnelWay],
        handler: @escaping (Event) -> Void
    ) {
        precondition(!ways.isEmpty, "there is at least one way in")
        self.ways = ways
        self.loop = loop
        self.endpoint = endpoint
        self.path = path
        self.channelPath = channelPath
        self.pod = pod
        self.handler = handler
        keys = RandomKeys(pool: loop.pool)
    }

    /// Opens the first tunnel.
    package func start() { openTunnel() }

    private func openTunnel() {
        let tunnel = Tunnel(
            loop: loop,
            endpoint: endpoint,
            path: path,
            pod: pod,
            way: ways[0],
            keys: keys,
            owner: self
        )
        tunnels.append(tunnel)
        tunnel.openUpstream()
    }

    // MARK: Placing connections

    /// Gives a connection to a tunnel, or lets it wait for one.
    func place(_ local: LocalConnection) {
        guard !usesChannels else {
            openChannel(for: local)
            return
        }
        var best: Tunnel?
        var bestRank = Int.max
        /// The least loaded of those that carry connections to other ports.
        var strange: Tunnel?
        var isOpening = false
        var usableCount = 0
        var idleCount = 0
        var hasRetired = false
        for tunnel in tunnels {
            let standing = tunnel.standing
            if standing == .retiring {
                hasRetired = hasRetired || tunnel.liveCount == 0
                continue
            }
            usableCount += 1
            isOpening = isOpening || standing == .opening
            guard standing == .open, !tunnel.isHeldUp else { continue }
            if tunnel.load == 0 { idleCount += 1 }
            guard tunnel.port == nil || tunnel.port == local.port?.remote else {
                if strange.map({ tunnel.load < $0.load }) ?? true { strange = tunnel }
                continue
            }
            let rank = Self.rank(tunnel)
            guard best == nil || rank < bestRank else { continue }
            (best, bestRank) = (tunnel, rank)
        }
        if hasRetired { closeRetired() }
        let mayGrow =
            usableCount < Self.tunnelsMax && tunnels.count < Self.tunnelsWithRetiringMax && !isOpening
            && reconnect.mayTry(at: loop.now)
        guard let best else {
            if let strange, !mayGrow, !isOpening {
                open(local, on: strange)
                return
            }
            wait(local)
            if mayGrow { openTunnel() }
            return
        }
        if best.isSuspect, mayGrow || isOpening {
            // Whatever may be in the way there, a fresh tunnel has nothing of it.
            wait(local)
            if mayGrow { openTunnel() }
            return
        }
        // A spare is kept warm, so that the next client has a tunnel of its own.
        if mayGrow, idleCount <= (best.load == 0 ? 1 : 0) { openTunnel() }
        open(local, on: best)
    }

    /// The lower, the better for a new connection.
    private static func rank(_ tunnel: Tunnel) -> Int { tunnel.isSuspect ? Int.max : tunnel.load }

    private func open(_ local: LocalConnection, on tunnel: Tunnel) {
        guard let port = local.port, !local.isClosing else { return }
        tunnel.open(local, port: port.remote)
    }

    private func openChannel(for local: LocalConnection) {
        guard let port = local.port, !local.isClosing else { return }
        let (localPort, remotePort) = (port.local, port.remote)
        let channel = ChannelConnection(
            loop: loop,
            endpoint: endpoint,
            path: channelPath(remotePort),
            pod: pod,
            keys: keys,
            local: local,
            reportFailure: { [weak self] in
                self?.connectionFailed(local: localPort, remote: remotePort, $0)
            },
            reportEnd: { [weak self] in self?.channels[ObjectIdentifier($0)] = nil }
        )
        channels[ObjectIdentifier(channel)] = channel
        channel.openUpstream()
    }

    private func wait(_ local: LocalConnection) {
        // Where every tunnel is held up and no more may be opened, one of them it is.
        let open = tunnels.filter { $0.isOpen && !$0.isRetiring }
        if open.count >= Self.tunnelsMax, let least = open.min(by: { $0.load < $1.load }) {
            self.open(local, on: least)
            return
        }
        guard waiting.count < Self.waitingMax else {
            giveUp(local)
            return
        }
        waiting.append(Waiting(local: local, since: loop.now))
        scheduleReconnectOrExpiry()
    }

    /// Closes tunnels that take no more connections and carry nobody any more.
    private func closeRetired() {
        for tunnel in tunnels where tunnel.isRetiring && tunnel.liveCount == 0 {
            tunnels.removeAll { $0 === tunnel }
            tunnel.close()
        }
    }

    private func giveUp(_ local: LocalConnection) {
        if let port = local.port { connectionFailed(local: port.local, remote: port.remote, .noTunnel) }
        local.fail()
    }

    private func placeWaiting() {
        var placed: [Waiting] = []
        swap(&placed, &waiting)
        for item in placed where !item.local.isClosing { place(item.local) }
    }

    // MARK: The tunnels' calls

    package func tunnelOpened(_ tunnel: Tunnel) {
        reconnect.succeeded()
        hasFoundWay = true
        handler(.opened)
        placeWaiting()
    }

    package func tunnelTakesNoMore(_ tunnel: Tunnel) {
        guard !tunnels.contains(where: { $0.isOpen || $0.isOpening }),
            tunnels.count < Self.tunnelsWithRetiringMax
        else { return }
        pauseBeforeReconnect(after: tunnel)
    }

    /// Schedules the next attempt: at once where the tunnel has served for a while.
    private func pauseBeforeReconnect(after tunnel: Tunnel) {
        // Without randomness the pause is the longest.
        reconnect.lost(after: tunnel.openSpan, at: loop.now, random: (try? keys.next()) ?? .max)
        scheduleReconnectOrExpiry()
    }

    package func tunnelEnded(_ tunnel: Tunnel, _ error: UpstreamError) {
        tunnels.removeAll { $0 === tunnel }
        guard !isClosed else { return }
        if tunnel.way == .channels, case .refused(let failure) = error, failure.asksForPorts {
            // The probe, which names no port, so that no pod notices it, was answered as it should be.
            usesChannels = true
            tunnelOpened(tunnel)
            return
        }
        if !hasFoundWay, ways.count > 1, error.isWayRefused {
            firstRefusal = firstRefusal ?? error
            ways.removeFirst()
            openTunnel()
            return
        }
        let error = hasFoundWay ? error : reason(last: error)
        let isLast = !tunnels.contains { $0.isOpen }
        handler(.lost(error, isLast: isLast))
        guard !isClosed, isLast else { return }
        pauseBeforeReconnect(after: tunnel)
    }

    /// The reason to tell of several refused ways: the last one's if the API server gave it, else the first one's.
    private func reason(last: UpstreamError) -> UpstreamError {
        if case .refused(let failure) = last, failure.status != nil { return last }
        return firstRefusal ?? last
    }

    package func connectionFailed(local: UInt16, remote: UInt16, _ failure: ConnectionFailure) {
        handler(.connectionFailed(local: local, remote: remote, failure))
    }

    // MARK: Time

    private func scheduleReconnectOrExpiry() {
        var next: Instant?
        if !tunnels.contains(where: { $0.isOpen || $0.isOpening }) {
            next = reconnect.nextAttempt ?? loop.now
        }
        if let oldest = waiting.first {
            let expiry = oldest.since + Self.waitingSpan
            next = next.map { min($0, expiry) } ?? expiry
        }
        guard let next else { return }
        if reconnectTimer == nil {
            reconnectTimer = LoopTimer(loop: loop) { [weak self] in self?.timerFired() }
        }
        reconnectTimer?.schedule(at: next)
    }

    private func timerFired() {
        guard !isClosed else { return }
        let now = loop.now
        while let oldest = waiting.first, oldest.since + Self.waitingSpan <= now {
            waiting.removeFirst()
            if !oldest.local.isClosing { giveUp(oldest.local) }
        }
        if !tunnels.contains(where: { $0.isOpen || $0.isOpening }), (reconnect.nextAttempt ?? now) <= now {
            openTunnel()
        }
        scheduleReconnectOrExpiry()
    }

    /// Closes every tunnel; their connections are reset.
    package func close() {
        isClosed = true
        reconnectTimer?.close()
        reconnectTimer = nil
        for item in waiting { item.local.abort() }
        waiting = []
        for tunnel in tunnels { tunnel.close() }
        tunnels = []
        for channel in channels.values { channel.close() }
        channels = [:]
    }
}

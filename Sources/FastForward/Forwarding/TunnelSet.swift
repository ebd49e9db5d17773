/// The tunnels to one pod.
///
/// Theory of operation. Which of them a new connection gets, and how many there are, ``TunnelChoice`` decides. A lost
/// tunnel is replaced, with growing pauses between attempts; meanwhile accepted clients wait, bounded in number and
/// time. What nobody needs is closed after a while.
package final class TunnelSet: Tunnel.Owner {
    /// How many there may be with those that only end what they carry.
    private var tunnelsWithRetiringMax: Int { limits.tunnels.most + Self.retiringMax }
    private static let retiringMax = 24
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
    private var way: WayChoice
    /// Instead of tunnels, where none can be had.
    private var channels: ChannelSet?
    private let limits: TunnelLimits
    private var tunnels: [Tunnel] = []
    /// What is known of each of ``tunnels``; kept, so that no accept allocates.
    private var candidates: [TunnelChoice.Candidate] = []
    private var waiting: [Waiting] = []
    private var reconnect = ReconnectPolicy()
    private var timer: LoopTimer?
    private var isClosed = false

    package init(
        loop: EventLoop,
        endpoint: UpstreamEndpoint,
        path: APIPath,
        channelPath: @escaping (UInt16) -> APIPath,
        pod: String,
        ways: [TunnelWay],
        limits: TunnelLimits,
        handler: @escaping (Event) -> Void
    ) {
        self.limits = limits
        way = WayChoice(ways)
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
            way: way.current,
            keys: keys,
            limits: limits,
            owner: self
        )
        tunnels.append(tunnel)
        tunnel.openUpstream()
    }

    // MARK: Placing connections

    /// Gives a connection to a tunnel, or lets it wait for one.
    func place(_ local: LocalConnection) {
        guard let port = local.port, !local.isClosing else { return }
        if let channels {
            channels.place(local)
            return
        }
        closeRetired()
        let choice = TunnelChoice(
            for: port.remote,
            among: updatedCandidates(),
            bounds: limits.tunnels,
            mayOpen: reconnect.mayTry(at: loop.now) && tunnels.count < tunnelsWithRetiringMax,
            now: loop.now
        )
        switch choice.verdict {
        case .use(let index): tunnels[index].open(local, port: port.remote)
        case .wait: wait(local)
        }
        if choice.opensAnother { openTunnel() }
    }

    private func updatedCandidates() -> [TunnelChoice.Candidate] {
        candidates.removeAll(keepingCapacity: true)
        for tunnel in tunnels { candidates.append(tunnel.candidate) }
        return candidates
    }

    private func wait(_ local: LocalConnection) {
        guard waiting.count < Self.waitingMax else {
            giveUp(local)
            return
        }
        waiting.append(Waiting(local: local, since: loop.now))
        scheduleTimer()
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
        way.worked()
        handler(.opened)
        placeWaiting()
        if tunnels.count < limits.tunnels.least { openTunnel() }
        if timer?.deadline == nil { scheduleTimer() }
    }

    package func tunnelTakesNoMore(_ tunnel: Tunnel) {
        guard !tunnels.contains(where: { $0.isOpen || $0.isOpening }),
            tunnels.count < tunnelsWithRetiringMax
        else { return }
        pauseBeforeReconnect(after: tunnel)
    }

    package func tunnelBecameIdle(_ tunnel: Tunnel) {
        // The set's timer may be set to a later time, for another reason: then this waits for that.
        if timer?.deadline == nil { scheduleTimer() }
    }

    /// Schedules the next attempt: at once where the tunnel has served for a while.
    private func pauseBeforeReconnect(after tunnel: Tunnel) {
        // Without randomness the pause is the longest.
        reconnect.lost(after: tunnel.openSpan, at: loop.now, random: (try? keys.next()) ?? .max)
        scheduleTimer()
    }

    package func tunnelEnded(_ tunnel: Tunnel, _ error: UpstreamError) {
        tunnels.removeAll { $0 === tunnel }
        guard !isClosed else { return }
        if tunnel.way == .channels, case .refused(let failure) = error, failure.asksForPorts {
            // The probe, which names no port, so that no pod notices it, was answered as it should be.
            useChannels()
            return
        }
        guard let error = way.ended(error) else {
            openTunnel()
            return
        }
        let isLast = !tunnels.contains { $0.isOpen }
        handler(.lost(error, isLast: isLast))
        // Also where others are left: a spare that cannot be had must not be asked for with each connection.
        if !isClosed { pauseBeforeReconnect(after: tunnel) }
    }

    /// There are no tunnels from now on.
    private func useChannels() {
        channels = ChannelSet(
            loop: loop,
            endpoint: endpoint,
            path: channelPath,
            pod: pod,
            keys: keys,
            reportFailure: { [weak self] in self?.connectionFailed(local: $0, remote: $1, $2) }
        )
        timer?.cancel()
        way.worked()
        handler(.opened)
        placeWaiting()
    }

    package func connectionFailed(local: UInt16, remote: UInt16, _ failure: ConnectionFailure) {
        handler(.connectionFailed(local: local, remote: remote, failure))
    }

    // MARK: Time

    private var hasTunnel: Bool { tunnels.contains { $0.isOpen || $0.isOpening } }

    private func scheduleTimer() {
        guard channels == nil else { return }
        var next: Instant?
        func consider(_ instant: Instant) { next = next.map { min($0, instant) } ?? instant }
        if !hasTunnel { consider(reconnect.nextAttempt ?? loop.now) }
        if let oldest = waiting.first {
            consider(oldest.since + Self.waitingSpan)
            if let attempt = reconnect.nextAttempt, attempt > loop.now { consider(attempt) }
        }
        if TunnelChoice.mayCloseIdle(among: updatedCandidates(), bounds: limits.tunnels),
            let idle = longestIdle
        {
            consider(idle.idleSince + TunnelChoice.idleSpan)
        }
        guard let next else { return }
        if timer == nil {
            timer = LoopTimer(loop: loop) { [weak self] in self?.timerFired() }
        }
        timer?.schedule(at: next)
    }

    private func timerFired() {
        guard !isClosed else { return }
        let now = loop.now
        while let oldest = waiting.first, oldest.since + Self.waitingSpan <= now {
            waiting.removeFirst()
            if !oldest.local.isClosing { giveUp(oldest.local) }
        }
        if !hasTunnel, reconnect.mayTry(at: now) { openTunnel() }
        if reconnect.mayTry(at: now) { placeWaiting() }
        while TunnelChoice.mayCloseIdle(among: updatedCandidates(), bounds: limits.tunnels),
            let idle = longestIdle, idle.idleSince + TunnelChoice.idleSpan <= now
        {
            tunnels.removeAll { $0 === idle }
            idle.close()
        }
        scheduleTimer()
    }

    private var longestIdle: Tunnel? {
        tunnels.filter { $0.isOpen && $0.load == 0 }.min { $0.idleSince < $1.idleSince }
    }

    /// Closes every tunnel; their connections are reset.
    package func close() {
        isClosed = true
        timer?.close()
        timer = nil
        for item in waiting { item.local.abort() }
        waiting = []
        for tunnel in tunnels { tunnel.close() }
        tunnels = []
        channels?.close()
        channels = nil
    }
}

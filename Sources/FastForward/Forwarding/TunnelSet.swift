/// The tunnels to one pod.
///
/// Theory of operation. Which of them a new connection gets, and how many there are, ``TunnelChoice`` decides. A lost
/// tunnel is replaced, with growing pauses between attempts; meanwhile accepted clients wait, bounded in number and
/// time. What nobody needs is closed after a while.
package final class TunnelSet: Tunnel.Owner {
    /// How many there may be with those that only end what they carry.
    private var tunnelsWithRetiringMax: Int { limits.tunnels.most + Self.retiringMax }
    private static let retiringMax = 24
    /// How many clients may wait for a tunnel before no more are accepted; one that comes back from a tunnel waits all
    /// the same.
    package static let waitingMax = 4096
    /// How many may wait for a better tunnel than there is: the rest of the room is for when there is none.
    private static let choosyMax = waitingMax / 4
    /// How often it is looked whether those who wait are still there: a socket that is not read does not tell.
    private static let waitingLook = TimeSpan.seconds(1)

    enum Event {
        /// A tunnel is open; the first says that the forward works.
        case opened
        /// A tunnel is gone, or, unless `wasOpen`, could not be made; `isLast`: no other is open now.
        case lost(UpstreamError, wasOpen: Bool, isLast: Bool)
        /// A connection failed for a reason that the server gave, or with its tunnel.
        case connectionFailed(local: UInt16, remote: UInt16, ConnectionFailure)
        /// A connection on which nothing has happened yet, and that needs another pod: this one is being left.
        case connectionLeft(LocalConnection)
        /// The pod refused a connection, which may be tried at another one.
        case connectionRefused(LocalConnection, ConnectionFailure)
        /// There is room again for clients that wait.
        case roomToWait
        /// Nothing is left of it after ``TunnelSet/retire()``.
        case retired
    }

    private let loop: EventLoop
    private var endpoint: UpstreamEndpoint
    let pod: String
    private let namespace: String
    private let keys: RandomKeys
    private let handler: (Event) -> Void
    private var way: WayChoice
    /// The way into the server that has worked; nil: none yet.
    var foundWay: TunnelWay? { way.found }
    /// Instead of tunnels, where none can be had.
    private var channels: ChannelSet?
    /// Whether WebSockets of channels can be opened, as far as is known.
    ///
    /// Where they cannot, the probe is sent again and again as a tunnel would be made again, and clients wait as for one.
    private var areChannelsUp = false
    private var channelsUpSince = Instant(nanoseconds: 0)
    /// Whether each connection has an upstream connection of its own.
    var usesChannels: Bool { channels != nil }
    private let limits: TunnelLimits
    private let budget: MemoryBudget
    /// How long accepted clients wait for a tunnel.
    private let hold: TimeSpan
    private let renewedEndpoint: () -> UpstreamEndpoint?
    private var tunnels: [Tunnel] = []
    /// What is known of each of ``tunnels``; kept, so that no accept allocates.
    private var candidates: [TunnelChoice.Candidate] = []
    /// Who waits, the longest first.
    private var waiting: [LocalConnection] = []
    /// Whether as many wait as may: further clients are left in the kernel's queue.
    private(set) var isFull = false
    private var lastLookAtWaiting = Instant(nanoseconds: 0)
    private var reconnect = ReconnectPolicy()
    private var timer: LoopTimer?
    private var isClosed = false
    /// Whether the pod is gone, so that clients wait for another one.
    private var isSuspended = false
    /// Ports that the pod refuses while it ends, so that their clients wait for another one.
    private var suspendedPorts: Set<UInt16> = []
    /// Whether the pod is being left.
    private var isRetiring = false
    /// Of the tunnels that are gone.
    private var pastStatistics = TunnelStatistics()

    /// - Parameters:
    ///   - hold: how long accepted clients wait for a tunnel.
    ///   - renewedEndpoint: asked before a lost last tunnel is made again; nil: nothing has changed.
    init(
        loop: EventLoop,
        endpoint: UpstreamEndpoint,
        pod: String,
        namespace: String,
        ways: [TunnelWay],
        knownWay: TunnelWay? = nil,
        limits: TunnelLimits,
        budget: MemoryBudget,
        hold: TimeSpan,
        renewedEndpoint: @escaping () -> UpstreamEndpoint?,
        handler: @escaping (Event) -> Void
    ) {
        self.limits = limits
        self.budget = budget
        self.hold = hold
        self.renewedEndpoint = renewedEndpoint
        way = WayChoice(ways, known: knownWay)
        self.loop = loop
        self.endpoint = endpoint
        self.pod = pod
        self.namespace = namespace
        self.handler = handler
        keys = RandomKeys(pool: loop.pool)
    }

    /// Opens the first tunnel.
    package func start() { openTunnel() }

    private func openTunnel() {
        let tunnel = Tunnel(
            loop: loop,
            endpoint: endpoint,
            path: .portForward(pod: pod, namespace: namespace, at: endpoint.server),
            pod: pod,
            way: way.current,
            keys: keys,
            limits: limits,
            budget: budget,
            owner: self
        )
        tunnels.append(tunnel)
        tunnel.openUpstream()
    }

    // MARK: Placing connections

    /// Gives a new connection to a tunnel, or lets it wait for one, which is sought the sooner for it.
    func place(_ local: LocalConnection) {
        local.wait.begin(at: loop.now)
        if !isReachable, !isSuspended, !isRetiring { hasten() }
        // Who waits for a turn goes first.
        if areChannelsUp, !isRetiring, !waiting.isEmpty { wait(local) } else { placeAgain(local) }
    }

    private func placeAgain(_ local: LocalConnection) {
        guard !local.isClosing else { return }
        guard !isRetiring else {
            handler(.connectionLeft(local))
            return
        }
        guard !isSuspended, mayBePlaced(local) else {
            wait(local)
            return
        }
        if let channels {
            if areChannelsUp, channels.hasRoom { channels.open(local) } else { wait(local) }
            return
        }
        updateCandidates()
        if candidates.contains(where: { $0.standing == .retiring }) {
            closeRetired()
            updateCandidates()
        }
        let choice = TunnelChoice(
            for: local.remotePort,
            among: candidates,
            bounds: bounds,
            mayOpen: reconnect.mayTry(at: loop.now) && tunnels.count < tunnelsWithRetiringMax && hasMemory,
            mayWait: waiting.count < Self.choosyMax,
            now: loop.now
        )
        switch choice.verdict {
        case .use(let index):
            pastStatistics.connections += 1
            local.wait.placed(at: loop.now)
            tunnels[index].open(local, port: local.remotePort)
        case .wait: wait(local)
        }
        if choice.opensAnother, choice.verdict == .wait || mayPrepare { openTunnel() }
    }

    /// Whether a tunnel may be opened that nobody waits for: a login is asked for only where one is needed.
    private var mayPrepare: Bool { !endpoint.wouldAskPerson }

    /// How many there may be: where descriptors are scarce, no second one while the first is of use.
    private var bounds: TunnelChoice.Bounds {
        loop.descriptors.hasRoomForSpare(beside: budget.carrierCount)
            ? limits.tunnels : TunnelChoice.Bounds(least: 1, most: 1)
    }

    /// Whether there may be one more tunnel; the first one always may.
    private var hasMemory: Bool { tunnels.isEmpty || budget.hasRoom(for: TunnelLimits.shareBytesMin) }

    private func updateCandidates() {
        candidates.removeAll(keepingCapacity: true)
        for tunnel in tunnels { candidates.append(tunnel.candidate) }
    }

    private var mayCloseIdle: Bool {
        updateCandidates()
        return TunnelChoice.mayCloseIdle(among: candidates, bounds: limits.tunnels)
    }

    private func wait(_ local: LocalConnection) {
        enqueue(local)
        scheduleTimer()
    }

    /// One that has come back from a tunnel may have waited for longer than others here.
    private func enqueue(_ local: LocalConnection) {
        var index = waiting.endIndex
        while index > 0, waiting[index - 1].wait.since > local.wait.since { index -= 1 }
        waiting.insert(local, at: index)
        if waiting.count >= Self.waitingMax { isFull = true }
    }

    private func reportRoom() {
        guard isFull, waiting.count < Self.waitingMax else { return }
        isFull = false
        handler(.roomToWait)
    }

    /// Closes those who wait for nothing any more, as they are gone; not more often than every ``waitingLook``.
    private func dropForsaken() {
        guard lastLookAtWaiting + Self.waitingLook <= loop.now else { return }
        lastLookAtWaiting = loop.now
        for local in waiting where !local.isClosing && local.isForsaken { local.close() }
        waiting.removeAll { $0.isClosing }
    }

    /// Makes the next attempt sooner.
    ///
    /// - Returns: false: it is not.
    @discardableResult private func hasten() -> Bool {
        // Without randomness the pause stays as it is.
        guard let random = try? keys.next() else { return false }
        return reconnect.hasten(at: loop.now, random: random)
    }

    /// Takes note that the network of this host has changed.
    ///
    /// - Returns: whether a pause before the next attempt was cut short.
    func networkChanged() -> Bool {
        // Some may end by it.
        for tunnel in tunnels { tunnel.networkChanged() }
        channels?.networkChanged()
        let isHastened = hasten()
        scheduleTimer()
        return isHastened
    }

    /// What has gone to the pod and come from it so far.
    package var statistics: TunnelStatistics {
        var sum = pastStatistics
        for tunnel in tunnels { sum.add(tunnel) }
        if let channels { sum.add(channels.statistics) }
        return sum
    }

    private func account(for tunnel: Tunnel) { pastStatistics.add(tunnel) }

    /// Closes tunnels that take no more connections and carry nobody any more.
    private func closeRetired() {
        for tunnel in tunnels where tunnel.isOver {
            account(for: tunnel)
            tunnels.removeAll { $0 === tunnel }
            endpoint.observer?(.tunnelRetired(way: tunnel.way, openSpan: tunnel.openSpan))
            tunnel.close()
        }
    }

    private func giveUp(_ local: LocalConnection) {
        if let port = local.port { connectionFailed(local: port.local, remote: local.remotePort, .noTunnel) }
        local.fail()
    }

    private func placeWaiting() {
        if let channels, !isRetiring {
            // Thousands may wait, and there is room for a few: the others stay where they are.
            while areChannelsUp, !isSuspended, channels.hasRoom,
                let next = waiting.firstIndex(where: mayBePlaced)
            {
                placeAgain(waiting.remove(at: next))
            }
        } else {
            var placed: [LocalConnection] = []
            swap(&placed, &waiting)
            for local in placed { placeAgain(local) }
        }
        reportRoom()
    }

    // MARK: The tunnels' calls

    var isPodServing: Bool { tunnels.contains { $0.podActivity.isServing(at: loop.now) } }

    func tunnelOpened(_ tunnel: Tunnel) {
        pastStatistics.opened += 1
        way.worked()
        endpoint.observer?(.tunnelOpened(way: tunnel.way, tls: tunnel.negotiatedTLS))
        handler(.opened)
        placeWaiting()
        if tunnels.count < bounds.least, reconnect.mayTry(at: loop.now), hasMemory, mayPrepare {
            openTunnel()
        }
        if timer?.deadline == nil { scheduleTimer() }
    }

    func tunnelTakesNoMore(_ tunnel: Tunnel) {
        if tunnel.isOver { scheduleTimer(at: loop.now) }
        guard !tunnels.contains(where: { $0.isOpen || $0.isOpening }),
            tunnels.count < tunnelsWithRetiringMax
        else { return }
        pauseBeforeReconnect(after: tunnel.openSpan)
    }

    func tunnelTakesAgain(_ tunnel: Tunnel) {
        // In a turn of its own: this comes in the middle of its batch.
        if !waiting.isEmpty { scheduleTimer(at: loop.now) }
    }

    func tunnelBecameIdle(_ tunnel: Tunnel) {
        guard !isRetiring, !tunnel.isOver else {
            scheduleTimer(at: loop.now)
            return
        }
        // The set's timer may be set to a later time, for another reason: then this waits for that.
        if timer?.deadline == nil { scheduleTimer() }
    }

    /// Schedules the next attempt: at once where what is lost has served for a while.
    private func pauseBeforeReconnect(after openSpan: TimeSpan) {
        // Without randomness the pause is the longest.
        reconnect.lost(
            after: openSpan,
            at: loop.now,
            random: (try? keys.next()) ?? .max,
            patience: waiting.isEmpty ? nil : hold
        )
        scheduleTimer()
    }

    func tunnelEnded(_ tunnel: Tunnel, _ error: UpstreamError) {
        account(for: tunnel)
        tunnels.removeAll { $0 === tunnel }
        guard !isClosed else { return }
        if tunnel.way == .channels, case .refused(let failure) = error, failure.asksForPorts {
            // The probe, which names no port, so that no pod notices it, was answered as it should be.
            useChannels()
            return
        }
        if case .silent = error {
            // Else the next clients would be given to one that is as dead, only not looked at yet.
            for other in tunnels { other.doubt() }
        }
        let openSpan = tunnel.hasBeenOpen ? tunnel.openSpan : nil
        endpoint.observer?(.tunnelEnded(way: tunnel.way, reason: error, openSpan: openSpan))
        guard let error = way.ended(error) else {
            openTunnel()
            return
        }
        if tunnel.hasBeenOpen { pastStatistics.lost += 1 }
        guard !isRetiring else {
            placeWaiting()
            reportIfRetired()
            return
        }
        // Also where others are left: a spare that cannot be had must not be asked for with each connection.
        lost(error, after: openSpan)
        placeWaiting()
    }

    /// - Parameter openSpan: nil: it could not be made.
    private func lost(_ error: UpstreamError, after openSpan: TimeSpan?) {
        let upSpan = areChannelsUp ? loop.now - channelsUpSince : openSpan ?? .zero
        areChannelsUp = false
        let isLast = !tunnels.contains { $0.isOpen } && !(channels?.hasOpen ?? false)
        handler(.lost(error, wasOpen: openSpan != nil, isLast: isLast))
        if !isClosed { pauseBeforeReconnect(after: upSpan) }
    }

    func connectionLeft(_ local: LocalConnection) {
        // In a turn of its own: its tunnel, which is in the middle of its end or of a batch, is still in the list.
        pastStatistics.connections -= 1
        local.wait.begin(at: loop.now)
        enqueue(local)
        scheduleTimer(at: loop.now)
    }

    func connectionRefused(_ local: LocalConnection, _ failure: ConnectionFailure) {
        handler(.connectionRefused(local, failure))
    }

    // MARK: Channels

    /// There are no tunnels from now on, or the server that knows none can be reached again.
    private func useChannels() {
        way.worked()
        if let channels {
            channels.reached(at: endpoint)
        } else {
            channels = ChannelSet(
                loop: loop,
                endpoint: endpoint,
                pod: pod,
                namespace: namespace,
                keys: keys,
                budget: budget,
                hold: hold
            ) { [weak self] in self?.channelsReported($0) }
        }
        channelsWork()
    }

    private func channelsWork() {
        guard !areChannelsUp else { return }
        areChannelsUp = true
        channelsUpSince = loop.now
        handler(.opened)
        scheduleTimer(at: loop.now)
    }

    private func channelsReported(_ event: ChannelSet.Event) {
        guard !isClosed else { return }
        switch event {
        case .connectionFailed(let local, let remote, let failure):
            connectionFailed(local: local, remote: remote, failure)
        case .connectionRefused(let local, let failure):
            if isRetiring || !waiting.isEmpty { scheduleTimer(at: loop.now) }
            handler(.connectionRefused(local, failure))
        case .opened:
            if !areChannelsUp {
                // It says what the probe that is on its way would.
                for tunnel in tunnels { end(tunnel) }
                channelsWork()
            }
            if !waiting.isEmpty { scheduleTimer(at: loop.now) }
        case .notOpened(let local, let error, let isOutdated):
            if !local.isClosing { wait(local) }
            if areChannelsUp, !isOutdated, !isRetiring { lost(error, after: nil) }
            if isRetiring || areChannelsUp { scheduleTimer(at: loop.now) }
        case .ended(let isCut):
            if isRetiring || !waiting.isEmpty { scheduleTimer(at: loop.now) }
            if isCut { doubtChannels() }
        }
    }

    /// Asks whether the server is still there, where no client is about to find out.
    private func doubtChannels() {
        guard let channels, channels.isIdle, waiting.isEmpty, tunnels.isEmpty, areChannelsUp, !isSuspended,
            !isRetiring, mayPrepare, reconnect.mayTry(at: loop.now)
        else { return }
        openTunnel()
    }

    // MARK: Connections and pods

    func connectionFailed(local: UInt16, remote: UInt16, _ failure: ConnectionFailure) {
        handler(.connectionFailed(local: local, remote: remote, failure))
    }

    /// Lets clients wait from now on, until the pod is left or there again.
    func suspend() { isSuspended = true }

    /// Lets clients of one port wait from now on, as the pod refuses it and is about to be left.
    func suspend(_ port: UInt16) { suspendedPorts.insert(port) }

    private func mayBePlaced(_ local: LocalConnection) -> Bool {
        suspendedPorts.isEmpty || !suspendedPorts.contains(local.remotePort)
    }

    /// Goes on after ``suspend()`` and ``suspend(_:)``.
    func resume() {
        guard isSuspended || !suspendedPorts.isEmpty else { return }
        isSuspended = false
        suspendedPorts = []
        placeWaiting()
        scheduleTimer()
    }

    /// Makes no tunnel and takes no connection any more; what is open goes on to its end.
    func retire() {
        guard !isRetiring, !isClosed else { return }
        isRetiring = true
        placeWaiting()
        for tunnel in tunnels where tunnel.load == 0 { end(tunnel) }
        reportIfRetired()
    }

    private func end(_ tunnel: Tunnel) {
        account(for: tunnel)
        tunnels.removeAll { $0 === tunnel }
        tunnel.close()
    }

    private func reportIfRetired() {
        guard isRetiring, !isClosed, tunnels.isEmpty, channels?.isIdle ?? true else { return }
        handler(.retired)
    }

    // MARK: Time

    private var hasTunnel: Bool { tunnels.contains { $0.isOpen || $0.isOpening } }
    private var isReachable: Bool { areChannelsUp || hasTunnel }

    private func scheduleTimer() {
        var next: Instant?
        func consider(_ instant: Instant) { next = next.map { min($0, instant) } ?? instant }
        if !isReachable, !isSuspended { consider(reconnect.nextAttempt ?? loop.now) }
        if let oldest = waiting.first {
            consider(oldest.wait.since + hold)
            consider(lastLookAtWaiting + Self.waitingLook)
            if let attempt = reconnect.nextAttempt, attempt > loop.now { consider(attempt) }
            if let channels, areChannelsUp, !isSuspended, waiting.contains(where: mayBePlaced) {
                consider(channels.nextRoom())
            }
        }
        if mayCloseIdle, let idle = longestIdle {
            consider(idle.idleSince + TunnelChoice.idleSpan)
        }
        if let next { scheduleTimer(at: next) }
    }

    private func scheduleTimer(at instant: Instant) {
        if timer == nil {
            timer = LoopTimer(loop: loop) { [weak self] in self?.timerFired() }
        }
        timer?.schedule(at: instant)
    }

    private func timerFired() {
        guard !isClosed else { return }
        if isRetiring {
            placeWaiting()
            // In a turn of its own: the last release comes in the middle of a tunnel's batch.
            for tunnel in tunnels where tunnel.load == 0 { end(tunnel) }
            reportIfRetired()
            return
        }
        closeRetired()
        let now = loop.now
        // What this process has slept through was nobody's waiting.
        if let pause = timer?.ownPause, pause > .zero {
            for local in waiting { local.wait.prolong(by: pause, at: now) }
        }
        dropForsaken()
        while let oldest = waiting.first, oldest.wait.since + hold <= now {
            waiting.removeFirst()
            if !oldest.isClosing { giveUp(oldest) }
        }
        reportRoom()
        if !isReachable, !isSuspended, reconnect.mayTry(at: now) {
            // What the kubeconfig says may have changed, which may be why the tunnel was lost.
            if way.isFound { endpoint = renewedEndpoint() ?? endpoint }
            openTunnel()
        }
        if areChannelsUp || reconnect.mayTry(at: now), !isSuspended { placeWaiting() }
        while mayCloseIdle, let idle = longestIdle, idle.idleSince + TunnelChoice.idleSpan <= now {
            account(for: idle)
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
        for local in waiting { local.abort() }
        waiting = []
        for tunnel in tunnels { tunnel.close() }
        tunnels = []
        channels?.close()
        channels = nil
    }
}

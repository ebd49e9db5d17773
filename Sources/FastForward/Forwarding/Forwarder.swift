/// Forwards local ports to a pod's ports, for one command.
///
/// Theory of operation. The pod is asked for and a tunnel is opened at the same time; when both are there, the
/// local ports are bound, and only then is the forward said to be ready: a connection made from that moment on is
/// carried. Which pod and which tunnel a connection gets is chosen for each one, after it was accepted.
package final class Forwarder {
    /// What happens to the end of a client that may still want its answer.
    package enum HalfClose: String, CaseIterable, Sendable {
        /// By the pod's container runtime: containerd would cut the answer a second later, others pass the end on.
        case auto
        /// It is passed on to the pod.
        case pass
        /// It is held until the client has closed altogether.
        case hold
    }

    package struct Request {
        package var access: ClusterAccess
        package var target: TargetArgument
        package var ports: [PortArgument]
        /// IP addresses, or `localhost` for both loopback addresses.
        package var addresses: [String]
        /// The ways into the API server, in the order in which they are tried.
        package var ways: [TunnelWay]
        /// What happens to the end of a client that may still want its answer.
        package var halfClose = HalfClose.auto
        /// How many tunnels there are, and what they may keep in memory.
        package var limits = TunnelLimits.standard
        /// How connections are spread over all pods of the target; nil: they go to one pod.
        package var balance: PodBalance?
        /// How long clients wait for a tunnel where there is none.
        package var hold = TimeSpan.seconds(30)
        /// Whether a lost tunnel is made again, and a lost pod replaced; false: the forward ends, as kubectl's does.
        package var reconnects = true
        /// Reads the kubeconfig once more; nil: it is not read again.
        package var reloadedAccess: (() -> ClusterAccess?)?
        /// How many clients there may be at once; nil: as many as there are descriptors for.
        package var connectionsMax: Int?
        /// How many descriptors this process may have.
        package var descriptorsMax = 1024
        /// How long a pod of a service or workload is waited for where there is none.
        package var podRunningTimeout = TimeSpan.seconds(60)
        /// How long such an end is held where nobody can tell whether the client is still there.
        package var halfCloseTimeout = TimeSpan.seconds(30)
        /// Which facts are told as ``ForwarderEvent/fact(_:)``.
        package var detail = ForwardingDetail.nothing

        package init(
            access: ClusterAccess,
            target: TargetArgument,
            ports: [PortArgument],
            addresses: [String],
            ways: [TunnelWay] = TunnelWay.allCases
        ) {
            self.ways = ways
            self.access = access
            self.target = target
            self.ports = ports
            self.addresses = addresses
        }
    }

    private let loop: EventLoop
    private var request: Request
    private let handler: (ForwarderEvent) -> Void
    private let departures: Departures
    private let heldEnds: HeldEnds
    private let budget: MemoryBudget

    private var endpoint: UpstreamEndpoint?
    private var search: TargetSearch?
    private var found: TargetSearch.Found?
    private var pods: PodSet?
    private var hasTunnel = false
    private var startError: UpstreamError?
    private var listeners: [ForwardedListener] = []
    private var gate: AcceptGate?
    private var networkWatch: NetworkWatch?
    private var isDraining = false
    /// Nil: nobody is accepted any more, or everybody.
    private var drainTimer: LoopTimer?
    private var acceptedCount = 0
    private var failures: [String: Int] = [:]
    private var isReady = false
    private var isClosed = false
    /// The clients of open connections and when they came; empty unless somebody wants to know.
    private var clients: [ObjectIdentifier: (address: SocketAddress?, since: Instant)] = [:]
    /// Local connections whose descriptors are open.
    package private(set) var connectionCount = 0

    package init(loop: EventLoop, request: Request, handler: @escaping (ForwarderEvent) -> Void) {
        self.loop = loop
        self.request = request
        self.handler = handler
        budget = MemoryBudget(pool: loop.pool, limits: request.limits)
        departures = Departures(loop: loop)
        heldEnds = HeldEnds(loop: loop, owners: SocketOwners(), timeout: request.halfCloseTimeout)
    }

    // MARK: Starting

    /// Begins; ``ForwarderEvent/ready`` or ``ForwarderEvent/failed(_:)`` follows.
    package func start() {
        loop.descriptors.calibrate(openCount: ProcessLimits.openFileCount())
        for address in request.addresses where address != "localhost" {
            guard SocketAddress(ip: address, port: 0) != nil else {
                fail(.invalidAddress(address))
                return
            }
        }
        let endpoint: UpstreamEndpoint
        do throws(TLSError) {
            endpoint = try UpstreamEndpoint(access: request.access)
        } catch {
            fail(.tls(error))
            return
        }
        self.endpoint = endpoint
        if request.detail > .nothing { endpoint.observer = { [weak self] in self?.tell($0) } }
        let search = TargetSearch(
            loop: loop,
            endpoint: endpoint,
            target: request.target,
            namespace: request.access.namespace,
            timeout: request.podRunningTimeout
        ) { [weak self] in self?.targetAnswered($0) }
        self.search = search
        search.start()
        // The name of a pod is enough to begin: the tunnel is made while the pod is asked for.
        if request.target.kind == .pod {
            openTunnels(to: request.target.name, namespace: request.access.namespace)
        }
    }

    private func openTunnels(to pod: String, uid: String? = nil, namespace: String) {
        guard pods == nil else { return }
        let pods = PodSet(
            PodSet.Surroundings(
                loop: loop,
                ways: request.ways,
                limits: request.limits,
                budget: budget,
                hold: request.hold,
                reconnects: request.reconnects,
                balance: request.balance,
                endpoint: { [weak self] in self?.endpoint },
                renewedEndpoint: { [weak self] in self?.renewedEndpoint() },
                remotePorts: { [weak self] in (try? self?.ports(of: $0, $1))?.map(\.remote) }
            )
        ) { [weak self] in self?.podSetReported($0) }
        self.pods = pods
        pods.add(pod, uid: uid, namespace: namespace)
    }

    private func ports(
        of pod: Pod,
        _ slices: EndpointTracker?
    ) throws(PortArgumentError) -> [ForwardedPort] {
        if var service = found?.service {
            if !service.hasSelector, let slices { service = service.translated(by: slices, at: pod) }
            return try PortArgument.resolve(request.ports, against: service, at: pod)
        }
        var ports: [ForwardedPort] = []
        for argument in request.ports { ports.append(try argument.resolve(against: pod)) }
        return ports
    }

    private func targetAnswered(_ result: Result<TargetSearch.Found, ForwarderFailure>) {
        let wasPutOff = search?.wasPutOff ?? false
        search = nil
        switch result {
        case .failure(let failure):
            fail(failure)
        case .success(let found):
            if let problem = PodNotRunning(found.pod) {
                fail(.podNotRunning(problem))
                return
            }
            let namespace = found.pod.metadata.namespace ?? request.access.namespace
            self.found = found
            tell(.podChosen(pod: found.pod.metadata.name, namespace: namespace))
            if wasPutOff, startError != nil {
                // The server was busy when the tunnel was asked for; kubectl asks for it only now.
                startError = nil
                pods?.close()
                pods = nil
                hasTunnel = false
            }
            if let startError { fail(.upstream(startError)) }
            if pods == nil {
                openTunnels(to: found.pod.metadata.name, uid: found.pod.metadata.uid, namespace: namespace)
            }
            beginIfPossible()
        }
    }

    private func podSetReported(_ event: PodSet.Event) {
        guard !isClosed else { return }
        switch event {
        case .opened:
            let wasLost = isReady && !hasTunnel
            hasTunnel = true
            if wasLost { handler(.tunnelRestored) }
            beginIfPossible()
        case .lost(let error, let wasOpen, let isLast):
            if isLast { hasTunnel = false }
            if isReady, isLast, !request.reconnects {
                fail(.lostConnection)
            } else if isReady {
                handler(
                    wasOpen || isLast ? .tunnelLost(error, isLast: isLast) : .tunnelNotOpened(error)
                )
            } else if isLast {
                // What the API says of the pod is the better reason, where it says something.
                startError = error
                if found != nil { fail(.upstream(error)) }
            }
        case .connectionFailed(let local, let remote, let failure):
            failures[failure.kind, default: 0] += 1
            handler(.connectionFailed(localPort: local, remotePort: remote, failure))
        case .roomToWait: if !isDraining { acceptCrowded() }
        case .moved(let old, let new, let loss): handler(.podChanged(from: old, to: new, loss))
        case .bereft(let name, let loss):
            guard !request.reconnects else {
                handler(.podMissing(name, loss))
                return
            }
            // One that terminates may serve for a while.
            guard loss != .terminating else { return }
            handler(.podLeft(name, loss))
            fail(.lostConnection)
        case .joined(let name): handler(.podJoined(name))
        case .left(let name, let loss): handler(.podLeft(name, loss))
        }
    }

    private func beginIfPossible() {
        guard let found, hasTunnel, !isReady, !isClosed else { return }
        let ports: [ForwardedPort]
        do throws(PortArgumentError) { ports = try self.ports(of: found.pod, found.slices) } catch {
            fail(.port(error))
            return
        }
        pods?.know(found.pod, remotePorts: ports.map(\.remote))
        for (index, port) in ports.enumerated() { listen(port, index) }
        guard !listeners.isEmpty else {
            fail(.nothingToListenOn(ports))
            return
        }
        loop.descriptors.limit(to: request.descriptorsMax)
        let openCount = loop.descriptors.openCount
        let usesChannels = pods?.usesChannels ?? false
        let perConnection = usesChannels ? 2 : 1
        gate = AcceptGate(
            descriptorsMax: request.descriptorsMax,
            openDescriptors: openCount,
            tunnelsMax: request.limits.tunnels.most,
            perConnection: perConnection,
            memoryConnectionsMax: usesChannels
                ? budget.carriersMax(each: TunnelLimits.channelBytes) : nil,
            connectionsMax: request.connectionsMax
        )
        guard gate != nil else {
            let needed = AcceptGate.descriptorsMin(beside: openCount, perConnection: perConnection)
            fail(.tooFewDescriptors(limit: request.descriptorsMax, needed: needed))
            return
        }
        isReady = true
        for listener in listeners {
            for address in listener.addresses {
                handler(.listening(address: address, remotePort: listener.remote))
            }
        }
        handler(.ready)
        followPods(of: found)
        // Where nothing tells of the network, a dead one is noticed by its silence.
        guard request.reconnects else { return }
        networkWatch = try? NetworkWatch(loop: loop) { [weak self] in self?.networkChanged() }
    }

    private func followPods(of found: TargetSearch.Found) {
        let namespace = found.pod.metadata.namespace ?? request.access.namespace
        let onlyPod = PodSelector(pod: found.pod.metadata.name, namespace: namespace)
        guard request.reconnects || request.balance != nil else {
            pods?.follow(onlyPod, service: nil, areNamedBySlices: false)
            return
        }
        pods?.follow(
            found.selector ?? onlyPod,
            service: found.service?.metadata.name,
            areNamedBySlices: found.slices != nil
        )
    }

    /// Whether the end of a client that still wants its answer is kept from the pod.
    private var holdsEnds: Bool {
        switch request.halfClose {
        case .pass: false
        case .hold: true
        case .auto: found?.pod.runtime == .containerd
        }
    }

    /// Listens on every address for one port: `localhost` fails only if both of its addresses do, an explicit
    /// address must not fail (kubectl's rule: client-go `tools/portforward/portforward.go`).
    private func listen(_ port: ForwardedPort, _ index: Int) {
        let listener = ForwardedListener(
            loop: loop,
            port: port,
            index: index,
            departures: departures,
            heldEnds: heldEnds,
            holdsEnds: holdsEnds,
            mayAccept: { [weak self] in self?.mayAccept() ?? false },
            accepted: { [weak self] in self?.accepted($0) },
            overflowed: { [weak self] in self?.handler(.queueFull(localPort: $0, most: $1)) },
            closed: { [weak self] in self?.closed($0) }
        )
        var errors: [(address: SocketAddress, error: LoopError)] = []
        var isFatal = false
        // Of localhost's two addresses one is enough.
        var spares = 0
        var failedSpares = 0
        for (ip, isSpare) in Self.places(request.addresses) {
            if isSpare { spares += 1 }
            guard let failure = listener.listen(on: ip) else { continue }
            errors.append((failure.address, failure.error))
            if isSpare { failedSpares += 1 } else { isFatal = true }
        }
        guard !isFatal, spares == 0 || failedSpares < spares else {
            listener.close()
            handler(.listenFailed(localPort: port.local, remotePort: port.remote, errors: errors))
            return
        }
        listeners.append(listener)
    }

    /// The addresses to listen on, each once, in the order of their texts; `isSpare`: it is one of `localhost`'s.
    ///
    /// Source: client-go `tools/portforward/portforward.go`, parseAddresses.
    private static func places(_ addresses: [String]) -> [(ip: String, isSpare: Bool)] {
        let named = Set(addresses).subtracting(["localhost"])
        let all = addresses.contains("localhost") ? named.union(["127.0.0.1", "::1"]) : named
        return all.sorted().map { ($0, !named.contains($0)) }
    }

    // MARK: Forwarding

    private func accepted(_ local: LocalConnection) {
        connectionCount += 1
        acceptedCount += 1
        handler(.accepted(localPort: local.port?.local ?? 0))
        if request.detail >= .connections, let port = local.port {
            let client = local.peerAddress
            clients[ObjectIdentifier(local)] = (client, loop.now)
            tell(.connectionBegan(client: client, localPort: port.local, remotePort: port.remote))
        }
        pods?.place(local)
    }

    private func mayAccept() -> Bool {
        guard pods?.hasRoomToWait ?? true else { return false }
        let hasDescriptor = loop.descriptors.hasRoomForClient(beside: connectionCount)
        switch gate?.verdict(beside: connectionCount, hasDescriptor: hasDescriptor) {
        case .accept, nil:
            return true
        case .wait(let limit):
            if let limit { handler(.acceptingPaused(connections: connectionCount, limit)) }
            return false
        }
    }

    private func networkChanged() {
        let isHastened = pods?.networkChanged() ?? false
        tell(.networkChanged(endsPause: isHastened))
    }

    /// What the kubeconfig says now, where that is something else than before.
    private func renewedEndpoint() -> UpstreamEndpoint? {
        guard let access = request.reloadedAccess?(), access != request.access else { return nil }
        do throws(TLSError) {
            let renewed = try UpstreamEndpoint(access: access)
            renewed.observer = endpoint?.observer
            request.access = access
            endpoint = renewed
            return renewed
        } catch {
            // Half-written files are read again at the next attempt.
            return nil
        }
    }

    /// What has been done so far.
    package var statistics: ForwarderStatistics {
        ForwarderStatistics(
            accepted: acceptedCount,
            open: connectionCount,
            failures: failures.map { (kind: $0, count: $1) }.sorted { $0.kind < $1.kind },
            pods: pods?.statistics ?? []
        )
    }

    private func closed(_ local: LocalConnection) {
        connectionCount -= 1
        pods?.closed(local)
        if request.detail >= .connections { tellEnd(of: local) }
        guard !isClosed else { return }
        if isDraining {
            if connectionCount == 0, drainTimer == nil { handler(.drained) }
            return
        }
        if gate?.left(connectionCount) ?? false { handler(.acceptingResumed) }
        acceptCrowded()
    }

    private func acceptCrowded() {
        // In turns: one port's clients do not wait until those of another are all gone.
        if listeners.count > 1 { listeners.append(listeners.removeFirst()) }
        for listener in listeners { listener.acceptCrowded() }
    }

    private func tellEnd(of local: LocalConnection) {
        guard let port = local.port,
            let (address, since) = clients.removeValue(forKey: ObjectIdentifier(local))
        else { return }
        let connection = ForwardedConnection(
            client: address,
            localPort: port.local,
            remotePort: local.remotePort,
            bytesFromClient: local.readByteCount,
            bytesToClient: local.writtenByteCount,
            span: loop.now - since
        )
        tell(.connectionEnded(connection))
    }

    private func tell(_ fact: ForwardingFact) {
        if fact.detail <= request.detail { handler(.fact(fact)) }
    }

    // MARK: Ending

    /// Accepts those who stand in the kernel's queues, as far as there is room, and then nobody any more;
    /// ``ForwarderEvent/drained`` follows when the last client is gone.
    package func drain() {
        guard !isClosed, !isDraining else { return }
        isDraining = true
        acceptQueued(upTo: acceptedCount + queuedCount, after: nil)
    }

    private var queuedCount: Int { listeners.reduce(0) { $0 + $1.queuedCount } }

    /// - Parameters:
    ///   - most: how many will have been accepted then: who comes later is not.
    ///   - before: how many had been; nil: the sockets have not been looked at yet.
    private func acceptQueued(upTo most: Int, after before: Int?) {
        let now = acceptedCount
        guard queuedCount > 0, now < most, now != before, mayAccept() else {
            acceptNobody()
            return
        }
        // libuv tells of them when it looks at the sockets next.
        drainTimer?.close()
        drainTimer = LoopTimer(loop: loop) { [weak self] in self?.acceptQueued(upTo: most, after: now) }
        drainTimer?.schedule(at: loop.now + .milliseconds(1))
    }

    private func acceptNobody() {
        drainTimer?.close()
        drainTimer = nil
        let count = queuedCount
        for listener in listeners { listener.close() }
        if count > 0 {
            failures["not accepted", default: 0] += count
            handler(.queueDropped(count))
        }
        if connectionCount == 0 { handler(.drained) }
    }

    private func fail(_ failure: ForwarderFailure) {
        guard !isClosed else { return }
        close()
        handler(.failed(failure))
    }

    /// Stops listening, resets what is live and closes the tunnels; the loop runs dry afterwards.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        search?.cancel()
        search = nil
        networkWatch?.close()
        networkWatch = nil
        drainTimer?.close()
        drainTimer = nil
        for listener in listeners { listener.close() }
        pods?.close()
        departures.close()
        heldEnds.close()
        endpoint?.close()
    }

    /// Whether a credential plugin's process may still be there; ``close()`` ends it in later turns.
    package var isPluginAlive: Bool { endpoint?.isPluginAlive ?? false }
}

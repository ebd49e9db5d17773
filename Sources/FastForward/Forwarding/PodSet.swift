/// How connections are spread over the pods of a service or workload.
package enum PodBalance: String, CaseIterable, Sendable {
    /// The pod with the fewest connections.
    case least
    /// One after the other.
    case roundRobin = "round-robin"
    case random
}

/// The pods that a forward goes to, and which of them a connection gets.
///
/// Theory of operation. A forward begins with one pod. Where the target is more than a pod, its pods are followed
/// (``ObjectWatch``; ``TargetPods`` says what that means): without balancing the forward stays with its pod until that is
/// lost, and then moves to the best of the others; with balancing every pod that serves takes part. Where none of the
/// others is ready, one that runs may become so: its clients wait, but not until their time is up, as it may also never.
/// A pod that is lost is *left*: its live connections go on to their own end, new ones and those on which nothing has
/// happened yet go elsewhere.
/// A pod whose port refuses a dial is set aside for that port for a while, as long as there are others.
final class PodSet {
    /// How many pods take part in balancing, as far as there are memory and descriptors: each has tunnels of its own.
    static let balancedPodsMax = 64

    /// How long after its begin a forward begins to follow its pod.
    private static let followAfter = TimeSpan.milliseconds(500)

    enum Event {
        case opened
        /// A tunnel is gone, or, unless `wasOpen`, could not be made; `isLast`: no pod has one now.
        case lost(UpstreamError, wasOpen: Bool, isLast: Bool)
        case connectionFailed(local: UInt16, remote: UInt16, ConnectionFailure)
        /// There is room again for clients that wait.
        case roomToWait
        /// New connections go to another pod.
        case moved(from: String, to: String, PodLoss)
        /// The pod is lost, and there is no other yet; told again when it is lost for another reason.
        case bereft(of: String, PodLoss)
        /// A pod takes part in balancing, or does no more.
        case joined(String)
        case left(String, PodLoss)
    }

    /// What the forwarder knows and does for the pods.
    struct Surroundings {
        let loop: EventLoop
        let ways: [TunnelWay]
        let limits: TunnelLimits
        let budget: MemoryBudget
        let hold: TimeSpan
        /// Whether a lost pod gives way to another one.
        let reconnects: Bool
        /// Nil: one pod at a time.
        let balance: PodBalance?
        let endpoint: () -> UpstreamEndpoint?
        let renewedEndpoint: () -> UpstreamEndpoint?
        /// The pod's ports, in the order of the listeners'; nil: it lacks one.
        let remotePorts: (Pod, EndpointTracker?) -> [UInt16]?
    }

    private final class Member {
        let number: Int
        let name: String
        var uid: String?
        let namespace: String
        let tunnels: TunnelSet
        var remotePorts: [UInt16]
        var hasTunnel = false
        /// Whether it takes new connections; one that is not ready does not.
        var isServing = true
        var isLeft = false
        var connectionCount = 0
        var refusedPorts = RefusedPorts()

        init(
            number: Int,
            name: String,
            uid: String?,
            namespace: String,
            tunnels: TunnelSet,
            remotePorts: [UInt16]
        ) {
            self.number = number
            self.name = name
            self.uid = uid
            self.namespace = namespace
            self.tunnels = tunnels
            self.remotePorts = remotePorts
        }

        /// Where connections of a listener go in this pod.
        func remotePort(for port: ForwardedListener) -> UInt16 {
            remotePorts.indices.contains(port.index) ? remotePorts[port.index] : port.remote
        }
    }

    private let surroundings: Surroundings
    private let handler: (Event) -> Void
    private let keys: RandomKeys
    private let replays = Replay.Account()
    private var members: [Member] = []
    private var nextNumber = 0
    private var podWatch: ObjectWatch<Pod>?
    /// Of a service, where the user may read them.
    private var sliceWatch: ObjectWatch<EndpointSlice>?
    private var areNamedBySlices = false
    /// Why the only pod is lost, where there is no other.
    private var bereftBy: PodLoss?
    /// Since when a pod that is not ready could take the place of the only one, which is lost.
    private var unreadySince: Instant?
    private var unreadyTimer: LoopTimer?
    private var turn = 0
    /// Connections that a pod has refused and of which it is not decided yet what becomes.
    private var refused: [(local: LocalConnection, failure: ConnectionFailure, by: Member)] = []
    private var refusedTimer: LoopTimer?
    /// The way into the server that has worked for some pod.
    private var foundWay: TunnelWay?
    private var isClosed = false
    /// Of the pods that were left, and have not come again under their names.
    private var pastStatistics: [(name: String, TunnelStatistics)] = []
    private static let pastPodsMax = 100

    init(_ surroundings: Surroundings, handler: @escaping (Event) -> Void) {
        self.surroundings = surroundings
        self.handler = handler
        keys = RandomKeys(pool: surroundings.loop.pool)
    }

    var isEmpty: Bool { members.isEmpty }
    /// Whether each connection has an upstream connection of its own.
    var usesChannels: Bool { members.contains { $0.tunnels.usesChannels } }
    private var hasTunnel: Bool { members.contains { $0.hasTunnel && !$0.isLeft } }

    /// By name: a pod that was made again under its name is counted with the one before.
    var statistics: [(name: String, TunnelStatistics)] {
        var all = pastStatistics
        for member in members { Self.add(member, to: &all) }
        return all
    }

    private static func add(_ member: Member, to all: inout [(name: String, TunnelStatistics)]) {
        let statistics = member.tunnels.statistics
        if let index = all.firstIndex(where: { $0.name == member.name }) {
            all[index].1.add(statistics)
        } else {
            all.append((member.name, statistics))
        }
    }

    // MARK: Pods

    /// Opens the first tunnel to a pod of this name.
    func add(_ name: String, uid: String? = nil, namespace: String, remotePorts: [UInt16] = []) {
        guard let endpoint = surroundings.endpoint() else { return }
        let number = nextNumber
        nextNumber += 1
        let tunnels = TunnelSet(
            loop: surroundings.loop,
            endpoint: endpoint,
            pod: name,
            namespace: namespace,
            ways: surroundings.ways,
            knownWay: foundWay,
            limits: surroundings.limits,
            budget: surroundings.budget,
            hold: surroundings.hold,
            // Whoever asks first has it renewed; the others get what that one got.
            renewedEndpoint: { [surroundings] in surroundings.renewedEndpoint() ?? surroundings.endpoint() }
        ) { [weak self] in self?.reported($0, by: number) }
        members.append(
            Member(
                number: number,
                name: name,
                uid: uid,
                namespace: namespace,
                tunnels: tunnels,
                remotePorts: remotePorts
            )
        )
        tunnels.start()
    }

    /// Completes what is known of the only pod, once it has been asked for.
    func know(_ pod: Pod, remotePorts: [UInt16]) {
        members.first?.remotePorts = remotePorts
        members.first?.uid = pod.metadata.uid
    }

    /// Follows the pods of the target from now on.
    ///
    /// - Parameters:
    ///   - service: its name, where the target is one.
    ///   - areNamedBySlices: whether only those pods are the target's that the service's endpoint slices name.
    func follow(_ selector: PodSelector, service: String?, areNamedBySlices: Bool) {
        self.areNamedBySlices = areNamedBySlices
        // The forward itself goes first.
        let begin =
            surroundings.balance == nil ? surroundings.loop.now + Self.followAfter : surroundings.loop.now
        let podWatch = ObjectWatch<Pod>(
            loop: surroundings.loop,
            endpoint: surroundings.endpoint,
            path: { selector.path($0, at: $1) },
            changed: { [weak self] in self?.podsChanged() }
        )
        self.podWatch = podWatch
        podWatch.start(at: begin)
        guard let service else { return }
        let sliceWatch = ObjectWatch<EndpointSlice>(
            loop: surroundings.loop,
            endpoint: surroundings.endpoint,
            path: { .endpointSlices(of: service, namespace: selector.namespace, $0, at: $1) },
            changed: { [weak self] in self?.podsChanged() }
        )
        self.sliceWatch = sliceWatch
        sliceWatch.start(at: begin)
    }

    /// Nil: the target is no service, or they may not be read.
    private var slices: EndpointTracker? {
        sliceWatch.flatMap { $0.isUnavailable ? nil : $0.tracker }
    }

    private func podsChanged() {
        guard !isClosed, let podWatch, podWatch.tracker.hasListed else { return }
        let pods = TargetPods(
            podWatch.tracker,
            slices: slices,
            areNamedBySlices: areNamedBySlices
        )
        if surroundings.balance == nil {
            moveIfLost(pods)
        } else {
            rebalance(pods)
        }
    }

    private func moveIfLost(_ pods: TargetPods) {
        guard let current = members.last(where: { !$0.isLeft }) else { return }
        guard let loss = pods.loss(of: current.name, uid: current.uid) else {
            current.tunnels.resume()
            bereftBy = nil
            unreadySince = nil
            return
        }
        guard surroundings.reconnects, let next = successor(of: current, loss, pods) else {
            stay(with: current, loss)
            return
        }
        bereftBy = nil
        unreadySince = nil
        add(
            next.pod.metadata.name,
            uid: next.pod.metadata.uid,
            namespace: current.namespace,
            remotePorts: next.ports
        )
        handler(.moved(from: current.name, to: next.pod.metadata.name, loss))
        leave(current)
    }

    private typealias Successor = (pod: Pod, ports: [UInt16])

    private func successor(of current: Member, _ loss: PodLoss, _ pods: TargetPods) -> Successor? {
        if let next = first(of: pods.serving, otherThan: current) { return next }
        // One that terminates may serve for a while, which one that is not ready does not.
        guard loss != .terminating, let unready = first(of: pods.running, otherThan: current) else {
            unreadySince = nil
            return nil
        }
        let since = unreadySince ?? surroundings.loop.now
        unreadySince = since
        // Who has come since then still waits by then.
        let end = since + TimeSpan(nanoseconds: surroundings.hold.nanoseconds / 2)
        guard surroundings.loop.now < end else { return unready }
        if unreadyTimer == nil {
            unreadyTimer = LoopTimer(loop: surroundings.loop) { [weak self] in self?.podsChanged() }
        }
        unreadyTimer?.schedule(at: end)
        return nil
    }

    private func first(of pods: [Pod], otherThan current: Member) -> Successor? {
        for pod in pods where pod.metadata.uid != current.uid || pod.metadata.name != current.name {
            if let ports = surroundings.remotePorts(pod, slices) { return (pod, ports) }
        }
        return nil
    }

    private func rebalance(_ pods: TargetPods) {
        let serving = pods.serving
        for member in members where !member.isLeft {
            member.isServing = serving.contains {
                $0.metadata.name == member.name && $0.metadata.uid == member.uid
            }
        }
        var count = members.count { !$0.isLeft }
        let most = min(
            Self.balancedPodsMax,
            surroundings.loop.descriptors.podsMax,
            surroundings.budget.carriersMax(each: TunnelLimits.shareBytesMin)
        )
        // Where nobody serves any more, room for one more is not asked for: the lost ones are about to be left.
        var isServed = members.contains { !$0.isLeft && $0.isServing }
        for pod in serving where count < most || !isServed {
            let isMember = members.contains {
                !$0.isLeft && $0.name == pod.metadata.name && $0.uid == pod.metadata.uid
            }
            guard !isMember, let ports = surroundings.remotePorts(pod, slices),
                let namespace = members.first?.namespace
            else { continue }
            add(pod.metadata.name, uid: pod.metadata.uid, namespace: namespace, remotePorts: ports)
            handler(.joined(pod.metadata.name))
            count += 1
            isServed = true
        }
        for member in members where !member.isLeft {
            guard let loss = pods.loss(of: member.name, uid: member.uid) else {
                member.tunnels.resume()
                continue
            }
            // The last one is left only for another.
            guard members.contains(where: { !$0.isLeft && $0 !== member }) else {
                stay(with: member, loss)
                return
            }
            handler(.left(member.name, loss))
            leave(member)
        }
        bereftBy = nil
    }

    /// Keeps a pod that is lost, as there is no other: its clients wait for one.
    private func stay(with member: Member, _ loss: PodLoss) {
        // One that terminates may serve for a while.
        if loss != .terminating { member.tunnels.suspend() }
        guard loss != bereftBy else { return }
        bereftBy = loss
        handler(.bereft(of: member.name, loss))
    }

    private func leave(_ member: Member) {
        member.isLeft = true
        member.tunnels.retire()
    }

    // MARK: Connections

    /// Whether a client that finds no tunnel may wait for one.
    var hasRoomToWait: Bool { members.contains { !$0.isLeft && !$0.tunnels.isFull } }

    /// Gives a connection to a pod.
    func place(_ local: LocalConnection) {
        guard let port = local.port, let member = chosen(for: port) else {
            local.fail()
            return
        }
        local.remotePort = member.remotePort(for: port)
        local.podNumber = member.number
        if local.replay == nil, mayReplay, replays.hasRoom { local.replay = Replay(replays) }
        member.connectionCount += 1
        member.tunnels.place(local)
    }

    /// Whether another pod may take what one has refused: one of the others, or the one that comes after it.
    private var mayReplay: Bool {
        surroundings.reconnects || surroundings.balance != nil && members.count > 1
    }

    /// Takes note that a connection is over.
    func closed(_ local: LocalConnection) { uncount(local) }

    private func uncount(_ local: LocalConnection) {
        members.first { $0.number == local.podNumber }?.connectionCount -= 1
        local.podNumber = -1
    }

    private func chosen(for port: ForwardedListener) -> Member? {
        guard let balance = surroundings.balance else { return members.last { !$0.isLeft } }
        let now = surroundings.loop.now
        var candidates = members.filter {
            !$0.isLeft && $0.isServing && !$0.refusedPorts.isAside($0.remotePort(for: port), at: now)
        }
        if candidates.isEmpty { candidates = members.filter { !$0.isLeft && $0.isServing } }
        if candidates.isEmpty { candidates = members.filter { !$0.isLeft } }
        // Neither a pod with as many who wait as may, nor one whose tunnels are on their way or lost, keeps anybody
        // waiting while others can be had.
        if candidates.contains(where: { !$0.tunnels.isFull }) { candidates.removeAll { $0.tunnels.isFull } }
        if candidates.contains(where: \.hasTunnel) { candidates.removeAll { !$0.hasTunnel } }
        guard !candidates.isEmpty else { return nil }
        switch balance {
        case .least: return candidates.min { $0.connectionCount < $1.connectionCount }
        case .roundRobin:
            turn += 1
            return candidates[turn % candidates.count]
        case .random:
            let number = (try? keys.next()) ?? 0
            return candidates[Int(number) % candidates.count]
        }
    }

    private func reported(_ event: TunnelSet.Event, by number: Int) {
        guard !isClosed, let member = members.first(where: { $0.number == number }) else { return }
        switch event {
        case .opened:
            member.hasTunnel = true
            foundWay = member.tunnels.foundWay ?? foundWay
            handler(.opened)
        case .lost(let error, let wasOpen, let isLast):
            if isLast { member.hasTunnel = false }
            handler(.lost(error, wasOpen: wasOpen, isLast: isLast && !hasTunnel))
        case .connectionFailed(let local, let remote, let failure):
            if failure.isRefusedDial { member.refusedPorts.refused(remote, at: surroundings.loop.now) }
            handler(.connectionFailed(local: local, remote: remote, failure))
        case .roomToWait: handler(.roomToWait)
        case .connectionLeft(let local):
            uncount(local)
            place(local)
        case .connectionRefused(let local, let failure):
            member.refusedPorts.refused(local.remotePort, at: surroundings.loop.now)
            uncount(local)
            refused.append((local, failure, member))
            decideSoon()
        case .retired:
            Self.add(member, to: &pastStatistics)
            if pastStatistics.count > Self.pastPodsMax { pastStatistics.removeFirst() }
            members.removeAll { $0 === member }
            member.tunnels.close()
        }
    }

    /// Decides what becomes of the refused ones when all that has come together was looked at: that the pod is gone may be
    /// among it.
    private func decideSoon() {
        if refusedTimer == nil {
            refusedTimer = LoopTimer(loop: surroundings.loop) { [weak self] in self?.decide() }
        }
        if refusedTimer?.deadline == nil {
            refusedTimer?.schedule(at: surroundings.loop.now + .milliseconds(1))
        }
    }

    private func decide() {
        let decided = refused
        refused = []
        for (local, failure, member) in decided where !local.isClosing {
            tryElsewhere(local, failure, refusedBy: member)
        }
    }

    /// Gives a connection that a pod refused to another one, where there are others or will be.
    private func tryElsewhere(
        _ local: LocalConnection,
        _ failure: ConnectionFailure,
        refusedBy member: Member
    ) {
        let isLost = member.isLeft || bereftBy != nil
        if isLost, !member.isLeft { member.tunnels.suspend(local.remotePort) }
        // One that is lost says nothing of those that are there, or will be.
        if !isLost { local.refusalCount += 1 }
        let count = surroundings.balance == nil ? 1 : members.count { !$0.isLeft && $0.isServing }
        guard isLost && surroundings.reconnects || local.refusalCount < count else {
            if let port = local.port {
                handler(.connectionFailed(local: port.local, remote: local.remotePort, failure))
            }
            local.fail()
            return
        }
        place(local)
    }

    /// Takes note that the network of this host has changed.
    ///
    /// - Returns: whether a pause before a tunnel's next attempt was cut short.
    func networkChanged() -> Bool {
        guard !isClosed else { return false }
        podWatch?.networkChanged()
        sliceWatch?.networkChanged()
        return members.reduce(false) { $1.tunnels.networkChanged() || $0 }
    }

    /// Closes every tunnel; their connections are reset.
    func close() {
        isClosed = true
        podWatch?.close()
        podWatch = nil
        sliceWatch?.close()
        sliceWatch = nil
        unreadyTimer?.close()
        unreadyTimer = nil
        refusedTimer?.close()
        refusedTimer = nil
        for item in refused { item.local.abort() }
        refused = []
        for member in members { member.tunnels.close() }
    }
}

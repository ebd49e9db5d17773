import FastForward
import MiniCluster
import SimulatedKernel

/// One run: a forwarder, a cluster, clients and pods on the simulated kernel, from one seed.
final class World {
    /// How long the forward may take to be ready, where nothing goes wrong yet.
    private static let startMax: UInt64 = 60_000_000
    /// How long after the faults everything may take to work again: the longest pauses (hold, pods set aside, back-off,
    /// a silent connection's death) behind one another.
    private static let healMaxAlone: UInt64 = 120_000_000
    /// And how long each of those takes who wait for a place.
    private static let placeMax: UInt64 = 8_000_000
    /// How long clients may take when nothing goes wrong.
    private static let waveMax: UInt64 = 180_000_000
    /// After how long without clients nothing of them is left.
    private static let idleMax: UInt64 = 90_000_000
    /// Iterations without a step of the clock that mean that nobody will ever rest.
    private static let idleIterationsMax = 200_000
    /// What the pool may hold beside what the memory limit divides among the tunnels: the rest of clients whose
    /// connection is over (`Departures`), one batch and one receive buffer.
    private static let slackBytes = 18 << 20

    private(set) var plan: Plan
    let coverage: Coverage
    private let isVerbose: Bool
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
    private var actors: [UInt64: Actor] = [:]
    private var nextToken: UInt64 = 1
    private(set) var violation: String?

    private var loops: [EventLoop] = []
    private var forwarder: Forwarder?
    private var madeCluster: Cluster?
    private var madePods: SimulatedPods?
    private var serverURL = ""
    private var localPorts: [UInt16: UInt16] = [:]
    private var isReady = false
    private(set) var isHealed = true

    private var exchanges: [UInt32: Exchange] = [:]
    private var nextID: UInt32 = 1
    private var runningCount = 0
    /// Connections that pods have ended before they knew whose they were.
    var unknownPodEnds = 0

    init(seed: UInt64, coverage: Coverage, isVerbose: Bool) {
        plan = Plan(seed: seed)
        self.coverage = coverage
        self.isVerbose = isVerbose
    }

    deinit { scratch.deallocate() }

    var cluster: Cluster {
        guard let madeCluster else { preconditionFailure("the cluster is made before anybody asks for it") }
        return madeCluster
    }

    var pods: SimulatedPods {
        guard let madePods else { preconditionFailure("the pods are made before anybody asks for them") }
        return madePods
    }

    // MARK: For the actors

    func register(_ actor: Actor) -> UInt64 {
        let token = nextToken
        nextToken += 1
        actors[token] = actor
        return token
    }

    func unregister(_ actor: Actor) { actors[actor.token] = nil }

    func exchange(_ id: UInt32) -> Exchange? { exchanges[id] }

    func violate(_ text: String) {
        guard violation == nil else { return }
        violation = "at \(Double(sim_now()) / 1e6) s: \(text)"
    }

    func say(_ text: @autoclosure () -> String) {
        guard isVerbose else { return }
        print("\(Self.padded(Double(sim_now()) / 1e6))  \(text())")
    }

    private static func padded(_ seconds: Double) -> String {
        let text = "\(seconds)"
        return String(repeating: " ", count: max(0, 12 - text.count)) + text
    }

    func clientEnded(_ exchange: Exchange) {
        runningCount -= 1
        guard let outcome = exchange.outcome else { return }
        sim_note(UInt64(exchange.id) << 32 ^ UInt64(exchange.clientReceived) << 2)
        coverage.count("client: \(outcome)")
        guard exchange.isStrict else { return }
        if outcome == .reset || outcome == .refused {
            violate("connection \(exchange.id) was \(outcome), and nothing is wrong any more")
        } else if exchange.clientReceived != exchange.fromPodBytes {
            violate(
                "connection \(exchange.id) got \(exchange.clientReceived) of \(exchange.fromPodBytes) bytes"
            )
        }
    }

    /// The faults are over: who was stuck goes on.
    func heal() {
        isHealed = true
        cluster.forbidLists(false)
        let names = cluster.podNames
        let missing = max(0, plan.podCount - names.count)
        if plan.target == .pod {
            if names.isEmpty { cluster.createPod("demo-0") }
        } else {
            for number in 0..<missing { cluster.createPod("demo-healed-\(number)") }
        }
        sim_loop_kick(1)
        pods.wakeAll()
        for (_, actor) in actors.sorted(by: { $0.key < $1.key }) where actor is Client { actor.wake() }
    }

    // MARK: Running

    /// Runs the plan; returns what was wrong.
    func run() -> String? {
        do {
            try start()
            if violation == nil { live() }
            if violation == nil { try finish() }
        } catch {
            violate("\(error)")
        }
        return violation
    }

    /// Lets everything happen that has to, until `isDone` or the time is over.
    ///
    /// - Returns: whether it is done.
    private func run(for span: UInt64, until isDone: () -> Bool) -> Bool {
        let deadline = sim_now() + span
        var iterations = 0
        while violation == nil {
            while true {
                let token = sim_next_ready()
                guard token != 0 else { break }
                actors[token]?.wake()
            }
            if isDone() { return true }
            var hasRun = false
            let first = Int(sim_random() & 1)
            for turn in 0..<loops.count {
                let number = (first + turn) % loops.count
                guard sim_loop_is_ready(Int32(number)) != 0 else { continue }
                loops[number].runOnce(waits: false)
                hasRun = true
            }
            checkBounds()
            if hasRun {
                iterations += 1
                if iterations > Self.idleIterationsMax { violate("the loops never rest") }
                continue
            }
            iterations = 0
            if sim_advance(deadline) == 0, sim_now() >= deadline { return isDone() }
        }
        return false
    }

    private func checkBounds() {
        guard let loop = loops.first else { return }
        if plan.way != .channels, loop.pool.outstandingBytes > plan.limits.memoryBytes + Self.slackBytes {
            violate("\(loop.pool.outstandingBytes) bytes are out, \(plan.limits.memoryBytes) are allowed")
        }
        if let most = plan.connectionsMax, let count = forwarder?.connectionCount, count > most {
            violate("\(count) connections are open, \(most) are allowed")
        }
        if let misuse = sim_misuse() { violate("libuv does not bear it: \(String(cString: misuse))") }
        if sim_emfile_count() > 0 { violate("clients were accepted only to be closed") }
    }

    // MARK: Start

    private func start() throws {
        say("plan: \(plan.summary)")
        for (network, link) in plan.links.enumerated() { sim_set_link(Int32(network), link) }
        loops = [try EventLoop(), try EventLoop()]
        sim_loop_reads_on(1)
        madePods = SimulatedPods(world: self)
        try startCluster()
        let forwarder = Forwarder(loop: loops[0], request: try request()) { [unowned self] in reported($0) }
        self.forwarder = forwarder
        if let descriptors = plan.descriptors { sim_loop_limit(0, Int32(descriptors)) }
        sim_loop_kick(0)
        forwarder.start()
        guard run(for: Self.startMax, until: { self.isReady }) else {
            return violate("the forward is not ready")
        }
    }

    private func startCluster() throws {
        var options = ClusterOptions(directory: "")
        options.security = plan.isEncrypted ? .anybody(try SimulatedCertificate.context()) : .plain
        options.address = "10.1.0.1"
        options.port = 6443
        options.runtime = plan.runtime
        options.podNames = (0..<plan.podCount).map { "demo-\($0)" }
        options.ways = [[.webSocket: .webSocket, .spdy: .spdy, .channels: .channels][plan.way] ?? .webSocket]
        options.pageMax = plan.pageMax
        options.podHost = PodHost(
            start: { [unowned self] in pods.start($0) },
            stop: { [unowned self] in pods.stop(at: $0) }
        )
        options.report = { [unowned self] text in say("cluster: \(text)") }
        sim_loop_kick(1)
        madeCluster = try Cluster(loop: loops[1], options: options) { [unowned self] url, _ in serverURL = url
        }
        cluster.limitFrames(toBytes: plan.frameBytesMax)
    }

    private func request() throws -> Forwarder.Request {
        let scheme = plan.isEncrypted ? "https" : "http"
        let text = plan.namesServer ? "\(scheme)://server.example:6443" : serverURL
        let target =
            switch plan.target {
            case .pod: "pod/demo-0"
            case .deployment: "deployment/demo"
            case .service: "service/demo"
            }
        let ports =
            plan.target == .service
            ? [":7"] : [":7000", ":\(SimulatedPods.greetingPort)", ":\(SimulatedPods.refusingPort)"]
        var access = ClusterAccess(server: try ServerURL(text))
        if plan.isEncrypted { access.certificateAuthority = SimulatedCertificate.certificatePEM }
        var request = Forwarder.Request(
            access: access,
            target: try TargetArgument(target),
            ports: try ports.map { try PortArgument($0) },
            addresses: ["127.0.0.1"]
        )
        request.halfClose = plan.halfClose
        request.limits = plan.limits
        request.balance = plan.balance
        request.hold = .seconds(plan.holdSeconds)
        request.connectionsMax = plan.connectionsMax
        request.descriptorsMax = plan.descriptors.map { ProcessLimits.openFileCount() + $0 } ?? 100_000
        request.detail = .connections
        return request
    }

    private func reported(_ event: ForwarderEvent) {
        switch event {
        case .listening(let address, let remote): localPorts[remote] = address.port
        case .ready:
            isReady = true
            cluster.forbidLists(plan.forbidsLists)
        case .failed(let failure):
            violate("the forward ended: \(failure)")
        case .fact(let fact): say("fact: \(fact)")
        case .connectionFailed(_, _, let failure): coverage.count("told: \(failure.kind)")
        case .acceptingPaused: coverage.count("told: accepting paused")
        case .podChanged: coverage.count("told: moved to another pod")
        case .podMissing: coverage.count("told: no pod")
        case .podJoined: coverage.count("told: pod joined")
        case .podLeft: coverage.count("told: pod left")
        case .tunnelLost(let error, _): coverage.count("tunnel lost: \(Coverage.word(of: error))")
        case .tunnelNotOpened(let error): coverage.count("tunnel not opened: \(Coverage.word(of: error))")
        case .tunnelRestored: coverage.count("told: tunnel restored")
        case .listenFailed, .accepted, .acceptingResumed, .queueFull, .queueDropped, .drained: break
        }
        if case .fact = event { return }
        say("event: \(event)")
    }

    // MARK: Life

    private func live() {
        let isFaulty = plan.faultSpan > 0
        isHealed = !isFaulty
        let clientSpan = isFaulty ? plan.faultSpan : 3_000_000
        addClients(plan.clientCount, isStrict: !isFaulty, startsWithin: clientSpan)
        if isFaulty {
            let maker = FaultMaker(world: self)
            _ = run(for: plan.faultSpan + 1_000_000) { maker.isOver }
            guard run(for: healMax, until: { self.runningCount == 0 }) else {
                return violateUnlessViolated(
                    "\(runningCount) clients are left long after the faults: \(left())"
                )
            }
            rest(Self.idleMax)
            plan.clientCount = min(plan.clientCount, 20)
            plan.bytesMax = min(plan.bytesMax, 1_000_000)
            addClients(plan.clientCount, isStrict: true, isProbe: true, startsWithin: 3_000_000)
        }
        guard run(for: Self.waveMax, until: { self.runningCount == 0 }) else {
            return violateUnlessViolated("\(runningCount) clients are left where nothing is wrong: \(left())")
        }
        rest(Self.idleMax)
        checkIdle()
    }

    private var healMax: UInt64 {
        let places = UInt64(plan.connectionsMax ?? plan.clientCount)
        return Self.healMaxAlone + UInt64(plan.clientCount) / places * Self.placeMax
    }

    private func rest(_ span: UInt64) { _ = run(for: span) { false } }

    private func violateUnlessViolated(_ text: String) { if violation == nil { violate(text) } }

    private func addClients(_ count: Int, isStrict: Bool, isProbe: Bool = false, startsWithin span: UInt64) {
        for _ in 0..<count {
            let exchange = plan.exchange(
                nextID,
                isStrict: isStrict && (isProbe || !plan.draw.chance(10)),
                startsWithin: span
            )
            nextID += 1
            exchanges[exchange.id] = exchange
            runningCount += 1
            _ = Client(world: self, exchange: exchange, port: localPorts[exchange.remotePort] ?? 0)
        }
    }

    private func left() -> String {
        let left = exchanges.values.filter { $0.outcome == nil }.sorted { $0.id < $1.id }
        return left.prefix(5).map {
            "\($0.id) (sent \($0.clientSent) of \($0.toPodBytes), got \($0.clientReceived) of \($0.fromPodBytes), "
                + "pod got \($0.podReceived), sent \($0.podSent))"
        }.joined(separator: ", ")
    }

    private func checkIdle() {
        guard violation == nil else { return }
        if let count = forwarder?.connectionCount, count != 0 {
            violate("\(count) connections are open without clients")
        }
        if cluster.streamCount != 0 { violate("\(cluster.streamCount) streams are left in the server") }
        if !pods.connections.isEmpty {
            violate("connections to pods are left: \(pods.connections.values.map(\.summary).sorted())")
        }
        for exchange in exchanges.values.sorted(by: { $0.id < $1.id }) where exchange.isStrict {
            if exchange.podReceived != exchange.toPodBytes {
                violate(
                    "connection \(exchange.id): the pod got \(exchange.podReceived) of \(exchange.toPodBytes) bytes"
                )
            }
        }
    }

    // MARK: End

    private func finish() throws {
        coverage.count("way: \(plan.way.rawValue)")
        coverage.count("TLS: \(plan.isEncrypted ? "with" : "without")")
        coverage.count("runtime: \(plan.runtime.rawValue)")
        coverage.count("balance: \(plan.balance?.rawValue ?? "none")")
        if plan.faults.isEmpty { coverage.count("no faults") }
        if cluster.forbiddenListCount > 0 { coverage.count("lists forbidden") }
        sim_loop_kick(0)
        forwarder?.close()
        forwarder = nil
        rest(1_000_000)
        guard violation == nil else { return }
        let loop = loops[0]
        try loop.close()
        if loop.pool.outstanding != 1 { violate("\(loop.pool.outstanding - 1) buffers are still out") }
        if sim_loop_descriptors(0) != 0 { violate("\(sim_loop_descriptors(0)) descriptors are left") }
        sim_loop_kick(1)
        loops = [loops[1]]
        cluster.stop()
        for _ in 0..<100 { loops[0].runOnce(waits: false) }
        try loops[0].close()
    }
}

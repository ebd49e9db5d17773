import FastForward

/// A pod of the cluster: what the API shows of it, and the process that is it.
final class Pod {
    /// What the API calls a pod's stage of life; a subset of Kubernetes' own.
    enum Phase: String {
        case pending = "Pending"
        case running = "Running"
        case succeeded = "Succeeded"
        case failed = "Failed"
    }

    let name: String
    let namespace: String
    let labels: [(String, String)]
    let owner: (type: APIType, name: String)?
    let ports: [PortDeclaration]
    let initPorts: [PortDeclaration]
    let restarts: Int
    /// When it was made, as Kubernetes writes it.
    let created: String
    /// When its deletion began.
    private(set) var deleted: String?
    /// Unlike that of any other pod, also of an earlier one of this name.
    let uid: String
    let containerID: String
    /// The container runtime's name, as it stands in front of the container's id in the pod's status.
    let runtimeName: String
    /// Whether a process is to stand behind it.
    let hasProcess: Bool
    /// Whether a node has taken it.
    let hasNode: Bool

    fileprivate(set) var address = ""
    var phase: Phase
    /// Since when ``isReady`` is what it is.
    private(set) var readySince: String
    var resourceVersion = 0
    private var wantsToBeReady: Bool
    fileprivate var process: ChildProcess?
    fileprivate var attemptsLeft = 20

    init(_ declaration: PodDeclaration, dialect: RuntimeDialect) {
        name = declaration.name
        namespace = declaration.namespace
        labels = declaration.labels
        owner = declaration.owner
        ports = declaration.ports
        initPorts = declaration.initPorts
        restarts = declaration.restarts
        created = Host.timestamp(secondsAgo: declaration.ageSeconds)
        readySince = Host.timestamp(secondsAgo: declaration.readySeconds)
        deleted = declaration.deletedSeconds.map { Host.timestamp(secondsAgo: $0) }
        wantsToBeReady = declaration.isReady
        runtimeName = dialect.runtimeName
        uid = Self.randomHexadecimal(digits: 32, dashesAt: [8, 12, 16, 20])
        containerID = Self.randomHexadecimal(digits: 64, dashesAt: [])
        switch declaration.life {
        case .pending: (phase, hasNode, hasProcess) = (.pending, false, false)
        case .starting: (phase, hasNode, hasProcess) = (.pending, true, false)
        case .running: (phase, hasNode, hasProcess) = (.pending, true, true)
        case .succeeded: (phase, hasNode, hasProcess) = (.succeeded, true, false)
        case .failed: (phase, hasNode, hasProcess) = (.failed, true, false)
        }
    }

    var isReady: Bool { phase == .running && wantsToBeReady }
    var isBeingDeleted: Bool { deleted != nil }

    /// Takes up its work without a process of ours.
    func run(at address: String) {
        self.address = address
        phase = .running
    }

    /// Marks it as being deleted from now on.
    func beginDeletion() { deleted = Host.timestamp() }

    /// Lets a pod that runs pass its readiness probe, or fail it.
    func setReady(_ isReady: Bool) {
        guard isReady != wantsToBeReady else { return }
        wantsToBeReady = isReady
        readySince = Host.timestamp()
    }

    private static func randomHexadecimal(digits: Int, dashesAt: Set<Int>) -> String {
        var text = ""
        for index in 0..<digits {
            if dashesAt.contains(index) { text += "-" }
            text += String(UInt8.random(in: 0..<16), radix: 16)
        }
        return text
    }
}

/// Starts the processes of pods and waits for their word.
final class PodStarter {
    /// How a pod's process says that its address is taken.
    static let addressInUseStatus: Int64 = 98

    private let loop: EventLoop
    private let leashListener: Listener
    private let resetsWhenKilled: Bool
    private var pods: [Pod] = []
    private let whenReady: (Pod) -> Void
    private let whenEnded: (Pod, ChildProcess.End) -> Void

    /// Listens for the leashes of pods.
    ///
    /// - Parameters:
    ///   - resetsWhenKilled: whether the death of a pod's process resets its connections.
    ///   - whenReady: called when a pod listens on its address.
    ///   - whenEnded: called when a pod's process has ended, for any reason but a taken address.
    init(
        loop: EventLoop,
        resetsWhenKilled: Bool,
        whenReady: @escaping (Pod) -> Void,
        whenEnded: @escaping (Pod, ChildProcess.End) -> Void
    ) throws(LoopError) {
        self.loop = loop
        self.resetsWhenKilled = resetsWhenKilled
        self.whenReady = whenReady
        self.whenEnded = whenEnded
        let relay = LeashRelay()
        leashListener = try Listener(loop: loop, address: try Self.loopback()) { listener in
            let leash = Leash(loop: listener.loop) { relay.starter?.podIsReady(address: $0) }
            do throws(LoopError) {
                try listener.accept(into: leash.transport)
                leash.transport.startReading()
            } catch {
                leash.transport.close()
            }
        }
        relay.starter = self
    }

    private static func loopback() throws(LoopError) -> SocketAddress {
        guard let address = SocketAddress(ip: "127.0.0.1", port: 0) else {
            throw LoopError(code: LoopError.addressNotAvailable, attempt: "listen on 127.0.0.1")
        }
        return address
    }

    /// Starts the pod's process on an address drawn at random.
    func start(_ pod: Pod) throws(LoopError) {
        if !pods.contains(where: { $0 === pod }) { pods.append(pod) }
        // Any address of 127.0.0.0/8 is this host; the lowest ones are in common use.
        let parts = (0..<3).map { _ in String(UInt8.random(in: 2...254)) }
        pod.address = "127." + parts.joined(separator: ".")
        pod.process = try ChildProcess(
            loop: loop,
            arguments: [
                "/proc/self/exe", "pod", "--address", pod.address, "--leash",
                leashListener.address.description, "--greeting", "hello from \(pod.name)",
            ] + (resetsWhenKilled ? ["--reset-when-killed"] : []),
            standardInput: 0,
            standardOutput: 2
        ) { [weak self] end in self?.podEnded(pod, end) }
    }

    /// How many processes have not ended yet; one that was killed has to have its turn for that.
    var processCount: Int { pods.count { $0.process != nil } }

    /// Ends the pod's process, as the kernel does it: at once.
    func kill(_ pod: Pod) { pod.process?.kill(9) }

    /// Ends all pods and listens no more.
    func stop() {
        leashListener.close()
        for pod in pods { kill(pod) }
    }

    private func podIsReady(address: String) {
        guard let pod = pods.first(where: { $0.address == address && $0.process != nil }) else { return }
        pod.phase = .running
        whenReady(pod)
    }

    private func podEnded(_ pod: Pod, _ end: ChildProcess.End) {
        pod.process = nil
        if end == .exited(Self.addressInUseStatus), pod.attemptsLeft > 0 {
            pod.attemptsLeft -= 1
            if (try? start(pod)) != nil { return }
        }
        pods.removeAll { $0 === pod }
        whenEnded(pod, end)
    }
}

/// Breaks the circle between a starter and its listener's handler.
private final class LeashRelay {
    weak var starter: PodStarter?
}

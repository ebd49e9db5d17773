import SimulatedKernel

/// The pods: addresses at which somebody listens.
final class SimulatedPods {
    static let greetingPort: UInt16 = 7100
    /// Where nobody listens.
    static let refusingPort: UInt16 = 7999
    static let ports: [UInt16] = [7000, greetingPort]
    static let greeting = Array("welcome\n".utf8)

    private unowned let world: World
    private var nextHost: UInt32 = 1
    private var pods: [UInt32: [PodListener]] = [:]
    private(set) var connections: [UInt64: PodConnection] = [:]

    init(world: World) {
        self.world = world
    }

    /// Starts a pod at a new address.
    func start(_ name: String) -> String {
        let ip: UInt32 = 10 << 24 | 2 << 16 | nextHost
        nextHost += 1
        listen(ip)
        return "10.2.\(ip >> 8 & 255).\(ip & 255)"
    }

    private func listen(_ ip: UInt32) {
        pods[ip] = Self.ports.map { PodListener(world: world, ip: ip, port: $0) }
    }

    /// Ends a pod with all its connections, as the death of its process does.
    func stop(at address: String) {
        let parts = address.split(separator: ".").compactMap { UInt32($0) }
        stop(parts.reduce(0) { $0 << 8 | $1 })
    }

    private func stop(_ ip: UInt32) {
        for listener in pods.removeValue(forKey: ip) ?? [] { listener.close() }
        for (_, connection) in connections.sorted(by: { $0.key < $1.key }) where connection.ip == ip {
            connection.die()
        }
    }

    /// Crashes one of the pods, which the API server does not notice, and starts it again after a while.
    func crash(_ index: Int) -> UInt32? {
        let all = pods.keys.sorted()
        guard !all.isEmpty else { return nil }
        let ip = all[index % all.count]
        stop(ip)
        return ip
    }

    func restart(_ ip: UInt32) {
        if pods[ip] == nil { listen(ip) }
    }

    func opened(_ connection: PodConnection) { connections[connection.token] = connection }
    func closed(_ connection: PodConnection) { connections[connection.token] = nil }

    /// Everybody who was stuck may go on.
    func wakeAll() {
        for (_, connection) in connections.sorted(by: { $0.key < $1.key }) { connection.wake() }
    }
}

/// Accepts at one port of a pod.
final class PodListener: Actor {
    private let ip: UInt32
    private let port: UInt16
    private var socket: Int32 = -1

    init(world: World, ip: UInt32, port: UInt16) {
        self.ip = ip
        self.port = port
        super.init(world: world)
        socket = sim_listen(ip, port, token)
    }

    override func wake() {
        while true {
            let connection = PodConnection(world: world, ip: ip, greets: port == SimulatedPods.greetingPort)
            let accepted = sim_accept(socket, connection.token)
            guard accepted >= 0 else { return connection.leave() }
            connection.begin(accepted)
        }
    }

    func close() {
        sim_close(socket, 0)
        leave()
    }
}

/// A pod's end of a connection.
final class PodConnection: Actor {
    let ip: UInt32
    private let greets: Bool
    private var socket: Int32 = -1
    private var greetingSent = 0
    private var header: [UInt8] = []
    private var exchange: Exchange?
    private var hasSeenEnd = false
    private var hasEnded = false
    private var isOver = false
    private var pace = ReadingPace(.eager)
    private var dueAt = UInt64.max

    init(world: World, ip: UInt32, greets: Bool) {
        self.ip = ip
        self.greets = greets
        super.init(world: world)
    }

    var summary: String {
        "\(exchange.map { "connection \($0.id)" } ?? "unknown"), socket \(socket), "
            + "\(hasSeenEnd ? "has seen the end" : "no end")"
    }

    /// How much is offered to the kernel at once: it is made anew where little of it is taken.
    private static let chunkBytesMax = 4096

    func begin(_ socket: Int32) {
        self.socket = socket
        world.pods.opened(self)
        wake()
    }

    /// The pod's process is gone.
    func die() {
        if exchange == nil { world.unknownPodEnds += 1 }
        exchange?.hasPodEnded = true
        close(resets: false)
    }

    override func wake() {
        guard !isOver, socket >= 0 else { return }
        if greets, greetingSent < SimulatedPods.greeting.count {
            let rest = Array(SimulatedPods.greeting[greetingSent...])
            let taken = sim_send(socket, rest, rest.count)
            if taken > 0 { greetingSent += taken }
        }
        receive()
        if !isOver { send() }
        if !isOver { endIfDone() }
    }

    // MARK: Reading

    private func receive() {
        var waits: UInt64?
        var allowance = pace.allowance(isHealed: world.isHealed, waits: &waits)
        while allowance > 0, !isOver, !hasSeenEnd {
            let missing = Exchange.headerBytes - header.count
            let asked = min(allowance, missing > 0 ? missing : world.scratch.count)
            let count = sim_recv(socket, world.scratch.baseAddress, asked)
            if count == Int(SIM_AGAIN) { break }
            if count == 0 {
                sawEnd()
                break
            }
            guard count > 0 else { return close(resets: false) }
            if missing > 0 {
                header += world.scratch[..<count]
                if header.count == Exchange.headerBytes, !recognize() { return }
                if exchange != nil { return receive() }
            } else if let exchange {
                let bytes = UnsafeRawBufferPointer(rebasing: world.scratch[..<count])
                if let position = exchange.toPod.mismatch(bytes, from: exchange.podReceived) {
                    world.violate("connection \(exchange.id): the pod got a wrong byte at \(position)")
                    return
                }
                exchange.podReceived += count
                if exchange.podReceived > exchange.clientSent {
                    world.violate("connection \(exchange.id): the pod got more than the client sent")
                }
            }
            allowance -= count
        }
        if let waits { wakeLater(waits) }
    }

    /// Who it is stands in the first bytes.
    private func recognize() -> Bool {
        guard let id = Exchange.id(inHeader: header), let exchange = world.exchange(id) else {
            world.violate("a pod got the header of no connection: \(header)")
            return false
        }
        guard !exchange.isKnownToPod else {
            world.violate(
                "connection \(id): a pod has got its bytes already, and another one gets them again"
            )
            return false
        }
        exchange.isKnownToPod = true
        exchange.podReceived = Exchange.headerBytes
        self.exchange = exchange
        pace = ReadingPace(exchange.podReads)
        if case .later(let span) = exchange.answer {
            dueAt = sim_now() + span
            wakeLater(span)
        }
        return true
    }

    private func sawEnd() {
        hasSeenEnd = true
        guard let exchange else { return close(resets: false) }
        exchange.hasPodSeenEnd = true
        if case .aborts = exchange.clientEnd, world.plan.tellsPodsOfResets, exchange.outcome == .left {
            world.violate("connection \(exchange.id): the client was reset, and the pod saw a clean end")
        }
        if exchange.isStrict, !exchange.hasClientEnded, exchange.outcome == nil, !exchange.hasPodEnded {
            world.violate("connection \(exchange.id): the pod saw an end, and the client has not ended")
        }
    }

    // MARK: Sending

    private func send() {
        guard let exchange, !hasEnded else { return }
        let most =
            switch exchange.podEnd {
            case .closesEarly(let bytes), .resets(let bytes): bytes
            case .closesAfterAnswer, .halfClosesAfterAnswer, .waitsForClient: Int.max
            }
        let allowance = exchange.allowance(atEnd: hasSeenEnd, isLate: sim_now() >= dueAt)
        while exchange.podSent < min(allowance, most) {
            var count = min(min(allowance, most) - exchange.podSent, Self.chunkBytesMax)
            count = min(count, max(1, sim_room(socket)))
            let chunk = UnsafeMutableRawBufferPointer(rebasing: world.scratch[..<count])
            exchange.fromPod.fill(chunk, from: exchange.podSent)
            let taken = sim_send(socket, chunk.baseAddress, count)
            if taken == Int(SIM_AGAIN) { return }
            guard taken > 0 else { return close(resets: false) }
            exchange.podSent += taken
        }
    }

    private func endIfDone() {
        guard let exchange else { return }
        let isAnswered = exchange.podSent == exchange.fromPodBytes
        let isAllRead = exchange.podReceived >= exchange.toPodBytes || hasSeenEnd
        // A client that was cut off asks for nothing any more.
        if hasSeenEnd, exchange.podReceived < exchange.toPodBytes { return finish(closes: true) }
        switch exchange.podEnd {
        case .closesAfterAnswer:
            if isAnswered, isAllRead { finish(closes: true) }
        case .halfClosesAfterAnswer:
            if isAnswered, !hasEnded { finish(closes: false) }
            if hasEnded, hasSeenEnd { close(resets: false) }
        case .waitsForClient:
            if hasSeenEnd { finish(closes: true) }
        case .closesEarly(let bytes):
            if exchange.podSent >= bytes { finish(closes: true) }
        case .resets(let bytes):
            if exchange.podSent + exchange.podReceived >= bytes { close(resets: true) }
        }
    }

    private func finish(closes: Bool) {
        hasEnded = true
        exchange?.hasPodEnded = true
        if closes { close(resets: false) } else { sim_shutdown(socket) }
    }

    private func close(resets: Bool) {
        guard !isOver else { return }
        isOver = true
        sim_close(socket, resets ? 1 : 0)
        world.pods.closed(self)
        if let exchange {
            world.say(
                "pod: connection \(exchange.id) is over, received \(exchange.podReceived), sent \(exchange.podSent)"
            )
        }
        leave()
    }
}

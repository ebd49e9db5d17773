import FastForward
import MiniCluster
import SimulatedKernel

/// What one seed is: who there is, what they do, and what goes wrong (swarm testing: each seed leaves most of it out).
struct Plan {
    enum Target { case pod, deployment, service }

    let seed: UInt64
    var way = TunnelWay.webSocket
    var runtime = RuntimeDialect.ideal
    var target = Target.deployment
    var podCount = 1
    var balance: PodBalance?
    var halfClose = Forwarder.HalfClose.auto
    var limits = TunnelLimits.standard
    var holdSeconds: UInt64 = 30
    var connectionsMax: Int?
    /// How many descriptors there are for clients and tunnels; nil: enough.
    var descriptors: Int?
    var namesServer = false
    /// Whether there is TLS, which is drawn by itself: the rest of a seed is the same either way.
    let isEncrypted: Bool
    var frameBytesMax: Int?
    /// How many objects a page of a list has.
    var pageMax: Int?
    var links: [sim_link] = []
    var faults: [Fault] = []
    /// Whether nobody may list the pods from the forward's beginning until the faults are over.
    var forbidsLists = false
    var clientCount = 1
    /// When the faults are over, in microseconds after the forward was ready.
    var faultSpan: UInt64 = 0
    /// How many bytes all clients of a wave send and get.
    var bytesMax = 0
    var isHeavy = false
    var draw: Draw

    init(seed: UInt64) {
        self.seed = seed
        draw = Draw(seed: seed)
        isEncrypted = Draw.mixed(~seed) % 5 < 2
        drawCluster()
        drawForwarder()
        drawLinks()
        clientCount = draw.magnitude(1...200)
        if draw.chance(75) { drawFaults() }
        if seed % 4 == 0 { makeHeavy() }
        // Hits none of the found seeds: each stays as it is.
        forbidsLists = seed % 7 == 2 && !faults.isEmpty
        // Those that must wait for each other take long: a held end is passed on after its time limit only.
        let isSlow = isHeavy || halfClose == .hold
        connectionsMax = connectionsMax.map { max($0, clientCount / (isSlow ? 2 : 20)) }
    }

    /// Few clients with much to say, some of whom read slowly or not at all: flows pause everywhere.
    private mutating func makeHeavy() {
        isHeavy = true
        clientCount = draw.number(1...8)
        bytesMax = draw.number(1_000_000...6_000_000)
        if let bytes = frameBytesMax { frameBytesMax = max(bytes, 1460) }
        for network in links.indices {
            links[network].latency = min(links[network].latency, 20_000)
            links[network].jitter = min(links[network].jitter, 20_000)
            links[network].segment_max = max(links[network].segment_max, 1460)
        }
        // On a slow link PINGs wait for seconds behind what is uploaded.
        let upstream = Int(SIM_UPSTREAM)
        links[upstream].rate = UInt64(draw.one(of: [draw.magnitude(20...500), 200_000, 200_000]))
        bytesMax = min(bytesMax, affordableBytes)
    }

    private mutating func drawCluster() {
        way = draw.weighted([(5, .webSocket), (3, .spdy), (2, .channels)])
        runtime = draw.one(of: RuntimeDialect.allCases)
        target = draw.weighted([(3, .pod), (4, .deployment), (3, .service)])
        podCount = target == .pod ? 1 : draw.number(1...5)
        if draw.chance(20) { frameBytesMax = draw.magnitude(1...32_768) }
        // From the seed itself: what else a seed means stays as it is.
        pageMax = [nil, nil, 1, 2][Int(seed / 2 % 4)]
    }

    private mutating func drawForwarder() {
        if target != .pod, draw.chance(60) { balance = draw.one(of: PodBalance.allCases) }
        halfClose = draw.weighted([(6, .auto), (1, .hold), (1, .pass)])
        // There it cuts answers, as the manual says.
        if halfClose == .pass, runtime != .ideal { halfClose = .auto }
        let most = draw.magnitude(1...16)
        let least = draw.number(1...most)
        let memory = TunnelLimits.memoryBytes(for: most) + draw.magnitude(0...256) << 20
        limits =
            TunnelLimits(tunnels: TunnelChoice.Bounds(least: least, most: most), memoryBytes: memory)
            ?? .standard
        holdSeconds = UInt64(draw.one(of: [5, 30, 30, 30]))
        if draw.chance(15) { connectionsMax = draw.magnitude(1...50) }
        if draw.chance(15) { descriptors = draw.number(24...400) }
        namesServer = draw.chance(20)
    }

    /// What the links can carry in the time that a wave has.
    private var affordableBytes: Int {
        let slowest = links.map { min(Int($0.rate) * 10_000, Int($0.segment_max) * 20_000) }.min() ?? 0
        // A round trip for each window.
        let windowed =
            links.map { Int(min($0.send_buffer, $0.receive_buffer)) * 10_000_000 / Int($0.latency * 4) }.min()
            ?? 0
        return min(slowest, windowed)
    }

    private mutating func drawLinks() {
        for network in 0..<Int(SIM_NETWORKS) {
            let isFar = network == Int(SIM_UPSTREAM)
            var link = sim_link()
            link.latency = UInt64(isFar ? draw.magnitude(100...100_000) : draw.number(5...200))
            link.jitter = UInt64(draw.one(of: [0, Int(link.latency) / 4, Int(link.latency) * 2]))
            link.rate = UInt64(isFar ? draw.magnitude(500...1_000_000) : 1_000_000)
            link.segment_max = UInt32(draw.weighted([(6, 65_536), (3, 1460), (1, draw.magnitude(2...200))]))
            link.send_buffer = UInt32(draw.magnitude(4096...262_144))
            link.receive_buffer = UInt32(draw.magnitude(4096...262_144))
            links.append(link)
        }
        bytesMax = max(20_000, min(draw.magnitude(100_000...16_000_000), affordableBytes))
        if let frameBytesMax { bytesMax = min(bytesMax, frameBytesMax * 20_000) }
    }

    private mutating func drawFaults() {
        faultSpan = UInt64(draw.number(5...90)) * 1_000_000
        var kinds = Fault.Kind.allCases
        kinds.shuffle(using: &draw)
        for kind in kinds.prefix(draw.number(1...5)) {
            for _ in 0..<draw.magnitude(1...6) {
                faults.append(
                    Fault(
                        kind: kind,
                        at: UInt64(draw.number(0...Int(faultSpan))),
                        span: UInt64(draw.magnitude(10_000...40_000_000)),
                        share: Int32(draw.one(of: [20, 80, 256])),
                        number: draw.number(0...1000),
                        isReset: draw.chance(50)
                    )
                )
            }
        }
        faults.sort { $0.at < $1.at }
    }

    var summary: String {
        "\(way.rawValue)\(isEncrypted ? " with TLS" : ""), \(runtime.rawValue), \(target), \(podCount) pods, balance \(balance?.rawValue ?? "none"), "
            + "half-close \(halfClose.rawValue), tunnels \(limits.tunnels.least)-\(limits.tunnels.most), "
            + "memory \(limits.memoryBytes), hold \(holdSeconds) s, connections \(connectionsMax ?? -1), "
            + "descriptors \(descriptors ?? -1), frames \(frameBytesMax ?? -1), \(clientCount) clients, "
            + "\(bytesMax) bytes, faults for \(faultSpan / 1_000_000) s, "
            + (forbidsLists ? "lists forbidden, " : "")
            + links.map {
                "latency \($0.latency)+\($0.jitter) rate \($0.rate) segment \($0.segment_max) "
                    + "buffers \($0.send_buffer)/\($0.receive_buffer)"
            }.joined(separator: ", ")
    }

    // MARK: What it means

    /// Whether the end of a half-closed client is kept from the pod.
    var holdsEnds: Bool {
        switch halfClose {
        case .pass: way == .channels
        case .hold: true
        case .auto: runtime != .ideal || way == .channels
        }
    }

    /// Whether a pod sees a reset where its client was reset: the other runtimes only close, and so does a lost tunnel.
    var tellsPodsOfResets: Bool { runtime == .ideal && way != .channels && faultSpan == 0 }

    /// A runtime cuts the answer to a client whose end it has been told, and the cut looks complete: so where nobody can
    /// tell whether the client is still there, which is why ends on other hosts are passed on in the end.
    func mayCutAnswers(of exchange: Exchange) -> Bool {
        exchange.isOnAnotherHost && exchange.hasClientEnded && (runtime != .ideal || way == .channels)
    }

    // MARK: Clients

    /// Draws what a client does; a strict one does nothing that may go wrong.
    mutating func exchange(_ id: UInt32, isStrict: Bool, startsWithin span: UInt64) -> Exchange {
        let exchange = Exchange(id: id)
        exchange.startsAt = sim_now() + UInt64(draw.magnitude(0...Int(span)))
        let share = max(64, 2 * bytesMax / clientCount)
        let least = isHeavy && draw.chance(70) ? min(share, 400_000) : 1
        let size = draw.magnitude(least...min(share, 4 << 20))
        let answerSize = draw.magnitude(least...min(share, 4 << 20))
        exchange.isStrict = isStrict
        exchange.chunkBytes = draw.one(of: [65_536, 65_536, draw.magnitude(1...65_536)])
        if draw.chance(20) { exchange.thinkTime = UInt64(draw.magnitude(1...500_000)) }
        // No longer than a few seconds in all.
        let chunks = UInt64(size / exchange.chunkBytes + 1)
        exchange.thinkTime = min(exchange.thinkTime, 3_000_000 / chunks)
        drawKind(of: exchange, size, answerSize)
        drawReading(of: exchange)
        // No more rounds than fit into a few seconds.
        if case .echo = exchange.answer, exchange.aheadBytes != .max {
            let round = links.reduce(0) { $0 + 2 * Int($1.latency + $1.jitter) } + Int(exchange.thinkTime)
            exchange.aheadBytes = max(exchange.aheadBytes, exchange.toPodBytes * round / 5_000_000 + 1)
        }
        if target != .service, draw.chance(10), exchange.remotePort == 7000 {
            exchange.remotePort = SimulatedPods.greetingPort
        }
        exchange.isOnAnotherHost = draw.chance(5)
        if !isStrict, target != .service, draw.chance(4) { exchange.remotePort = SimulatedPods.refusingPort }
        return exchange
    }

    private mutating func drawKind(of exchange: Exchange, _ size: Int, _ answerSize: Int) {
        exchange.toPodBytes = Exchange.headerBytes + size
        exchange.fromPodBytes = answerSize
        switch draw.number(0...99) {
        case ..<30:
            exchange.fromPodBytes = exchange.toPodBytes
            exchange.aheadBytes = draw.one(of: [.max, draw.magnitude(16...65_536)])
        case ..<50:
            exchange.toPodBytes = Exchange.headerBytes
            exchange.answer = .atOnce
            exchange.clientEnd = .waits
            exchange.podEnd = .closesAfterAnswer
        case ..<65:
            exchange.fromPodBytes = draw.magnitude(0...100)
            exchange.answer = .afterAll
            (exchange.clientEnd, exchange.podEnd) =
                draw.chance(50) ? (.waits, .closesAfterAnswer) : (.closesAfterAnswer, .waitsForClient)
        case ..<77:
            exchange.answer = holdsEnds ? .afterAll : .afterEnd
            exchange.clientEnd = .halfCloses
            exchange.podEnd = .closesAfterAnswer
        case ..<87:
            exchange.fromPodBytes = 0
            exchange.clientEnd = .closesAtOnce
        case ..<93:
            exchange.answer = .later(UInt64(draw.magnitude(1000...4_000_000)))
            exchange.clientEnd = .waits
            exchange.podEnd = .closesAfterAnswer
        default:
            if runtime == .ideal, way != .channels {
                exchange.answer = .atOnce
                exchange.podEnd = .halfClosesAfterAnswer
            } else {
                exchange.fromPodBytes = exchange.toPodBytes
            }
        }
        guard !exchange.isStrict else { return }
        switch draw.number(0...99) {
        case ..<6: exchange.clientEnd = .aborts(afterBytes: draw.magnitude(1...exchange.toPodBytes))
        case ..<10: exchange.podEnd = .resets(afterBytes: draw.magnitude(8...exchange.toPodBytes))
        case ..<13:
            exchange.clientEnd = .waits
            if case .afterEnd = exchange.answer { exchange.answer = .afterAll }
            exchange.podEnd = .closesEarly(afterBytes: draw.magnitude(0...exchange.fromPodBytes))
        default: break
        }
    }

    private mutating func drawReading(of exchange: Exchange) {
        let isHeavy = isHeavy
        func reading(_ draw: inout Draw, _ isStrict: Bool, _ bytes: Int) -> Exchange.Reading {
            switch draw.number(0...99) {
            case ..<(isHeavy ? 45 : 80): .eager
            case ..<(isHeavy ? 65 : 90):
                .late(UInt64(draw.magnitude(1000...(isStrict ? 800_000 : 20_000_000))))
            case ..<(isHeavy ? 85 : 97):
                .slow(
                    bytes: max(1, bytes / draw.number(2...(isStrict ? 20 : 100))),
                    every: UInt64(draw.magnitude(1000...(isStrict ? 40_000 : 1_000_000)))
                )
            default: isStrict ? .eager : .stuck
            }
        }
        exchange.clientReads = reading(&draw, exchange.isStrict, exchange.fromPodBytes)
        exchange.podReads = reading(&draw, exchange.isStrict, exchange.toPodBytes)
    }
}

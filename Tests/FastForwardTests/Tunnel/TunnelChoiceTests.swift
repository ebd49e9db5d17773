import Testing

@testable import FastForward

@Suite struct `Choosing a tunnel` {
    private typealias Candidate = TunnelChoice.Candidate

    private static let now = Instant(nanoseconds: 100_000_000_000)

    private func loaded(_ load: Int, port: UInt16 = 80, ago: TimeSpan = .seconds(60)) -> Candidate {
        var candidate = Candidate(.open)
        candidate.load = load
        candidate.port = port
        candidate.loadedSince = Instant(nanoseconds: Self.now.nanoseconds - ago.nanoseconds)
        return candidate
    }

    private func choose(
        _ candidates: [Candidate],
        port: UInt16 = 80,
        most: Int = 16,
        mayOpen: Bool = true,
        mayWait: Bool = true
    ) -> TunnelChoice {
        TunnelChoice(
            for: port,
            among: candidates,
            bounds: TunnelChoice.Bounds(least: 1, most: most),
            mayOpen: mayOpen,
            mayWait: mayWait,
            now: Self.now
        )
    }

    private func expect(
        _ choice: TunnelChoice,
        _ verdict: TunnelChoice.Verdict,
        opens: Bool,
        _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(choice.verdict == verdict, sourceLocation: location)
        #expect(choice.opensAnother == opens, sourceLocation: location)
    }

    @Test func `the first connection takes the tunnel that is there, and a spare is opened behind it`() {
        expect(choose([Candidate(.open)]), .use(0), opens: true)
        expect(choose([Candidate(.open), Candidate(.open)]), .use(0), opens: false)
        expect(choose([Candidate(.open), Candidate(.opening)]), .use(0), opens: false)
    }

    @Test func `who comes later takes the spare rather than share`() {
        expect(choose([loaded(3), Candidate(.open)]), .use(1), opens: true)
        expect(choose([loaded(3), loaded(1), Candidate(.open)]), .use(2), opens: true)
    }

    @Test func `a burst shares the tunnels of its generation and leaves the spare`() {
        let generation = (0..<TunnelChoice.generationWidth).map { loaded(5 - $0, ago: .milliseconds(10)) }
        expect(choose(generation + [Candidate(.open)]), .use(generation.count - 1), opens: false)
        expect(choose(generation), .use(generation.count - 1), opens: true)
    }

    @Test func `a large burst gets more tunnels`() {
        let generation = (0..<TunnelChoice.generationWidth).map { _ in
            loaded(TunnelChoice.connectionsPerTunnel, ago: .milliseconds(10))
        }
        expect(choose(generation + [Candidate(.open)]), .use(generation.count), opens: true)
    }

    @Test func `where too many wait for a tunnel of their own, one of others is good enough`() {
        expect(choose([loaded(3, port: 81), Candidate(.opening)]), .wait, opens: false)
        expect(choose([loaded(3, port: 81), Candidate(.opening)], mayWait: false), .use(0), opens: false)
        expect(choose([Candidate(.opening)], mayWait: false), .wait, opens: false)
    }

    @Test func `nobody is put behind a client that does not read, as long as there is another way`() {
        var held = loaded(1)
        held.isHeldUp = true
        expect(choose([held, loaded(50)]), .use(1), opens: true)
        expect(choose([held]), .wait, opens: true)
        expect(choose([held, Candidate(.opening)]), .wait, opens: false)
        expect(choose([held], mayOpen: false), .wait, opens: false)
        // At the bound one of them it is.
        expect(choose([held], most: 1), .use(0), opens: false)
        expect(choose([held], most: 1, mayOpen: false), .use(0), opens: false)
    }

    @Test func `connections to different ports do not meet while there may be another tunnel`() {
        expect(choose([loaded(1, port: 81)]), .wait, opens: true)
        expect(choose([loaded(1, port: 81), Candidate(.opening)]), .wait, opens: false)
        expect(choose([loaded(1, port: 81), loaded(9)]), .use(1), opens: true)
        expect(choose([loaded(2, port: 81), loaded(1, port: 82)], most: 2), .use(1), opens: false)
        expect(choose([loaded(1, port: 81)], mayOpen: false), .use(0), opens: false)
    }

    @Test func `a suspect tunnel is avoided until there is no other`() {
        var suspect = loaded(1)
        suspect.isSuspect = true
        expect(choose([suspect]), .wait, opens: true)
        expect(choose([suspect, loaded(9)]), .use(1), opens: true)
        // Nor does it count where there may be one only.
        expect(choose([suspect], most: 1), .wait, opens: true)
        expect(choose([suspect], most: 1, mayOpen: false), .use(0), opens: false)
        let many = [Candidate](repeating: suspect, count: TunnelChoice.suspectsMax + 1)
        expect(choose(many, most: 1), .use(0), opens: false)
        // One that carries nobody is no better.
        suspect = Candidate(.open)
        suspect.isSuspect = true
        expect(choose([suspect]), .wait, opens: true)
        expect(choose([suspect, Candidate(.open)]), .use(1), opens: true)
    }

    @Test func `what only ends is neither used nor counted`() {
        expect(choose([Candidate(.retiring)], most: 1), .wait, opens: true)
        expect(choose([Candidate(.retiring), loaded(1)], most: 1), .use(1), opens: false)
        expect(choose([]), .wait, opens: true)
        expect(choose([], mayOpen: false), .wait, opens: false)
    }

    @Test func `idle tunnels go, but for the least and a warm spare`() {
        func mayClose(_ candidates: [Candidate], least: Int = 1) -> Bool {
            TunnelChoice.mayCloseIdle(among: candidates, bounds: .init(least: least, most: 16))
        }
        #expect(!mayClose([Candidate(.open)]))
        #expect(mayClose([Candidate(.open), Candidate(.open)]))
        #expect(!mayClose([Candidate(.open), Candidate(.open)], least: 2))
        #expect(!mayClose([loaded(1), Candidate(.open)]))
        #expect(mayClose([loaded(1), Candidate(.open), Candidate(.open)]))
        #expect(!mayClose([Candidate(.open), Candidate(.retiring)]))
        #expect(!mayClose([]))
    }

    /// Connections come one after another, or many at once, and stay: how many tunnels, and who shares with whom.
    @Test func `four hundred in two bursts do not share, and sixteen tunnels are enough for thousands`() {
        var tunnels = [Candidate(.open)]
        func arrive(_ count: Int, at seconds: UInt64) -> Set<Int> {
            let now = Instant(nanoseconds: seconds * 1_000_000_000)
            var used: Set<Int> = []
            for _ in 0..<count {
                let choice = TunnelChoice(for: 80, among: tunnels, bounds: .standard, mayOpen: true, now: now)
                guard case .use(let index) = choice.verdict else {
                    Issue.record("a connection waits though there is an open tunnel")
                    return used
                }
                if tunnels[index].load == 0 {
                    tunnels[index].loadedSince = now
                    tunnels[index].port = 80
                }
                tunnels[index].load += 1
                used.insert(index)
                // A tunnel is open at once here, which makes more of them than real ones do.
                if choice.opensAnother { tunnels.append(Candidate(.open)) }
            }
            return used
        }
        let first = arrive(200, at: 10)
        let second = arrive(200, at: 20)
        #expect(first.isDisjoint(with: second))
        #expect(tunnels.count < TunnelChoice.Bounds.standard.most)
        _ = arrive(5000, at: 30)
        #expect(tunnels.count == TunnelChoice.Bounds.standard.most)
        let loads = tunnels.map(\.load)
        #expect(loads.allSatisfy { $0 > 0 })
    }

    @Test(arguments: [1, 2, 16, 64, 256])
    func `the shares of all tunnels are the memory limit`(most: Int) throws {
        let bounds = TunnelChoice.Bounds(least: 1, most: most)
        let least = TunnelLimits.memoryBytes(for: most)
        #expect(TunnelLimits(tunnels: bounds, memoryBytes: least - 1) == nil)
        for memoryBytes in [least, least * 2, 4 << 30] {
            let limits = try #require(TunnelLimits(tunnels: bounds, memoryBytes: memoryBytes))
            let share =
                limits.fromPodMarks.highBytes + limits.toPodMarks.highBytes + TunnelLimits.overheadBytes
            #expect(TunnelLimits.baseBytes + share * most <= memoryBytes)
            #expect(limits.toPodMarks.highBytes >= 512 * 1024)
            #expect(limits.fromPodMarks.highBytes >= 1 << 20)
        }
    }
}

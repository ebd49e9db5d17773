import FastForward
import Testing

/// Clients that send, a tunnel, and a server that can get stuck.
private struct WindowBench {
    let bench = TunnelBench()
    let server = ServerScript()
    var model = SpdystreamModel()
    var generator: SeededGenerator
    /// Frames under way, each way.
    private var toServer: [SeenSPDYFrame] = []
    private var toClient: [UInt32] = []
    /// For each connection: data frames to send still, and sent.
    var wanted: [Int] = []
    var sent: [Int] = []
    /// Workers that nothing is sent to before the core says so.
    private var waitingWorkers: Set<Int> = []
    private(set) var isDead = false

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func open(_ count: Int) {
        for _ in 0..<count {
            bench.open(port: 80)
            wanted.append(0)
            sent.append(0)
        }
    }

    /// The data stream of each connection, in the order of opening.
    private(set) var dataIDs: [UInt32] = []

    /// One turn of the client, then some time for the network and the server.
    mutating func turn() throws {
        let slow = Int.random(in: 0..<4, using: &generator)
        for number in wanted.indices where wanted[number] > 0 {
            let worker = bench.worker(of: number)
            for _ in 0..<Int.random(in: 1...4, using: &generator)
            where wanted[number] > 0 && !waitingWorkers.contains(worker) {
                guard bench.maySend(number) else {
                    waitingWorkers.insert(worker)
                    break
                }
                bench.send(number, [1])
                wanted[number] -= 1
                sent[number] += 1
            }
        }
        bench.endTurn()
        toServer += bench.sent
        bench.sent = []
        let count = slow == 0 ? toServer.count : toServer.count / slow
        for frame in toServer.prefix(count) {
            if case .control(.openedStream(let id, _, _, let headers, _)) = frame,
                headers["streamtype"] == "data"
            {
                dataIDs.append(id)
            }
        }
        model.receive(Array(toServer.prefix(count)))
        toServer.removeFirst(count)
        isDead = model.run(steps: Int.random(in: 0...200, using: &generator), using: &generator) || isDead
        toClient += model.takePongs()
        let pongs = Int.random(in: 0...toClient.count, using: &generator)
        let bytes = toClient.prefix(pongs).flatMap { server.ping($0) }
        toClient.removeFirst(pongs)
        if !bytes.isEmpty { try bench.receive(server.message(bytes)) }
        for case .workerReady(let worker) in bench.takeTunnelEvents() { waitingWorkers.remove(worker) }
    }

    /// Turns until everything that is wanted was sent and taken.
    mutating func settle(turnsMax: Int = 3000, only numbers: [Int]? = nil) throws -> Bool {
        for _ in 0..<turnsMax {
            try turn()
            if let numbers {
                if numbers.allSatisfy({ wanted[$0] == 0 && model.taken[dataIDs[$0], default: 0] == sent[$0] })
                {
                    return true
                }
            } else if wanted.allSatisfy({ $0 == 0 }) && toServer.isEmpty && toClient.isEmpty && model.isIdle
                && !bench.hasControlFrames
            {
                return true
            }
        }
        return false
    }
}

@Suite struct `Keeping a server's workers from getting stuck` {
    @Test(arguments: testSeeds(12))
    func `one pod that does not read stops neither the tunnel nor the other workers`(_ seed: UInt64) throws {
        var bench = WindowBench(seed: seed)
        bench.open(Int.random(in: 10...40, using: &bench.generator))
        try #require(try bench.settle(), "seed \(seed)")
        for round in 0..<3 {
            let comment = Comment(rawValue: "seed \(seed), round \(round)")
            let culprit = try #require(bench.bench.sending.randomElement(using: &bench.generator))
            let culpritID = bench.dataIDs[culprit]
            bench.model.stoppedPods = [culpritID]
            bench.wanted[culprit] += 1000
            for _ in 0..<Int.random(in: 0...40, using: &bench.generator) { try bench.turn() }

            // The other workers' clients send much; those of its own worker leave in many ways.
            let others = bench.bench.sending.filter { $0 != culprit }
            let free = others.filter { bench.dataIDs[$0] % 5 != culpritID % 5 }
            for number in free { bench.wanted[number] += Int.random(in: 0...120, using: &bench.generator) }
            for number in others where !free.contains(number) {
                switch Int.random(in: 0..<4, using: &bench.generator) {
                case 0: bench.bench.abandon(number)
                case 1: bench.bench.finish(number)
                default: bench.wanted[number] += 5
                }
            }
            let first = bench.bench.connections.count
            bench.open(4)
            let added = Array(first..<first + 4)
            for number in added { bench.wanted[number] = 20 }
            for _ in 0..<200 where bench.dataIDs.count < first + 4 { try bench.turn() }
            try #require(bench.dataIDs.count == first + 4, comment)
            let reachable = (free + added).filter { bench.dataIDs[$0] % 5 != culpritID % 5 }
            #expect(try bench.settle(only: reachable), comment)
            #expect(!bench.isDead, comment)

            bench.model.stoppedPods = []
            #expect(try bench.settle(), comment)
            #expect(!bench.isDead && !bench.bench.isStalled, comment)
            for number in bench.sent.indices {
                #expect(bench.model.taken[bench.dataIDs[number], default: 0] == bench.sent[number], comment)
                let id = bench.dataIDs[number]
                let connection = bench.bench.connections[number]
                if connection.isClientGone { #expect(bench.model.resets.contains(id), comment) }
                if connection.hasSentFinish { #expect(bench.model.finished.contains(id), comment) }
            }
        }
        #expect(bench.model.longestStuckQueue < SpdystreamModel.queueMax)
        #expect(bench.bench.problems == [])
    }

    @Test(arguments: testSeeds(8))
    func `several pods that stop reading hold up only their own workers`(_ seed: UInt64) throws {
        var bench = WindowBench(seed: seed)
        bench.open(30)
        try #require(try bench.settle(), "seed \(seed)")
        let culprits = (0..<30).shuffled(using: &bench.generator).prefix(3)
        let stuck = Set(culprits.map { bench.dataIDs[$0] % 5 })
        let others = (0..<30).filter { !stuck.contains(bench.dataIDs[$0] % 5) }
        // One after the other, so that the first is given up while the last still owes little.
        for number in culprits {
            bench.model.stoppedPods.insert(bench.dataIDs[number])
            bench.wanted[number] = 300
            for other in others.prefix(3) { bench.wanted[other] += 6 }
            for _ in 0..<12 { try bench.turn() }
        }
        for number in others { bench.wanted[number] = 400 }
        #expect(try bench.settle(only: others), "seed \(seed)")
        #expect(bench.bench.isStalled && !bench.isDead, "seed \(seed)")
        bench.model.stoppedPods = []
        #expect(try bench.settle(), "seed \(seed)")
        #expect(!bench.isDead && !bench.bench.isStalled, "seed \(seed)")
        #expect(bench.model.longestStuckQueue < SpdystreamModel.queueMax)
    }

    @Test func `a tunnel of many clients stays alive when all of a stopped worker's clients leave`() throws {
        var bench = WindowBench(seed: 1)
        bench.open(300)
        try #require(try bench.settle())
        bench.model.stoppedPods = [bench.dataIDs[0]]
        bench.wanted[0] = 1000
        for _ in 0..<40 { try bench.turn() }
        for number in 1..<300 where bench.dataIDs[number] % 5 == bench.dataIDs[0] % 5 {
            bench.bench.abandon(number)
        }
        bench.wanted[0] = 0
        let others = (1..<300).filter { bench.dataIDs[$0] % 5 != bench.dataIDs[0] % 5 }
        for number in others { bench.wanted[number] = 3 }
        #expect(try bench.settle(only: others))
        #expect(!bench.isDead)
        bench.model.stoppedPods = []
        #expect(try bench.settle())
        #expect(bench.model.resets.count == 59)
    }
}

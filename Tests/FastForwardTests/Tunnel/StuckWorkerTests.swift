import FastForward
import Testing

/// What follows when the server's worker is left with bytes that nobody takes.
@Suite struct `Keeping away from a stuck worker` {
    private let bench = TunnelBench()
    private let server = ServerScript()

    private func receive(_ parts: [UInt8]...) throws {
        try bench.receive(server.message(parts.flatMap(\.self)))
    }

    private func takePings() -> [UInt32] {
        defer { bench.sent = [] }
        return bench.sent.compactMap {
            guard case .control(.ping(let id)) = $0 else { return nil }
            return id
        }
    }

    /// Connection 0, of streams 1 and 3, sends a byte and is refused.
    private func refuseOne() throws {
        bench.open(port: 81)
        bench.send(0, [1])
        bench.endTurn()
        #expect(takePings() == [])
        try receive(server.data(3, [], isFinal: true), server.data(1, Array("refused".utf8)))
        try receive(server.data(1, [], isFinal: true))
        bench.endTurn()
    }

    @Test func `a refused connection with unproved bytes makes its worker suspect, and asks at once`() throws
    {
        try refuseOne()
        #expect(takePings() == [1, 3, 5, 7, 9])
        // Five connections in a row would use each worker once.
        for _ in 0..<5 { bench.open(port: 80) }
        #expect((1...5).allSatisfy { bench.worker(of: $0) != 3 })
        // PING 3 of the deal (id 7) goes to worker 3: its answer clears it.
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(9))
        for _ in 0..<5 { bench.open(port: 80) }
        #expect((6...10).allSatisfy { bench.worker(of: $0) != 3 })
        try receive(server.ping(7))
        for _ in 0..<5 { bench.open(port: 80) }
        #expect((11...15).contains { bench.worker(of: $0) == 3 })
    }

    @Test func `a refused connection that sent nothing leaves no doubt`() throws {
        bench.open(port: 81)
        try receive(server.data(3, [], isFinal: true), server.data(1, Array("refused".utf8)))
        try receive(server.data(1, [], isFinal: true))
        bench.endTurn()
        #expect(takePings() == [])
    }

    @Test func `a worker that stays silent makes the tunnel stalled until it answers`() throws {
        try refuseOne()
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(9))
        #expect(!bench.isStalled)
        bench.advance(by: .milliseconds(999))
        #expect(!bench.isStalled)
        bench.advance(by: .milliseconds(1))
        #expect(bench.isStalled)
        try receive(server.ping(7))
        #expect(!bench.isStalled)
    }

    @Test func `what has not come to the server is not the server's silence`() throws {
        bench.open(port: 80)
        try receive(server.reply(3))
        for _ in 0..<WorkerWindow.framesPerRound { bench.send(0, [1]) }
        bench.endTurn()
        #expect(takePings() == [1, 3, 5, 7, 9])
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(7), server.ping(9))
        bench.isUplinkStuck = true
        for _ in 0..<WorkerWindow.framesPerRound { bench.send(0, [1]) }
        bench.endTurn()
        #expect(takePings() == [11, 13, 15, 17, 19])
        bench.open(port: 80)
        bench.advance(by: .seconds(60))
        #expect(!bench.isStalled)
        #expect(bench.connections[1].ends == [])
        // It has come now, and the clock of its answer begins.
        bench.isUplinkStuck = false
        bench.endTurn()
        bench.advance(by: .milliseconds(29_999))
        #expect(bench.isStalled)
        #expect(bench.connections[1].ends == [])
        bench.advance(by: .seconds(1))
        #expect(bench.connections[1].ends.first == .fail(slot: bench.connections[1].slot, .unanswered))
    }

    @Test func `answers that wait behind downloads are not the server's silence`() throws {
        for _ in 0..<2 { bench.open(port: 80) }
        for _ in 0..<WorkerWindow.framesPerRound { bench.send(0, [1]) }
        bench.endTurn()
        #expect(takePings() == [1, 3, 5, 7, 9])
        for _ in 0..<20 {
            bench.advance(by: .seconds(1))
            try receive(server.data(3, [1], isFinal: false))
        }
        #expect(!bench.isStalled)
        #expect(bench.connections[1].ends == [])
        // Where one worker's answer comes, the others' should.
        try receive(server.ping(1))
        bench.advance(by: .milliseconds(29_999))
        #expect(bench.isStalled)
        #expect(bench.connections[1].ends == [])
        bench.advance(by: .seconds(1))
        #expect(bench.connections[1].ends.first == .fail(slot: bench.connections[1].slot, .stalled))
    }

    @Test func `a tunnel on which nothing is begun takes no more until something is answered`() throws {
        bench.open(port: 80)
        for _ in 0..<WorkerWindow.framesPerRound { bench.send(0, [1]) }
        bench.endTurn()
        #expect(takePings() == [1, 3, 5, 7, 9])
        bench.advance(by: .seconds(29))
        #expect(bench.connections[0].ends == [])
        bench.advance(by: .seconds(1))
        #expect(bench.connections[0].ends.first == .fail(slot: bench.connections[0].slot, .unanswered))
        #expect(bench.isStalled)
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(7), server.ping(9))
        #expect(!bench.isStalled)
    }

    @Test func `what a stuck worker keeps from beginning is reset, the others go on`() throws {
        // Connections 0, 5 and 10 have data streams 3, 23 and 43: worker 3.
        for _ in 0..<11 { bench.open(port: 80) }
        bench.send(0, [1])
        bench.endTurn()
        _ = takePings()
        try receive(
            server.reply(23),
            server.data(3, [], isFinal: true),
            server.data(1, Array("refused".utf8))
        )
        try receive(server.data(1, [], isFinal: true))
        bench.endTurn()
        #expect(takePings() == [1, 3, 5, 7, 9])
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(9))
        bench.advance(by: TunnelCore.answerMax)
        let failure = TunnelCore.Event.fail(slot: bench.connections[10].slot, .stalled)
        #expect(bench.connections[10].ends.first == failure)
        for number in 1..<10 { #expect(bench.connections[number].ends == [], "connection \(number)") }
        #expect(bench.problems == [])
    }

    @Test func `what a stuck worker has begun is reset only if its bytes are stuck`() throws {
        // Connections 0, 5 and 10 share worker 3; the server has begun them all.
        for _ in 0..<11 { bench.open(port: 80) }
        try receive(server.reply(3), server.reply(23), server.reply(43))
        bench.send(0, [1])
        bench.send(5, [2])
        bench.endTurn()
        _ = takePings()
        try receive(server.data(3, [], isFinal: true), server.data(1, Array("refused".utf8)))
        try receive(server.data(1, [], isFinal: true))
        bench.endTurn()
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(9))
        bench.advance(by: TunnelCore.answerMax)
        let failure = TunnelCore.Event.fail(slot: bench.connections[5].slot, .stalled)
        #expect(bench.connections[5].ends.first == failure)
        #expect(bench.connections[10].ends == [])
        #expect(bench.problems == [])
    }

    @Test func `a second worker that gets stuck while the first is silent is noticed too`() throws {
        try refuseOne()
        #expect(takePings() == [1, 3, 5, 7, 9])
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(9))
        // Nothing comes of these, on other workers, which owed nothing when they were last asked.
        for _ in 0..<4 { bench.open(port: 80) }
        bench.send(1, [2])
        bench.endTurn()
        #expect(takePings() == [])
        bench.advance(by: TunnelCore.keepAlive)
        #expect(takePings() == [11, 13, 15, 17, 19])
        try receive(server.ping(11))
        bench.advance(by: TunnelCore.blockedMax)
        bench.advance(by: .seconds(1))
        for number in 1...4 where bench.worker(of: number) != 0 {
            let failure = TunnelCore.Event.fail(slot: bench.connections[number].slot, .stalled)
            #expect(bench.connections[number].ends.first == failure, "connection \(number)")
        }
    }

    @Test func `what a stuck worker keeps from going on is reset, though all that it sent was taken`() throws
    {
        // Connections 0 and 5 share worker 3.
        for _ in 0..<6 { bench.open(port: 80) }
        try receive(server.reply(3), server.reply(23))
        bench.send(5, [2])
        for _ in 0..<WorkerWindow.framesPerRound { bench.send(0, [1]) }
        bench.endTurn()
        #expect(takePings() == [1, 3, 5, 7, 9])
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(7), server.ping(9))
        while bench.maySend(0) {
            bench.send(0, [1])
            bench.endTurn()
        }
        #expect(!bench.maySend(5))
        try receive(server.data(3, [], isFinal: true), server.data(1, Array("refused".utf8)))
        try receive(server.data(1, [], isFinal: true))
        bench.endTurn()
        // PING k (id 2k + 1) is for worker k % 5.
        for id in takePings() where id / 2 % 5 != 3 { try receive(server.ping(id)) }
        bench.advance(by: TunnelCore.answerMax)
        let failure = TunnelCore.Event.fail(slot: bench.connections[5].slot, .stalled)
        #expect(bench.connections[5].ends.first == failure)
        for number in 1..<5 { #expect(bench.connections[number].ends == [], "connection \(number)") }
    }

    /// Connections 0 and 5 wait for worker 3, which is silent while the others answer.
    private func letTwoWaitForOneWorker() throws {
        for _ in 0..<6 { bench.open(port: 80) }
        try receive(server.reply(3), server.reply(23))
        for _ in 0..<12 { bench.send(0, [1]) }
        bench.send(5, [2])
        bench.endTurn()
        #expect(takePings() == [1, 3, 5, 7, 9])
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(9))
    }

    @Test func `a live pod that does not read harms none that the server has begun`() throws {
        try letTwoWaitForOneWorker()
        bench.advance(by: .seconds(29))
        #expect(bench.isStalled)
        #expect(bench.connections[0].ends == [] && bench.connections[5].ends == [])
        // Two wait, one of them is in the way, and nobody can tell which.
        bench.advance(by: .seconds(6))
        for number in [0, 5] {
            let failure = TunnelCore.Event.fail(slot: bench.connections[number].slot, .stalled)
            #expect(bench.connections[number].ends.first == failure)
        }
        for number in 1..<5 { #expect(bench.connections[number].ends == [], "connection \(number)") }
    }

    @Test func `a pod that stands still as a whole harms none that the server has begun`() throws {
        try letTwoWaitForOneWorker()
        bench.isPodServing = false
        bench.advance(by: .seconds(600))
        #expect(bench.connections[0].ends == [] && bench.connections[5].ends == [])
        bench.isPodServing = true
        bench.advance(by: .seconds(1))
        #expect(bench.connections[5].ends.first == .fail(slot: bench.connections[5].slot, .stalled))
    }

    /// Also where a connection that is over may have left something in a worker's way.
    @Test func `a server that stands still as a whole harms none that it has begun`() throws {
        for _ in 0..<6 { bench.open(port: 80) }
        try receive(server.reply(3), server.reply(23))
        bench.send(0, [1])
        bench.send(5, [2])
        bench.endTurn()
        try receive(server.data(3, [], isFinal: true), server.data(1, Array("refused".utf8)))
        try receive(server.data(1, [], isFinal: true))
        bench.endTurn()
        bench.isPodServing = false
        bench.open(port: 80)
        bench.advance(by: .seconds(29))
        #expect(bench.connections[6].ends == [])
        bench.advance(by: .seconds(600))
        #expect(bench.connections[6].ends.first == .fail(slot: bench.connections[6].slot, .unanswered))
        #expect(bench.connections[5].ends == [])
    }

    /// Enough is asked that no more can be: then who has not begun counts by his age alone.
    @Test func `what this process slept through is no silence of the server's, and nobody's waiting`() throws
    {
        for _ in 0..<6 { bench.open(port: 80) }
        for _ in 0..<WorkerWindow.unansweredPingsMax {
            for number in 0..<6 where bench.maySend(number) { bench.send(number, [1]) }
            bench.endTurn()
        }
        _ = takePings()
        bench.standStill(for: .seconds(3600))
        bench.advance(by: .seconds(29))
        for number in 0..<6 { #expect(bench.connections[number].ends == [], "connection \(number)") }
        bench.advance(by: .seconds(2))
        #expect(bench.connections[0].ends.first == .fail(slot: bench.connections[0].slot, .unanswered))
    }

    @Test func `a pod that does not read may take its time where nobody waits for it`() throws {
        for _ in 0..<6 { bench.open(port: 80) }
        try receive(server.reply(3), server.reply(23))
        for _ in 0..<12 { bench.send(0, [1]) }
        bench.endTurn()
        #expect(takePings() == [1, 3, 5, 7, 9])
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(9))
        bench.advance(by: .seconds(300))
        #expect(bench.isStalled)
        for number in 0..<6 { #expect(bench.connections[number].ends == [], "connection \(number)") }
        try receive(server.ping(7))
        #expect(!bench.isStalled)
    }
}

import FastForward
import Testing

/// A server that ends its pairs of streams in every way it can, at random.
private struct RandomServer {
    private struct Pair {
        let dataID: UInt32
        let errorID: UInt32
        var hasReplied = false
        /// What is still to be done, in order.
        var plan: [Step]
    }

    private enum Step { case data, dataFin, dataReset, text, errorFin, errorReset }

    let script = ServerScript()
    private var pairs: [Pair] = []
    private var errorIDs: [String: UInt32] = [:]
    private var finishedIDs: [UInt32] = []
    private var pings: [UInt32] = []
    private(set) var problems: [String] = []

    mutating func receive(_ frames: [SeenSPDYFrame], using generator: inout SeededGenerator) {
        for frame in frames {
            switch frame {
            case .control(.openedStream(let id, nil, _, let headers, let isFinal)):
                let request = headers["requestid"] ?? ""
                if headers["streamtype"] == "error", isFinal, errorIDs[request] == nil {
                    errorIDs[request] = id
                } else if headers["streamtype"] == "data", !isFinal, let errorID = errorIDs[request] {
                    pairs.append(Pair(dataID: id, errorID: errorID, plan: Self.plan(using: &generator)))
                } else {
                    problems.append("stream \(id) with \(headers)")
                }
            case .control(.ping(let id)): pings.append(id)
            case .control(.reset(let id, _)), .data(let id, _, true): finishedIDs.append(id)
            case .data: break
            case .control(let event): problems.append("unexpected \(event)")
            }
        }
    }

    private static func plan(using generator: inout SeededGenerator) -> [Step] {
        let data = [Step](repeating: .data, count: Int.random(in: 0...5, using: &generator))
        let ends: [[Step]] = [
            [.dataFin, .errorFin], [.errorFin, .dataFin],
            [.dataFin, .text, .errorFin], [.text, .dataReset, .errorReset],
            [.text, .text, .dataFin, .errorReset],
            [.dataReset, .errorReset], [.errorReset, .dataReset], [.dataReset], [.errorReset],
            [.dataFin], [.text], [.dataFin, .text], [.errorFin], [],
            // Out of order, as no server should.
            [.dataFin, .data, .dataFin, .dataReset, .data, .errorFin, .text, .errorFin],
        ]
        var plan = data + (ends.randomElement(using: &generator) ?? [])
        if Int.random(in: 0..<8, using: &generator) == 0 { plan.shuffle(using: &generator) }
        return plan
    }

    /// Some SPDY frames.
    mutating func act(using generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            guard let index = pairs.indices.randomElement(using: &generator) else { break }
            if !pairs[index].hasReplied, Bool.random(using: &generator) {
                pairs[index].hasReplied = true
                bytes += script.reply(pairs[index].dataID) + script.reply(pairs[index].errorID)
            }
            if pairs[index].plan.isEmpty {
                pairs.remove(at: index)
                continue
            }
            let step = pairs[index].plan.removeFirst()
            bytes += self.bytes(of: step, pairs[index], using: &generator)
        }
        if let gone = finishedIDs.randomElement(using: &generator), Bool.random(using: &generator) {
            bytes += script.data(gone, [1, 2, 3])
        }
        if Int.random(in: 0..<9, using: &generator) == 0 {
            bytes += script.ping(2 * UInt32.random(in: 1...99, using: &generator))
        }
        while let ping = pings.popLast() { bytes += script.ping(ping) }
        return bytes
    }

    private func bytes(of step: Step, _ pair: Pair, using generator: inout SeededGenerator) -> [UInt8] {
        switch step {
        case .data: script.data(pair.dataID, generator.bytes(Int.random(in: 0...300, using: &generator)))
        case .dataFin: script.data(pair.dataID, generator.bytes(1), isFinal: true)
        case .dataReset: script.reset(pair.dataID)
        case .text: script.text(pair.errorID, "refused")
        case .errorFin: script.finish(pair.errorID)
        case .errorReset: script.reset(pair.errorID)
        }
    }
}

@Suite struct `A tunnel in long use` {
    @Test(arguments: testSeeds(20))
    func `every connection comes to a legal end and every slot is free again`(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let comment = Comment(rawValue: "seed \(seed)")
        let bench = TunnelBench()
        var server = RandomServer()
        for _ in 0..<300 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4: bench.open(port: UInt16.random(in: 1...9, using: &generator))
            case 4, 5:
                if let number = bench.sending.randomElement(using: &generator), bench.maySend(number) {
                    bench.send(number, generator.bytes(generator.logUniform(upTo: 2000)))
                }
            case 6: bench.sending.randomElement(using: &generator).map(bench.finish)
            case 7: clientsGo(bench, using: &generator)
            case 8: bench.advance(by: .milliseconds(UInt64(generator.logUniform(upTo: 3000))))
            default: break
            }
            bench.endTurn()
            server.receive(bench.sent, using: &generator)
            bench.sent = []
            let bytes = server.script.messages(server.act(using: &generator), using: &generator)
            try bench.receive(bytes, cuts: SPDYBytes.randomCuts(in: bytes.count, using: &generator))
            #expect(bench.load == bench.living.count, comment)
        }
        // Nobody waits any longer; the server says nothing more but PONGs.
        for number in bench.living where !bench.connections[number].isClientGone { bench.abandon(number) }
        let last = bench.now + TunnelCore.discardGrace
        while bench.deadline <= last {
            bench.advance(to: bench.deadline)
            try #require(bench.deadline > bench.now, comment)
        }
        #expect(bench.load == 0, comment)
        #expect(bench.living.isEmpty, comment)
        #expect(bench.problems == [], comment)
        #expect(server.problems == [], comment)
        for connection in bench.connections {
            let slot = connection.slot
            guard connection.ends.last == .release(slot: slot),
                connection.ends.count(where: { $0 == .release(slot: slot) }) == 1
            else {
                Issue.record("\(connection.ends), seed \(seed)")
                return
            }
        }
    }

    private func clientsGo(_ bench: TunnelBench, using generator: inout SeededGenerator) {
        let present = bench.living.filter { !bench.connections[$0].isClientGone }
        if let number = present.randomElement(using: &generator) { bench.abandon(number) }
    }

    @Test(arguments: testSeeds(200))
    func `garbage is refused with the tunnel's own error`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let bench = TunnelBench()
        let server = ServerScript()
        for _ in 0..<3 { bench.open(port: 80) }
        var bytes: [UInt8]
        switch seed % 3 {
        case 0: bytes = generator.bytes(generator.logUniform(upTo: 4000))
        case 1: bytes = server.messages(generator.bytes(generator.logUniform(upTo: 4000)), using: &generator)
        default:
            let frames = [
                server.reply(1), server.reply(3), server.data(3, generator.bytes(40)),
                server.text(5, "refused"),
                server.reset(7), server.ping(2), server.finish(11), server.goAway(lastGood: 3),
                server.finish(9),
            ]
            bytes = server.messages(frames.flatMap(\.self), using: &generator)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^= UInt8(1) << UInt8(seed % 8)
            }
        }
        // The compiler knows that nothing but a TunnelError comes; a trap would end the run.
        try? bench.receive(bytes, cuts: SPDYBytes.randomCuts(in: bytes.count, using: &generator))
        bench.advance(by: .seconds(100))
        #expect(bench.problems == [], "seed \(seed)")
    }
}

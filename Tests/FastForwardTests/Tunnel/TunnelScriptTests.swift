import FastForward
import Testing

@Suite struct `Talking to a server through a tunnel` {
    private let bench = TunnelBench()
    private let server = ServerScript()

    private func receive(_ parts: [UInt8]...) throws {
        try bench.receive(server.message(parts.flatMap(\.self)))
    }

    private func takeSent() -> [SeenSPDYFrame] {
        defer { bench.sent = [] }
        return bench.sent
    }

    private func takePings() -> [UInt32] {
        takeSent().compactMap {
            guard case .control(.ping(let id)) = $0 else { return nil }
            return id
        }
    }

    // MARK: What the server sees

    @Test func `a connection opens with two streams that belong together, and data right behind`() {
        for port: UInt16 in [80, 65535] {
            bench.send(bench.open(port: port), [1, 2, 3])
        }
        bench.finish(0)
        bench.finish(0)
        let sent = takeSent()
        #expect(sent.count == 7)
        for pair in 0..<2 {
            for (place, type) in ["error", "data"].enumerated() {
                guard
                    case .control(.openedStream(let id, nil, _, let headers, let isFinal)) = sent[
                        pair * 3 + place
                    ]
                else {
                    Issue.record("\(sent[pair * 3 + place])")
                    continue
                }
                #expect(id == UInt32(pair * 4 + place * 2 + 1))
                #expect(isFinal == (place == 0))
                #expect(headers["streamtype"] == type)
                #expect(headers["port"] == ["80", "65535"][pair])
                #expect(headers["requestid"] == String(pair))
                #expect(headers.fields.count == 3)
            }
            #expect(
                sent[pair * 3 + 2]
                    == .data(streamID: UInt32(pair * 4 + 3), payload: [1, 2, 3], isFinal: false)
            )
        }
        #expect(sent[6] == .data(streamID: 3, payload: [], isFinal: true))
    }

    @Test func `the end of a complete connection is answered once`() throws {
        bench.open(port: 80)
        bench.open(port: 80)
        bench.finish(1)
        _ = takeSent()
        try receive(server.finish(3), server.finish(1), server.finish(7), server.finish(5))
        bench.endTurn()
        #expect(takeSent() == [.data(streamID: 3, payload: [], isFinal: true)])
        #expect(bench.load == 0)
    }

    @Test func `a client that goes away is a reset of the data stream`() throws {
        bench.open(port: 80)
        _ = takeSent()
        bench.abandon(0)
        bench.abandon(0)
        bench.endTurn()
        #expect(takeSent() == [.control(.reset(streamID: 3, status: SPDYResetStatus.cancel))])
        #expect(bench.load == 1)
        try receive(server.data(3, [1, 2, 3]), server.finish(1))
        #expect(bench.connections[0].received.isEmpty)
        #expect(bench.load == 0)
        #expect(bench.problems == [])
    }

    @Test func `PINGs of the server are sent back`() throws {
        try receive(server.ping(2), server.ping(4))
        bench.endTurn()
        #expect(Set(takePings()) == [2, 4])
        #expect(!bench.hasControlFrames)
    }

    @Test func `a server that floods with PINGs is cut off`() throws {
        for id in 1...UInt32(TunnelCore.pongsOwedMax) { try receive(server.ping(id * 2)) }
        #expect(throws: TunnelError.pingFlood) { try receive(server.ping(0x7FFF_0000)) }
    }

    @Test func `PINGs are not answered while what was sent before waits, and then are`() throws {
        bench.holdsPongs = true
        try receive(server.ping(2), server.ping(4))
        #expect(!bench.hasControlFrames)
        bench.endTurn()
        #expect(takePings() == [])
        bench.holdsPongs = false
        #expect(bench.hasControlFrames)
        bench.endTurn()
        #expect(Set(takePings()) == [2, 4])
    }

    // MARK: What the server does

    @Test func `frames for streams that are unknown or gone are dropped`() throws {
        bench.open(port: 80)
        try receive(server.reset(3), server.reset(1))
        #expect(bench.load == 0)
        try receive(
            server.reply(3),
            server.data(3, [1], isFinal: true),
            server.text(1, "late"),
            server.reset(3),
            server.reset(99),
            server.data(99, [1]),
            server.finish(2),
            server.reply(77, isFinal: true)
        )
        #expect(bench.connections[0].ends.count == 2)
        bench.open(port: 80)
        try receive(server.reply(7), server.data(7, [5]))
        #expect(bench.connections[1].received == [5])
        #expect(bench.problems == [])
    }

    @Test func `a reply can end a stream too`() throws {
        bench.open(port: 80)
        try receive(server.reply(1, isFinal: true), server.reply(3, isFinal: true))
        #expect(bench.connections[0].ends == [.finish(slot: 0, isComplete: true), .release(slot: 0)])
    }

    @Test func `a stream that the server opens ends the tunnel`() {
        #expect(throws: TunnelError.unexpectedStream(2)) { try receive(server.open(2)) }
    }

    @Test func `GOAWAY lets the live connections go on`() throws {
        bench.open(port: 80)
        try receive(server.goAway(lastGood: 3))
        #expect(bench.takeTunnelEvents() == [.goAway])
        #expect(bench.isGoingAway)
        try receive(server.goAway(lastGood: 3), server.goAway(lastGood: 0))
        #expect(bench.takeTunnelEvents() == [], "it is told once")
        try receive(server.reply(3), server.data(3, [1, 2]))
        bench.send(0, [9])
        try receive(server.finish(3), server.finish(1))
        #expect(bench.connections[0].received == [1, 2])
        #expect(bench.connections[0].ends.first == .finish(slot: 0, isComplete: true))
    }

    @Test func `what the server has not looked at before GOAWAY may go elsewhere`() throws {
        for _ in 0..<3 { bench.open(port: 80) }
        bench.send(1, [1])
        // Of the second one it has seen the error stream only; the third one is as good as begun.
        try receive(server.reply(11), server.goAway(lastGood: 5))
        #expect(bench.connections[0].ends.isEmpty)
        #expect(bench.connections[1].ends == [.fail(slot: 1, .unseen)])
        #expect(bench.connections[2].ends.isEmpty)
        try receive(server.reply(3), server.data(3, [7]))
        #expect(bench.connections[0].received == [7])
    }

    @Test func `no connection is opened behind GOAWAY`() async {
        await #expect(processExitsWith: .failure) {
            let bench = TunnelBench()
            let server = ServerScript()
            try bench.receive(server.message(server.goAway(lastGood: 0)))
            bench.open(port: 80)
        }
    }

    @Test func `WebSocket PING and CLOSE are told, also in the middle of a SPDY frame`() throws {
        bench.open(port: 80)
        let frame = server.data(3, [1, 2, 3, 4])
        let ping = WebSocketControlPayload([7, 7])
        try bench.receive(
            server.message(Array(frame[..<5])) + server.control(.ping, ping)
                + server.message(Array(frame[5..<10]))
                + server.control(.pong, ping) + server.message([]) + server.message(Array(frame[10...]))
                + server.control(.close, WebSocketControlPayload(closeCode: 1000, reason: "bye"))
                + server.message(server.data(3, [5]))
        )
        #expect(bench.connections[0].received == [1, 2, 3, 4])
        #expect(bench.takeTunnelEvents() == [.webSocketPing(ping), .closed(code: 1000, reason: "bye")])
    }

    @Test func `errors of the layers below are passed on`() {
        #expect(throws: TunnelError.spdy(.unsupportedVersion(2))) {
            try receive(SPDYBytes.controlFrame(version: 2, type: 6, [0, 0, 0, 1]))
        }
        #expect(throws: TunnelError.webSocket(.maskedByServer)) {
            try TunnelBench().receive([0x82, 0x80, 0, 0, 0, 0])
        }
    }

    // MARK: Time

    @Test func `a silent tunnel is asked after ten seconds, and not again before it has answered`() throws {
        bench.advance(by: .milliseconds(9999))
        #expect(takePings() == [])
        bench.advance(to: bench.deadline)
        #expect(takePings() == [1, 3, 5, 7, 9])
        for _ in 0..<20 {
            bench.advance(to: bench.deadline)
            #expect(bench.deadline > bench.now)
            #expect(takePings() == [])
        }
        try receive(server.ping(1), server.ping(3), server.ping(5), server.ping(7), server.ping(9))
        let askedAt = bench.now
        while bench.now < askedAt + TunnelCore.keepAlive { bench.advance(to: bench.deadline) }
        #expect(takePings() == [11, 13, 15, 17, 19])
    }

    @Test func `a FIN waits two seconds for the end of the error stream`() throws {
        bench.open(port: 80)
        try receive(server.finish(3))
        bench.advance(by: .milliseconds(1999))
        #expect(bench.connections[0].ends == [])
        bench.advance(to: bench.deadline)
        #expect(bench.connections[0].ends == [.finish(slot: 0, isComplete: false)])
        // The client may go on sending.
        bench.send(0, [1])
        bench.finish(0)
        try receive(server.finish(1))
        #expect(bench.load == 0)
        #expect(bench.problems == [])
    }

    @Test func `a grace of a slot's last connection does not end its next one`() throws {
        bench.open(port: 80)
        try receive(server.finish(3), server.finish(1))
        bench.open(port: 80)
        #expect(bench.connections[1].slot == bench.connections[0].slot)
        bench.advance(by: .seconds(1))
        try receive(server.finish(7))
        bench.advance(by: .milliseconds(1500))
        #expect(bench.connections[1].ends == [])
        bench.advance(by: .milliseconds(500))
        #expect(bench.connections[1].ends == [.finish(slot: 0, isComplete: false)])
    }

    @Test func `a slot whose client is gone is free a minute later at the latest`() throws {
        bench.open(port: 80)
        bench.abandon(0)
        bench.open(port: 80)
        try receive(server.finish(7), server.text(5, "no end follows"))
        bench.advance(by: .seconds(2))
        bench.advance(by: .seconds(57))
        #expect(bench.load == 2)
        bench.advance(by: .seconds(1))
        #expect(bench.load == 1)
        bench.advance(by: .seconds(2))
        #expect(bench.load == 0)
        #expect(
            bench.connections[1].ends == [.fail(slot: 1, .reported("no end follows")), .release(slot: 1)]
        )
    }

    // MARK: Workers

    @Test func `data waits for a worker that has not answered, and new streams avoid it`() throws {
        bench.open(port: 80)  // Streams 1 and 3.
        var count = 0
        while bench.maySend(0) {
            bench.send(0, [0])
            count += 1
            bench.endTurn()
        }
        #expect(count == WorkerWindow.unackedFramesMax - 1)
        _ = takeSent()
        for _ in 0..<6 { bench.open(port: 80) }
        let ids = takeSent().compactMap { frame -> UInt32? in
            guard case .control(.openedStream(let id, _, _, _, _)) = frame else { return nil }
            return id
        }
        #expect(ids == [5, 7, 9, 11, 15, 17, 19, 21, 25, 27, 29, 31])
        // The ends of streams on that worker wait as well.
        bench.finish(0)
        bench.abandon(0)
        bench.endTurn()
        #expect(!bench.hasControlFrames)
        #expect(!takeSent().contains(.data(streamID: 3, payload: [], isFinal: true)))
        // The PONG of worker 3, which answers for all before.
        try receive(server.ping(7))
        #expect(bench.takeTunnelEvents() == [.workerReady(3)])
        #expect(bench.hasControlFrames)
        bench.endTurn()
        #expect(
            takeSent() == [
                .data(streamID: 3, payload: [], isFinal: true),
                .control(.reset(streamID: 3, status: SPDYResetStatus.cancel)),
            ]
        )
    }

    @Test func `a server that never answers PINGs is limited for ten seconds only`() throws {
        bench.open(port: 80)
        try receive(server.reply(3))
        while bench.maySend(0) {
            bench.send(0, [0])
            bench.endTurn()
        }
        bench.advance(by: .seconds(9))
        #expect(!bench.maySend(0))
        bench.advance(by: .seconds(1))
        #expect(bench.takeTunnelEvents() == [.workerReady(3)])
        for _ in 0..<100 where bench.maySend(0) { bench.send(0, [0]) }
        #expect(bench.maySend(0))
        try receive(server.ping(1))
        #expect(!bench.maySend(0))
    }

    @Test func `an echoed PING takes a turn of the server's deal`() {
        var window = WorkerWindow()
        window.sendEcho()
        for _ in 0..<WorkerWindow.unackedFramesMax { window.sent(on: 1) }
        let id = window.sendPing()
        // The server's second PING goes to worker 1, where stream 1 is.
        let isOpen = window.receivePong(id, at: Instant(milliseconds: 0))
        #expect(isOpen)
        #expect(window.owedFrames(1) == 0)
    }
}

import SimulatedKernel

/// One client of a forwarded port.
final class Client: Actor {
    private let exchange: Exchange
    private let port: UInt16
    private var socket: Int32 = -1
    private var isConnected = false
    private var isOver = false
    private var hasSeenEnd = false
    private var greetingLeft = 0
    private var nextSendAt: UInt64 = 0
    private var pace: ReadingPace
    private var timerAt = UInt64.max

    init(world: World, exchange: Exchange, port: UInt16) {
        self.exchange = exchange
        self.port = port
        pace = ReadingPace(.eager)
        super.init(world: world)
        if exchange.remotePort == SimulatedPods.greetingPort { greetingLeft = SimulatedPods.greeting.count }
        wakeLater(exchange.startsAt > sim_now() ? exchange.startsAt - sim_now() : 0)
    }

    private static let thisHost: UInt32 = 127 << 24 | 1
    private static let anotherHost: UInt32 = 10 << 24 | 3 << 16 | 7

    override func wake() {
        guard !isOver, sim_now() >= exchange.startsAt else { return }
        if sim_now() >= timerAt { timerAt = .max }
        if socket < 0 {
            let source = exchange.isOnAnotherHost ? Self.anotherHost : Self.thisHost
            socket = sim_connect(source, Self.thisHost, port, token)
            world.say(
                "client \(exchange.id): connects to port \(exchange.remotePort), sends \(exchange.toPodBytes), "
                    + "wants \(exchange.fromPodBytes) (\(exchange.answer), \(exchange.clientEnd), \(exchange.podEnd))"
            )
            return
        }
        if !isConnected {
            switch sim_connected(socket) {
            case 0: return
            case 1:
                isConnected = true
                pace = ReadingPace(exchange.clientReads)
            case let error: return over(error == SIM_REFUSED ? .refused : .reset, resets: false)
            }
        }
        receive()
        if !isOver { send() }
        if !isOver { endIfDone() }
    }

    private func wakeOnce(after span: UInt64) {
        let at = sim_now() + span
        guard at < timerAt else { return }
        timerAt = at
        sim_timer(token, at)
    }

    // MARK: Reading

    private func receive() {
        var waits: UInt64?
        var allowance = pace.allowance(isHealed: world.isHealed, waits: &waits)
        while allowance > 0, !isOver, !hasSeenEnd {
            let asked = min(allowance, world.scratch.count)
            let count = sim_recv(socket, world.scratch.baseAddress, asked)
            if count == Int(SIM_AGAIN) { break }
            if count == 0 { return sawEnd() }
            guard count > 0 else { return over(.reset, resets: false) }
            guard check(count) else { return }
            allowance -= count
        }
        if let waits { wakeOnce(after: waits) }
    }

    private func check(_ count: Int) -> Bool {
        var start = 0
        while greetingLeft > 0, start < count {
            guard world.scratch[start] == SimulatedPods.greeting[SimulatedPods.greeting.count - greetingLeft]
            else {
                world.violate("connection \(exchange.id): a wrong byte in the greeting")
                return false
            }
            greetingLeft -= 1
            start += 1
        }
        let rest = UnsafeRawBufferPointer(rebasing: world.scratch[start..<count])
        if let position = exchange.fromPod.mismatch(rest, from: exchange.clientReceived) {
            world.violate(
                "connection \(exchange.id): the client got a wrong byte at \(position) of \(exchange.podSent)"
            )
            return false
        }
        exchange.clientReceived += rest.count
        if exchange.clientReceived > exchange.podSent {
            world.violate("connection \(exchange.id): the client got more than the pod sent")
            return false
        }
        return true
    }

    private func sawEnd() {
        hasSeenEnd = true
        if !exchange.hasPodEnded || exchange.clientReceived != exchange.podSent {
            let isUnknown = !exchange.isKnownToPod && world.unknownPodEnds > 0
            if !isUnknown, !world.plan.mayCutAnswers(of: exchange) {
                world.violate(
                    "connection \(exchange.id): the client saw a clean end after \(exchange.clientReceived) of "
                        + "\(exchange.podSent) bytes"
                        + (exchange.hasPodEnded ? "" : ", and the pod has not ended")
                )
            }
        }
        // A pod that has only ended its own direction still listens.
        if case .halfClosesAfterAnswer = exchange.podEnd, !exchange.hasClientEnded,
            exchange.clientSent < exchange.toPodBytes
        {
            return
        }
        over(.complete, resets: false)
    }

    // MARK: Sending

    private func send() {
        guard greetingLeft == 0 else { return }
        while exchange.clientSent < exchange.toPodBytes, !exchange.hasClientEnded {
            if sim_now() < nextSendAt { return wakeOnce(after: nextSendAt - sim_now()) }
            let position = exchange.clientSent
            var count = min(exchange.chunkBytes, exchange.toPodBytes - position, world.scratch.count)
            if case .echo = exchange.answer, exchange.aheadBytes != .max {
                count = min(count, exchange.clientReceived + exchange.aheadBytes - position)
            }
            guard count > 0 else { return }
            // What is not taken would be made in vain; without room the call says why.
            count = min(count, max(1, sim_room(socket)))
            let chunk = UnsafeMutableRawBufferPointer(rebasing: world.scratch[..<count])
            exchange.toPod.fill(chunk, from: position)
            if position < Exchange.headerBytes {
                let header = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: Exchange.headerBytes,
                    alignment: 8
                )
                defer { header.deallocate() }
                exchange.writeHeader(into: header)
                for index in position..<min(Exchange.headerBytes, position + count) {
                    chunk[index - position] = header[index]
                }
            }
            let taken = sim_send(socket, chunk.baseAddress, count)
            if taken == Int(SIM_AGAIN) { return }
            // The pod may have ended before it has heard everything.
            guard taken > 0 else { return over(hasSeenEnd ? .complete : .reset, resets: false) }
            exchange.clientSent += taken
            if exchange.thinkTime > 0 { nextSendAt = sim_now() + exchange.thinkTime }
        }
    }

    private func endIfDone() {
        let isAllSent = exchange.clientSent == exchange.toPodBytes
        switch exchange.clientEnd {
        case .waits:
            if hasSeenEnd, isAllSent { over(.complete, resets: false) }
        case .closesAfterAnswer:
            if isAllSent, hasSeenEnd || exchange.clientReceived >= exchange.fromPodBytes {
                exchange.hasClientEnded = true
                over(.complete, resets: false)
            }
        case .halfCloses:
            if isAllSent, !exchange.hasClientEnded {
                exchange.hasClientEnded = true
                sim_shutdown(socket)
            }
        case .closesAtOnce:
            if isAllSent {
                exchange.hasClientEnded = true
                over(.left, resets: false)
            }
        case .aborts(let bytes):
            if exchange.clientSent + exchange.clientReceived >= bytes { over(.left, resets: true) }
        }
    }

    private func over(_ outcome: Exchange.Outcome, resets: Bool) {
        isOver = true
        exchange.outcome = outcome
        if socket >= 0 { sim_close(socket, resets ? 1 : 0) }
        world.say(
            "client \(exchange.id): \(outcome), sent \(exchange.clientSent) of \(exchange.toPodBytes), "
                + "received \(exchange.clientReceived) of \(exchange.fromPodBytes)"
        )
        world.clientEnded(exchange)
        leave()
    }
}

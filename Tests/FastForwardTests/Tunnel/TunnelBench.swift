import FastForward

/// A tunnel's core with a driver that does its plain duties, in virtual time.
///
/// What the core says is kept per connection; what it sends is decoded as a server would. Connections are known by
/// their number, from 0, as slots are used again.
final class TunnelBench {
    struct Connection {
        let slot: Int
        /// What the client got.
        var received: [UInt8] = []
        /// The ends that the core told of, in order.
        var ends: [TunnelCore.Event] = []
        var isReleased = false
        /// The driver told the core that the client is gone, or was told to reset it.
        var isClientGone = false
        var hasSentFinish = false
    }

    private(set) var connections: [Connection] = []
    /// Events that concern no connection.
    private(set) var tunnelEvents: [TunnelCore.Event] = []
    /// What the server has not looked at yet.
    var sent: [SeenSPDYFrame] = []
    /// The core broke its word.
    private(set) var problems: [String] = []
    private(set) var now = Instant(milliseconds: 1000)
    /// Whether what is sent stays on its way to the server.
    var isUplinkStuck = false
    var isPodServing = true

    /// Whether payload is asked for by itself first, as the driver does.
    var asksForPayload = true

    private let pool = BufferPool()
    private var core: TunnelCore
    private var numberOfSlot: [Int: Int] = [:]
    private var serverReader = SPDYFrameReader(role: .server)
    private var partialPayload: [UInt8] = []

    init() { core = TunnelCore(now: now) }

    var load: Int { core.load }
    var holdsPongs: Bool {
        get { core.holdsPongs }
        set { core.holdsPongs = newValue }
    }
    var isGoingAway: Bool { core.isGoingAway }
    var isStalled: Bool { core.isStalled(at: now) }
    var deadline: Instant { core.deadline }
    var hasControlFrames: Bool { core.hasControlFrames(now: now) }
    var living: [Int] { connections.indices.filter { !connections[$0].isReleased } }
    /// Connections whose client can still send.
    var sending: [Int] {
        living.filter { !connections[$0].isClientGone && !connections[$0].hasSentFinish }
    }

    // MARK: From the server

    /// Gives a batch to the core, in pieces that end at `cuts`.
    func receive(_ bytes: [UInt8], cuts: [Int] = []) throws(TunnelError) {
        var start = 0
        for end in cuts + [bytes.count] {
            let piece = bytes.span.bytes.extracting(start..<end)
            var cursor = 0
            if !piece.isEmpty { core.batchCame(at: now) }
            while true {
                while asksForPayload, let payload = core.nextPayload(piece, from: &cursor) {
                    let range = payload.range
                    take(bytes[start...].dropFirst(range.lowerBound).prefix(range.count), of: payload.slot)
                }
                guard let event = try core.next(piece, from: &cursor, now: now) else { break }
                if case .payload(let slot, let range) = event {
                    take(bytes[start...].dropFirst(range.lowerBound).prefix(range.count), of: slot)
                } else {
                    take(event)
                }
            }
            if cursor != piece.byteCount { problems.append("bytes were left over") }
            start = end
        }
    }

    private func take(_ payload: ArraySlice<UInt8>, of slot: Int) {
        guard let number = numberOfSlot[slot] else {
            problems.append("payload for free slot \(slot)")
            return
        }
        if !connections[number].ends.isEmpty { problems.append("payload behind the end of \(number)") }
        if connections[number].isClientGone { problems.append("payload for gone client \(number)") }
        connections[number].received += payload
    }

    private func take(_ event: TunnelCore.Event) {
        switch event {
        case .payload: problems.append("payload outside of a batch")
        case .finish(let slot, _):
            takeEnd(event, of: slot) { connection in
                if !connection.ends.isEmpty || connection.isClientGone {
                    problems.append("\(event) came late")
                }
            }
        case .fail(let slot, _):
            takeEnd(event, of: slot) { connection in
                let isHalfClosed = connection.ends == [.finish(slot: slot, isComplete: false)]
                if !connection.ends.isEmpty && !isHalfClosed || connection.isClientGone {
                    problems.append("\(event) came late")
                }
                connection.isClientGone = true
            }
        case .release(let slot):
            takeEnd(event, of: slot) { $0.isReleased = true }
            numberOfSlot[slot] = nil
        case .workerReady, .webSocketPing, .goAway, .closed: tunnelEvents.append(event)
        }
    }

    private func takeEnd(_ event: TunnelCore.Event, of slot: Int, _ change: (inout Connection) -> Void) {
        guard let number = numberOfSlot[slot] else {
            problems.append("\(event) for a free slot")
            return
        }
        change(&connections[number])
        connections[number].ends.append(event)
    }

    private func drain() {
        while let event = core.nextEvent() { take(event) }
    }

    func takeTunnelEvents() -> [TunnelCore.Event] {
        defer { tunnelEvents = [] }
        return tunnelEvents
    }

    // MARK: To the server

    @discardableResult func open(port: UInt16) -> Int {
        let now = self.now
        let slot = write { core.open(port: port, into: &$0, now: now) }
        let number = connections.count
        if let other = numberOfSlot[slot] {
            problems.append("slot \(slot) of \(other) was given to \(number)")
        }
        numberOfSlot[slot] = number
        connections.append(Connection(slot: slot))
        return number
    }

    func maySend(_ number: Int) -> Bool { core.maySend(connections[number].slot) }

    func worker(of number: Int) -> Int { core.worker(of: connections[number].slot) }

    func send(_ number: Int, _ bytes: [UInt8]) {
        write { staging in
            let offset = staging.readableBytes
            staging.append(bigEndian: UInt64(0))
            core.storeDataHeader(
                connections[number].slot,
                payloadBytes: bytes.count,
                in: &staging,
                at: offset
            )
            for byte in bytes { staging.append(byte) }
        }
    }

    func finish(_ number: Int) {
        connections[number].hasSentFinish = true
        write { core.finish(connections[number].slot, into: &$0) }
    }

    func abandon(_ number: Int) {
        connections[number].isClientGone = true
        core.abandon(connections[number].slot, now: now)
        drain()
    }

    /// The end of a turn: what the core has to say by itself.
    func endTurn() {
        write { core.appendControlFrames(to: &$0, now: now) }
        if !isUplinkStuck { core.pingsArrived(core.pingCount, at: now) }
        drain()
    }

    func advance(to instant: Instant) {
        now = max(now, instant)
        core.expire(at: now, isPodServing: isPodServing)
        drain()
        endTurn()
    }

    func advance(by span: TimeSpan) { advance(to: now + span) }

    /// As when this process was stopped: time goes on, and nothing is looked at.
    func standStill(for span: TimeSpan) {
        now = now + span
        core.stoodStill(for: span, isReading: true, at: now)
    }

    @discardableResult private func write<Result>(_ body: (inout ByteBuffer) -> Result) -> Result {
        var staging = pool.take(64 * 1024)
        let result = body(&staging)
        do {
            var cursor = 0
            while let event = try serverReader.next(staging.bytes, from: &cursor) {
                guard case .data(let streamID, let range, let endsFrame, let isFinal) = event else {
                    sent.append(.control(event))
                    continue
                }
                partialPayload += [UInt8](copying: staging.bytes.extracting(range))
                guard endsFrame else { continue }
                sent.append(.data(streamID: streamID, payload: partialPayload, isFinal: isFinal))
                partialPayload = []
            }
        } catch {
            problems.append("the server could not read: \(error)")
        }
        return result
    }
}

/// Writes what a server sends.
final class ServerScript {
    private var compressor = HeaderCompressor()

    func reply(_ streamID: UInt32, isFinal: Bool = false) -> [UInt8] {
        SPDYBytes.written { compressor.appendSynReply(streamID: streamID, isFinal: isFinal, to: &$0) }
    }

    func data(_ streamID: UInt32, _ payload: [UInt8] = [], isFinal: Bool = false) -> [UInt8] {
        let head = SPDYBytes.written {
            SPDYFrameWriter.appendDataHeader(
                streamID: streamID,
                payloadBytes: payload.count,
                isFinal: isFinal,
                to: &$0
            )
        }
        return head + payload
    }

    func text(_ streamID: UInt32, _ text: String) -> [UInt8] { data(streamID, Array(text.utf8)) }

    func finish(_ streamID: UInt32) -> [UInt8] { data(streamID, isFinal: true) }

    func reset(_ streamID: UInt32, status: UInt32 = SPDYResetStatus.cancel) -> [UInt8] {
        SPDYBytes.written { SPDYFrameWriter.appendReset(streamID: streamID, status: status, to: &$0) }
    }

    func ping(_ id: UInt32) -> [UInt8] {
        SPDYBytes.written { SPDYFrameWriter.appendPing(id: id, to: &$0) }
    }

    func goAway(lastGood: UInt32) -> [UInt8] {
        SPDYBytes.written { SPDYFrameWriter.appendGoAway(lastGoodStreamID: lastGood, status: 0, to: &$0) }
    }

    func open(_ streamID: UInt32) -> [UInt8] {
        SPDYBytes.written {
            compressor.appendSynStream(streamID: streamID, headers: SPDYHeaders(), isFinal: false, to: &$0)
        }
    }

    /// One WebSocket message.
    func message(_ payload: [UInt8]) -> [UInt8] {
        SPDYBytes.written {
            WebSocketFrameWriter.appendHeader(payloadBytes: payload.count, key: nil, to: &$0)
        } + payload
    }

    /// The SPDY bytes in messages that are cut anywhere.
    func messages(_ spdy: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
        randomCuts(of: spdy, using: &generator).flatMap(message)
    }

    func control(_ opcode: WebSocketOpcode, _ payload: WebSocketControlPayload) -> [UInt8] {
        SPDYBytes.written { WebSocketFrameWriter.appendControl(opcode, payload, key: nil, to: &$0) }
    }
}

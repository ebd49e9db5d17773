// Any bytes of a server, between any events of this side, give a tunnel's events in their legal order, or TunnelError; the
// same ones however the bytes are cut. What is sent stays SPDY, after a few turns nothing is left to be said, and when the
// clients are gone so are their slots.

import FastForward

func tunnelViolation(by bytes: [UInt8]) -> String? {
    var traces: [Trace] = []
    for isWhole in [true, false] {
        let run = TunnelRun(script: bytes, isWhole: isWhole)
        run.play()
        if let problem = run.problem { return "\(isWhole ? "whole" : "byte by byte"): \(problem)" }
        traces.append(run.trace)
    }
    return traces[0] == traces[1] ? nil : "byte by byte: \(traces[1])\nwhole: \(traces[0])"
}

/// A core with a driver whose every step is in the input.
///
/// The first byte chooses the way. Then each step is a byte: its lowest three bits say what, the others for whom.
private final class TunnelRun {
    private struct Client {
        let dataID: UInt32
        let errorID: UInt32
        var hasEnded = false
        var hasFinished = false
        var isGone = false
    }

    private static let clientsMax = 32
    /// After how many turns nothing may be left to be said.
    private static let turnsMax = 4

    private var script: ArraySlice<UInt8>
    private let isWhole: Bool
    private let way: TunnelWay
    private let pool = BufferPool()
    private var core: TunnelCore
    private var now = Instant(milliseconds: 1000)
    /// By slot.
    private var clients: [Int: Client] = [:]
    private var sentReader = SPDYFrameReader(role: .server)
    private var lastOpened: [UInt32] = []
    private var hasFailed = false
    private(set) var trace = Trace()
    private(set) var problem: String?

    init(script: [UInt8], isWhole: Bool) {
        way = (script.first ?? 0) & 1 == 0 ? .webSocket : .spdy
        self.script = script.dropFirst()
        self.isWhole = isWhole
        core = TunnelCore(way: way, now: now)
    }

    func play() {
        while let step = script.popFirst(), problem == nil, !hasFailed { perform(step & 7, Int(step >> 3)) }
        if problem == nil, !hasFailed { end() }
    }

    private func perform(_ kind: UInt8, _ number: Int) {
        switch kind {
        case 0: open(port: UInt16(number + 1))
        case 1: send(number)
        case 2: finish(number)
        case 3: abandon(number)
        case 4: advance(by: .milliseconds(UInt64(number * number * 8)))
        case 5: endTurn(holdsPongs: number & 1 == 1)
        case 6: receive(take(number * 8))
        case _: receive(frame(number))
        }
    }

    private func take(_ count: Int) -> [UInt8] {
        defer { script = script.dropFirst(count) }
        return Array(script.prefix(count))
    }

    private func complain(_ text: String) { problem = problem ?? text }

    private func slot(_ number: Int) -> Int? {
        let slots = clients.keys.sorted()
        return slots.isEmpty ? nil : slots[number % slots.count]
    }

    // MARK: This side

    private func write(_ body: (inout ByteBuffer) -> Void) {
        var buffer = pool.take(BufferPool.largestCapacityBytes)
        body(&buffer)
        var cursor = 0
        do throws(SPDYError) {
            while let event = try sentReader.next(buffer.bytes, from: &cursor) {
                if case .openedStream(let id, _, _, _, _) = event { lastOpened.append(id) }
            }
        } catch {
            complain("what was sent is no SPDY: \(error)")
        }
    }

    private func open(port: UInt16) {
        guard !core.isGoingAway, clients.count < Self.clientsMax else { return }
        lastOpened = []
        var slot = 0
        write { slot = core.open(port: port, into: &$0, now: now) }
        guard lastOpened.count == 2 else { return complain("\(lastOpened.count) streams for a connection") }
        if clients[slot] != nil { complain("slot \(slot) was given twice") }
        clients[slot] = Client(dataID: lastOpened[1], errorID: lastOpened[0])
    }

    private func send(_ number: Int) {
        guard let slot = slot(number), let client = clients[slot], !client.isGone, !client.hasFinished,
            core.maySend(slot)
        else { return }
        write { buffer in
            buffer.append(bigEndian: UInt64(0))
            core.storeDataHeader(slot, payloadBytes: 3, in: &buffer, at: 0)
            for byte: UInt8 in [1, 2, 3] { buffer.append(byte) }
        }
    }

    private func finish(_ number: Int) {
        guard let slot = slot(number), clients[slot]?.isGone == false else { return }
        clients[slot]?.hasFinished = true
        write { core.finish(slot, into: &$0) }
    }

    private func abandon(_ number: Int) {
        guard let slot = slot(number) else { return }
        clients[slot]?.isGone = true
        core.abandon(slot, now: now)
        drain()
    }

    private func advance(by span: TimeSpan) {
        now = now + span
        core.expire(at: now, isPodServing: true)
        drain()
    }

    private func endTurn(holdsPongs: Bool) {
        core.holdsPongs = holdsPongs
        // What is said may be what makes a round of PINGs due, in the turn after.
        for _ in 0..<Self.turnsMax where core.hasControlFrames(now: now) {
            write { core.appendControlFrames(to: &$0, now: now) }
            if !holdsPongs { core.pingsArrived(core.pingCount, at: now) }
            drain()
        }
        if core.hasControlFrames(now: now) { complain("there is always something to say") }
    }

    // MARK: The server

    /// A frame that a server might send for one of the connections.
    private func frame(_ number: Int) -> [UInt8] {
        let kind = script.popFirst() ?? 0
        guard let slot = slot(number), let client = clients[slot] else { return [] }
        let id = kind & 1 == 0 ? client.dataID : client.errorID
        let spdy: [UInt8]
        switch kind >> 1 & 7 {
        case 0: spdy = data(id, take(Int(kind >> 4)), isFinal: false)
        case 1: spdy = data(id, take(Int(kind >> 4)), isFinal: true)
        case 2: spdy = control(3, words: [id, UInt32(kind >> 4)])
        case 3: spdy = control(6, words: [UInt32(kind >> 4)])
        case 4: spdy = control(6, words: [UInt32(kind >> 4) * 2 + 1])
        case 5: spdy = control(7, words: [id, 0])
        case 6: spdy = control(2, words: [id], take(Int(kind >> 4)), flags: kind >> 7)
        case _: spdy = data(id, take(200), isFinal: false)
        }
        guard way == .webSocket else { return spdy }
        return spdy.count < 126
            ? [0x82, UInt8(spdy.count)] + spdy
            : [0x82, 126, UInt8(spdy.count >> 8), UInt8(spdy.count & 255)] + spdy
    }

    private func data(_ id: UInt32, _ payload: [UInt8], isFinal: Bool) -> [UInt8] {
        Self.bytes(id) + Self.bytes(UInt32(isFinal ? 1 << 24 : 0) | UInt32(payload.count)) + payload
    }

    private func control(_ type: UInt8, words: [UInt32], _ rest: [UInt8] = [], flags: UInt8 = 0) -> [UInt8] {
        let body = words.flatMap(Self.bytes) + rest
        return [0x80, 3, 0, type] + Self.bytes(UInt32(flags) << 24 | UInt32(body.count)) + body
    }

    private static func bytes(_ word: UInt32) -> [UInt8] {
        [UInt8(word >> 24), UInt8(word >> 16 & 255), UInt8(word >> 8 & 255), UInt8(word & 255)]
    }

    private func receive(_ bytes: [UInt8]) {
        let pieces = isWhole ? [bytes[...]] : bytes.indices.map { bytes[$0...$0] }
        do throws(TunnelError) {
            for piece in pieces {
                var cursor = 0
                var earlier = 0
                if !piece.isEmpty { core.batchCame(at: now) }
                while true {
                    // Byte by byte everything goes by `next`, so that the two ways are compared.
                    while isWhole, let payload = core.nextPayload(piece.span.bytes, from: &cursor) {
                        check(payload.range, of: payload.slot, in: piece)
                        precondition(cursor >= earlier && cursor <= piece.count, "the cursor left the bytes")
                        earlier = cursor
                    }
                    guard let event = try core.next(piece.span.bytes, from: &cursor, now: now) else { break }
                    if case .payload(let slot, let range) = event {
                        check(range, of: slot, in: piece)
                    } else {
                        take(event)
                    }
                    precondition(cursor >= earlier && cursor <= piece.count, "the cursor left the bytes")
                    earlier = cursor
                }
                precondition(cursor == piece.count, "nil before everything was consumed")
            }
        } catch {
            trace.note("error: \(error)")
            hasFailed = true
        }
        if !hasFailed, core.load != clients.count {
            complain("\(core.load) slots for \(clients.count) clients")
        }
    }

    private func check(_ range: Range<Int>, of slot: Int, in piece: ArraySlice<UInt8>) {
        precondition(range.upperBound <= piece.count && !range.isEmpty, "a range outside of the batch")
        guard let client = clients[slot] else { return complain("payload for the free slot \(slot)") }
        if client.hasEnded || client.isGone { complain("payload behind the end of slot \(slot)") }
        trace.payload(piece.dropFirst(range.lowerBound).prefix(range.count))
    }

    private func drain() {
        while let event = core.nextEvent() { take(event) }
    }

    private func take(_ event: TunnelCore.Event) {
        trace.note("\(event)")
        switch event {
        case .payload: complain("payload outside of a batch")
        case .finish(let slot, _):
            guard let client = clients[slot] else { return complain("\(event) for a free slot") }
            if client.hasEnded || client.isGone { complain("\(event) came late") }
            clients[slot]?.hasEnded = true
        case .fail(let slot, let failure):
            guard let client = clients[slot] else { return complain("\(event) for a free slot") }
            if client.isGone { complain("\(event) came late") }
            clients[slot]?.isGone = true
            if failure.reason.utf8.count > 3 * StreamPair.errorTextBytesMax {
                complain("a reason without a bound")
            }
        case .release(let slot):
            if clients.removeValue(forKey: slot) == nil { complain("\(event) for a free slot") }
        case .workerReady, .webSocketPing, .goAway, .closed: break
        }
    }

    // MARK: The end

    /// With its clients gone a tunnel is idle after ``TunnelCore/discardGrace``.
    private func end() {
        for slot in clients.keys.sorted() where clients[slot]?.isGone == false {
            clients[slot]?.isGone = true
            core.abandon(slot, now: now)
        }
        drain()
        endTurn(holdsPongs: false)
        advance(by: TunnelCore.discardGrace)
        if core.load != 0 || !clients.isEmpty { complain("\(core.load) slots of clients that are gone") }
    }
}

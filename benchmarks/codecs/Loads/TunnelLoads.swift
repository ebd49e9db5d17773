import FastForward

/// Gives a batch to a tunnel and counts the events.
private func feed(_ batch: [UInt8], to core: inout TunnelCore, now: Instant) -> Int {
    var count = 0
    var cursor = 0
    let bytes = batch.span.bytes
    do {
        repeat {
            while core.nextPayload(bytes, from: &cursor) != nil { count += 1 }
            guard try core.next(bytes, from: &cursor, now: now) != nil else { break }
            count += 1
        } while true
    } catch {
        preconditionFailure("a load's own bytes do not read: \(error)")
    }
    return count
}

final class TunnelReading: PreparedLoad {
    private static let now = Instant(milliseconds: 1000)
    private let batch: [UInt8]
    private var core: TunnelCore

    init(frameBytes: Int) {
        // spdystream writes the head of a frame in two pieces.
        let frame = messages(dataFrame(3, payloadBytes: frameBytes), pieces: [4, 4, frameBytes])
        let count = min(framesPerBatch, 256 * 1024 / frame.count)
        batch = [[UInt8]](repeating: frame, count: count).flatMap(\.self)
        core = TunnelCore(now: Self.now)
        var staging = BufferPool().take(2 * 1024)
        _ = core.open(port: 7001, into: &staging, now: Self.now)
    }

    func run() -> Int { feed(batch, to: &core, now: Self.now) }
}

final class RecordedTunnel: PreparedLoad {
    private static let now = Instant(milliseconds: 1000)
    private let pool = BufferPool()
    private let recording = recordedBytes("download.bin")

    func run() -> Int {
        var core = TunnelCore(now: Self.now)
        var staging = pool.take(2 * 1024)
        _ = core.open(port: 7001, into: &staging, now: Self.now)
        return feed(recording, to: &core, now: Self.now)
    }
}

final class TunnelWriting: PreparedLoad {
    private static let now = Instant(milliseconds: 1000)
    private let pool = BufferPool()
    private var core: TunnelCore
    private let slot: Int

    init() {
        core = TunnelCore(now: Self.now)
        var staging = pool.take(2 * 1024)
        slot = core.open(port: 7003, into: &staging, now: Self.now)
    }

    func run() -> Int {
        var staging = pool.take(2 * 1024)
        for _ in 0..<framesPerBatch { Self.send(slot, of: &core, through: &staging) }
        return framesPerBatch
    }

    /// One frame, and the end of a turn; the server's side answers every PING at once.
    private static func send(_ slot: Int, of core: inout TunnelCore, through staging: inout ByteBuffer) {
        precondition(core.maySend(slot), "a worker that answers is not full")
        staging.clear()
        staging.append(bigEndian: UInt64(0))
        core.storeDataHeader(slot, payloadBytes: 1024, in: &staging, at: 0)
        guard core.hasControlFrames(now: now) else { return }
        staging.clear(headroomBytes: WebSocketFrameWriter.headroomBytesMax)
        core.appendControlFrames(to: &staging, now: now)
        WebSocketFrameWriter.prependHeader(to: &staging, key: nil)
        var cursor = 0
        let bytes = staging.bytes
        do {
            while try core.next(bytes, from: &cursor, now: now) != nil {}
        } catch {
            preconditionFailure("the PINGs do not come back: \(error)")
        }
    }
}

final class ConnectionLives: PreparedLoad {
    private static let now = Instant(milliseconds: 1000)
    private static let countPerRun = 16
    private let pool = BufferPool()

    func run() -> Int {
        var core = TunnelCore(now: Self.now)
        var server = HeaderCompressor()
        var staging = pool.take(2 * 1024)
        var ended = 0
        for _ in 0..<Self.countPerRun { ended += live(in: &core, server: &server, staging: &staging) }
        return ended
    }

    /// Opens a connection, sends a frame each way, and ends both.
    ///
    /// - Returns: 1 where it came to its end.
    private func live(
        in core: inout TunnelCore,
        server: inout HeaderCompressor,
        staging: inout ByteBuffer
    ) -> Int {
        staging.clear()
        let slot = core.open(port: 8080, into: &staging, now: Self.now)
        let (errorID, dataID) = Self.openedStreams(staging.bytes)
        let gap = staging.readableBytes
        staging.append(bigEndian: UInt64(0))
        core.storeDataHeader(slot, payloadBytes: 0, in: &staging, at: gap)
        core.finish(slot, into: &staging)
        core.appendControlFrames(to: &staging, now: Self.now)
        staging.clear(headroomBytes: WebSocketFrameWriter.headroomBytesMax)
        server.appendSynReply(streamID: errorID, isFinal: false, to: &staging)
        server.appendSynReply(streamID: dataID, isFinal: false, to: &staging)
        SPDYFrameWriter.appendDataHeader(streamID: dataID, payloadBytes: 8, isFinal: false, to: &staging)
        staging.append(bigEndian: UInt64(0))
        SPDYFrameWriter.appendDataHeader(streamID: dataID, payloadBytes: 0, isFinal: true, to: &staging)
        SPDYFrameWriter.appendDataHeader(streamID: errorID, payloadBytes: 0, isFinal: true, to: &staging)
        WebSocketFrameWriter.prependHeader(to: &staging, key: nil)
        var ended = 0
        var cursor = 0
        let bytes = staging.bytes
        do {
            while let event = try core.next(bytes, from: &cursor, now: Self.now) {
                if case .release = event { ended += 1 }
            }
        } catch {
            preconditionFailure("a load's own bytes do not read: \(error)")
        }
        return ended
    }

    /// The ids in two SYN_STREAMs, each the first word behind eight bytes of head that tell the length.
    private static func openedStreams(_ bytes: RawSpan) -> (errorID: UInt32, dataID: UInt32) {
        let headBytes = SPDYFrameWriter.dataHeaderBytes
        let second = headBytes + Int(bytes.bigEndian(UInt32.self, at: 4) & 0xFF_FFFF)
        return (
            bytes.bigEndian(UInt32.self, at: headBytes), bytes.bigEndian(UInt32.self, at: second + headBytes)
        )
    }
}

final class WindowRounds: PreparedLoad {
    private static let now = Instant(milliseconds: 1000)
    /// As many ids, every other one of which is ours, as make a round due.
    private static let idsPerRound = UInt32(2 * WorkerWindow.workerCount * WorkerWindow.framesPerRound)
    private var window = WorkerWindow()

    func run() -> Int { Self.go(&window) }

    private static func go(_ window: inout WorkerWindow) -> Int {
        var count = 0
        for _ in 0..<4 {
            for streamID in stride(from: UInt32(1), to: Self.idsPerRound, by: 2) {
                precondition(!window.isFull(WorkerWindow.worker(of: streamID)), "all PINGs were answered")
                window.sent(on: streamID)
                count += 1
            }
            precondition(window.isRoundDue, "so many frames of each worker are worth a round")
            for _ in 0..<WorkerWindow.workerCount {
                precondition(window.receivePong(window.sendPing(), at: now), "a PING of its own")
            }
        }
        return count
    }
}

import Testing

@testable import FastForward

/// A loop for one test, with a time limit and the leak checks at its end.
final class LoopScene {
    private static let limit = TimeSpan.seconds(20)

    let loop: EventLoop
    private var watchdog: LoopTimer?
    private var isLate = false

    init() throws {
        loop = try EventLoop()
        let watchdog = LoopTimer(loop: loop) { [unowned self] in isLate = true }
        watchdog.schedule(at: loop.now + Self.limit)
        self.watchdog = watchdog
    }

    /// Runs the loop until `isDone`, or fails at the time limit.
    func run(until isDone: () -> Bool, _ location: SourceLocation = #_sourceLocation) throws {
        while !isDone() {
            loop.runOnce()
            try #require(!isLate, "not done within the time limit", sourceLocation: location)
        }
    }

    /// Runs `count` turns without waiting.
    func runTurns(_ count: Int) {
        for _ in 0..<count { loop.runOnce(waits: false) }
    }

    /// Ends the loop: every handle must be closed, and every buffer home but the loop's own.
    func finish(_ location: SourceLocation = #_sourceLocation) throws {
        watchdog?.close()
        watchdog = nil
        try loop.close()
        #expect(loop.pool.outstanding == 1, "buffers are still out", sourceLocation: location)
    }

    /// Two ends of one connection on loopback.
    func connectedPair(resetsOnClose: Bool = false) throws -> (
        near: RecordingTransport, far: RecordingTransport
    ) {
        let far = RecordingTransport(loop: loop)
        let near = RecordingTransport(loop: loop)
        var isAccepted = false
        let listener = try Listener(loop: loop, address: .loopback(), resetsOnClose: resetsOnClose) {
            listener in
            #expect(throws: Never.self) { try listener.accept(into: far) }
            isAccepted = true
        }
        try near.connect(to: listener.address)
        try run { isAccepted && near.connection != nil }
        #expect(near.connection == .made)
        #expect(near.peerAddress == listener.address)
        #expect(far.peerAddress == near.localAddress)
        listener.close()
        return (near, far)
    }
}

extension ByteBuffer {
    /// A copy of the readable bytes, also of a buffer in a box.
    borrowing func copiedBytes() -> [UInt8] { [UInt8](copying: bytes) }
}

extension SocketAddress {
    static func loopback(port: UInt16 = 0) throws -> SocketAddress {
        try #require(SocketAddress(ip: "127.0.0.1", port: port))
    }
}

/// A transport that keeps what comes and tells what happened.
final class RecordingTransport: Transport {
    enum Connection: Equatable { case made, failed(LoopError) }
    enum End: Equatable { case ended, failed(LoopError) }

    let box: BufferBox
    private(set) var receivedBytes: [UInt8] = []
    private(set) var receivedBytesInTurn: [UInt32: Int] = [:]
    private(set) var connection: Connection?
    private(set) var end: End?
    private(set) var outputError: LoopError?
    private(set) var progressReports = 0
    private(set) var isClosed = false
    /// How many bytes may still be received before ``prepareRead()`` refuses.
    var allowanceBytes = Int.max
    var afterReceive: ((RecordingTransport) -> Void)?
    var afterProgress: ((RecordingTransport) -> Void)?

    override init(loop: EventLoop) {
        box = BufferBox(loop.pool.take(64 * 1024))
        super.init(loop: loop)
    }

    /// Queues a copy and sends what the kernel takes.
    func send(_ bytes: [UInt8]) {
        output.append(copying: bytes.span.bytes)
        flush()
    }

    override func prepareRead() -> BufferBox? {
        guard allowanceBytes > 0 else { return nil }
        box.buffer.clear()
        return box
    }

    override func received(_ count: Int) {
        box.buffer.commit(readGapBytes + count)
        box.buffer.consume(readGapBytes)
        receivedBytes += box.buffer.copiedBytes()
        receivedBytesInTurn[loop.turn, default: 0] += count
        allowanceBytes -= count
        afterReceive?(self)
    }

    override func receivedEnd(_ error: LoopError?) { end = error.map(End.failed) ?? .ended }
    override func outputFailed(_ error: LoopError) { outputError = error }
    override func connected(_ error: LoopError?) { connection = error.map(Connection.failed) ?? .made }

    override func outputProgressed() {
        progressReports += 1
        afterProgress?(self)
    }

    override func closeCompleted() {
        isClosed = true
        afterReceive = nil
        afterProgress = nil
        super.closeCompleted()
    }
}

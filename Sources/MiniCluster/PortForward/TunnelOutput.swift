import FastForward

/// What a tunnel sends to its client.
///
/// Theory of operation. Pods read into one staging buffer, each behind a gap that becomes the head of its data frame,
/// and the tunnel's own frames are appended there too, so the order on the wire is the order of events. At the end
/// of a turn, or when it is full, the buffer leaves as one message, one TLS write and one system call. Between
/// turns there is none. While more than ``backlogMarks`` says waits in the kernel's front, pods are not read.
final class TunnelOutput: TurnWork {
    /// How much waits for the client before the pods are read no more.
    private static let backlogMarks = BacklogMarks(lowBytes: 256 * 1024, highBytes: 1024 * 1024)
    /// The least room that is worth a read from a pod.
    private static let readBytesMin = 16 * 1024

    private unowned let connection: SecureConnection
    private let isWebSocket: Bool
    private var compressor = HeaderCompressor()
    private var staging: BufferBox?
    private var endsTurn = false
    private var backlogGate = BacklogGate()
    private var paused: [OwnedTransport] = []
    private var isClosed = false

    private var loop: EventLoop { connection.cluster.loop }

    init(connection: SecureConnection, isWebSocket: Bool) {
        self.connection = connection
        self.isWebSocket = isWebSocket
    }

    /// Forgets what was not sent.
    func close() {
        isClosed = true
        staging = nil
        paused = []
    }

    // MARK: From pods

    /// Where a pod's next bytes go, with room for the frame's head; nil: not now, `transport` is started again later.
    func boxForRead(by transport: OwnedTransport) -> BufferBox? {
        guard !isClosed, !backlogGate.isPaused else {
            paused.append(transport)
            return nil
        }
        transport.readBytesMax = connection.cluster.frameBytesMax ?? Int.max
        return stagingBox(roomBytes: SPDYFrameWriter.dataHeaderBytes + Self.readBytesMin)
    }

    /// Makes a data frame of the bytes that stand behind the gap in the staging buffer.
    func commitRead(_ count: Int, stream id: UInt32) {
        guard let staging else { return }
        let offset = staging.buffer.readableBytes
        staging.buffer.commit(SPDYFrameWriter.dataHeaderBytes + count)
        SPDYFrameWriter.storeDataHeader(
            in: &staging.buffer,
            at: offset,
            streamID: id,
            payloadBytes: count,
            isFinal: false
        )
        connection.cluster.statistics.bytesFromPods += count
        if connection.cluster.frameBytesMax != nil { seal() }
    }

    // MARK: Frames of the server's own

    func sendData(_ text: String, on id: UInt32, isFinal: Bool) {
        let count = text.utf8.count
        stage(SPDYFrameWriter.dataHeaderBytes + count) { buffer in
            SPDYFrameWriter.appendDataHeader(
                streamID: id,
                payloadBytes: count,
                isFinal: isFinal,
                to: &buffer
            )
            buffer.append(text)
        }
    }

    func sendReply(_ id: UInt32) {
        guard !isClosed else { return }
        let box = stagingBox(roomBytes: HeaderCompressor.synReplyBytesMax(SPDYHeaders()))
        compressor.appendSynReply(streamID: id, isFinal: false, to: &box.buffer)
    }

    func sendReset(_ id: UInt32, _ status: UInt32) {
        stage(SPDYFrameWriter.resetBytes) {
            SPDYFrameWriter.appendReset(streamID: id, status: status, to: &$0)
        }
    }

    func sendPing(_ id: UInt32) {
        stage(SPDYFrameWriter.pingBytes) { SPDYFrameWriter.appendPing(id: id, to: &$0) }
    }

    func sendGoAway(lastGoodStreamID: UInt32) {
        stage(SPDYFrameWriter.goAwayBytes) {
            SPDYFrameWriter.appendGoAway(lastGoodStreamID: lastGoodStreamID, status: 0, to: &$0)
        }
    }

    /// Sends a WebSocket control frame behind everything that is staged.
    func sendControl(_ opcode: WebSocketOpcode, _ payload: WebSocketControlPayload) {
        seal()
        var buffer = loop.pool.take(WebSocketFrameWriter.controlFrameBytesMax)
        WebSocketFrameWriter.appendControl(opcode, payload, key: nil, to: &buffer)
        connection.send(buffer)
    }

    /// Sends the beginning of a message and of a frame in it, never to be completed.
    func sendHalfFrame() {
        seal()
        var buffer = loop.pool.take(64)
        if isWebSocket { WebSocketFrameWriter.appendHeader(payloadBytes: 100, key: nil, to: &buffer) }
        SPDYFrameWriter.appendDataHeader(streamID: 1, payloadBytes: 92, isFinal: false, to: &buffer)
        buffer.append("cut")
        connection.send(buffer)
    }

    // MARK: Staging

    private func stage(_ bytes: Int, _ append: (inout ByteBuffer) -> Void) {
        guard !isClosed else { return }
        append(&stagingBox(roomBytes: bytes).buffer)
    }

    private func stagingBox(roomBytes: Int) -> BufferBox {
        if let staging {
            if staging.buffer.tailroomBytes >= roomBytes { return staging }
            seal()
        }
        let box = BufferBox(loop.pool.take(BufferPool.largestCapacityBytes))
        box.buffer.clear(headroomBytes: WebSocketFrameWriter.headroomBytesMax)
        staging = box
        if !endsTurn {
            endsTurn = true
            loop.atEndOfTurn(self)
        }
        return box
    }

    /// Sends what is staged as one message.
    private func seal() {
        guard let staging else { return }
        self.staging = nil
        guard !staging.buffer.isEmpty, !isClosed else { return }
        if isWebSocket { WebSocketFrameWriter.prependHeader(to: &staging.buffer, key: nil) }
        connection.send(staging.buffer)
        connectionProgressed()
    }

    func endTurn() {
        endsTurn = false
        seal()
    }

    /// The connection's backlog has changed: pods are held up, or read again.
    func connectionProgressed() {
        switch backlogGate.update(backlogBytes: connection.backlogBytes, marks: Self.backlogMarks) {
        case .pause, nil: break
        case .resume:
            let transports = paused
            paused = []
            for transport in transports { transport.startReading() }
        }
    }
}

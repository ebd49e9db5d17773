import FastForward

/// How the messages of WebSocket channels are written, by the subprotocol that says so.
enum ChannelEncoding: String, CaseIterable {
    case binary = "v4.channel.k8s.io"
    /// Text: the channel as a digit, then base64.
    case base64 = "v4.base64.channel.k8s.io"

    fileprivate var opcode: WebSocketOpcode { self == .binary ? .binary : .text }
}

/// Why a query names no ports for channels.
enum ChannelPortsError: Error {
    case missing
    case noPort(String)

    var answer: HTTPAnswer {
        switch self {
        case .missing: .portRequired
        case .noPort(let text): .plainBadRequest("unable to parse \"\(text)\" as a port")
        }
    }
}

/// A WebSocket whose messages begin with a channel: for the i-th port of the query 2i for data, 2i + 1 for errors.
///
/// Theory of operation. The pod's ports are dialled at once; the first message on each channel is its port. Data of the
/// client is unmasked in place and copied to its port's connection; the client is read no more while a pod owes more
/// than ``backlogBytesMax``. There is no half-close: when every port has ended, the WebSocket is closed with 1000,
/// and when the client closes it, the pods' connections are closed (kubelet `portforward/websocket.go`).
final class ChannelForward: UpgradedConnection {
    /// How much may wait for a pod, or for the client, before the other side is read no more, in bytes.
    static let backlogBytesMax = 1024 * 1024
    /// How long a base64 message may be: what cannot be decoded in pieces is gathered.
    private static let textBytesMax = 4 * 1024 * 1024

    let connection: SecureConnection
    let pod: Pod
    let encoding: ChannelEncoding
    var cluster: Cluster { connection.cluster }
    private var reader: WebSocketFrameReader
    /// The channel of the message under way; nil: its next byte names it.
    private var channel: UInt8?
    private var text: [UInt8] = []
    private var forwards: [ChannelPort] = []
    private var isOver = false

    init(connection: SecureConnection, pod: Pod, ports: [UInt16], encoding: ChannelEncoding) {
        self.connection = connection
        self.pod = pod
        self.encoding = encoding
        reader = WebSocketFrameReader(role: .server, messages: encoding.opcode)
        connection.cluster.upgradedOpened(self)
        forwards = ports.enumerated().map { ChannelPort(owner: self, index: $0, port: $1) }
        for forward in forwards {
            for channel in [forward.dataChannel, forward.errorChannel] {
                send([UInt8(truncatingIfNeeded: forward.port), UInt8(forward.port >> 8)], on: channel)
            }
        }
        for forward in forwards { forward.connect() }
        applyStall()
    }

    /// The ports that a request's query names: `ports=80&ports=81`, or `ports=80,81`.
    static func ports(inQueryOf target: String) throws(ChannelPortsError) -> [UInt16] {
        var ports: [UInt16] = []
        for (name, value) in queryItems(of: target) where name == "ports" {
            for text in value.split(separator: ",", omittingEmptySubsequences: false) {
                guard let port = UInt16(text), port > 0 else { throw .noPort(String(text)) }
                ports.append(port)
            }
        }
        guard !ports.isEmpty else { throw .missing }
        return ports
    }

    // MARK: From the client

    func receivedPlaintext(in box: BufferBox) {
        guard !isOver else { return }
        var cursor = 0
        do throws(WebSocketError) {
            while !isOver, let event = try reader.next(in: box.buffer, from: &cursor) {
                switch event {
                case .payload(let range, let mask, let endsMessage):
                    mask?.apply(to: &box.buffer, in: range)
                    receive(range, of: box)
                    if endsMessage { endMessage() }
                case .ping(let payload): sendControl(.pong, payload)
                case .pong: break
                case .close(let code, _): close(code: code ?? 1000)
                }
            }
        } catch {
            cluster.options.report("channels to \(pod.name): \(error)")
            connection.transport.close()
        }
        for forward in forwards { forward.transport.flush() }
        if !mayRead { connection.transport.stopReading() }
    }

    private func receive(_ range: Range<Int>, of box: BufferBox) {
        guard encoding == .binary else {
            text += [UInt8](copying: range, of: box.buffer)
            if text.count > Self.textBytesMax { connection.transport.close() }
            return
        }
        var range = range
        if channel == nil {
            guard let first = range.first else { return }
            channel = box.buffer.byte(at: first)
            range = range.dropFirst()
        }
        guard let forward = forward(channel), !range.isEmpty else { return }
        forward.transport.output.append(copying: range, of: box.buffer)
        cluster.statistics.bytesToPods += range.count
    }

    private func endMessage() {
        defer {
            channel = nil
            text = []
        }
        guard encoding == .base64, let first = text.first,
            let forward = forward(first &- UInt8(ascii: "0")),
            let bytes = Host.bytes(ofBase64: Array(text.dropFirst())), !bytes.isEmpty
        else { return }
        cluster.statistics.bytesToPods += bytes.count
        forward.send(bytes)
    }

    /// The port behind a channel that carries data; nil: nothing is to be written there.
    private func forward(_ channel: UInt8?) -> ChannelPort? {
        guard let channel, channel % 2 == 0, Int(channel / 2) < forwards.count else { return nil }
        let forward = forwards[Int(channel / 2)]
        return forward.isOver ? nil : forward
    }

    private var mayRead: Bool {
        !isOver && !cluster.failures.stallsTunnels
            && forwards.allSatisfy { $0.transport.output.byteCount <= Self.backlogBytesMax }
    }

    func receivedEnd() { connection.closeWhenSent() }

    // MARK: To the client

    /// Sends bytes of the server's own as one message.
    func send(_ bytes: [UInt8], on channel: UInt8) {
        let box = BufferBox(cluster.loop.pool.take(bytes.count + Self.headroomBytes))
        box.buffer.clear(headroomBytes: Self.headroomBytes)
        for byte in bytes { box.buffer.append(byte) }
        send(box, on: channel)
    }

    static let headroomBytes = WebSocketFrameWriter.headroomBytesMax + 1

    /// Sends what `box` holds as one message.
    func send(_ box: BufferBox, on channel: UInt8) {
        guard !isOver else { return }
        switch encoding {
        case .binary: sendMessage(box, beginningWith: channel)
        case .base64:
            let text = Digests.base64([UInt8](copying: box.buffer))
            let encoded = BufferBox(cluster.loop.pool.take(text.utf8.count + Self.headroomBytes))
            encoded.buffer.clear(headroomBytes: Self.headroomBytes)
            encoded.buffer.append(text)
            sendMessage(encoded, beginningWith: UInt8(ascii: "0") + channel)
        }
    }

    private func sendMessage(_ box: BufferBox, beginningWith channel: UInt8) {
        box.buffer.prepend(channel)
        WebSocketFrameWriter.prependHeader(to: &box.buffer, opcode: encoding.opcode, key: nil)
        connection.send(box.buffer)
    }

    private func sendControl(_ opcode: WebSocketOpcode, _ payload: WebSocketControlPayload) {
        var buffer = cluster.loop.pool.take(WebSocketFrameWriter.controlFrameBytesMax)
        WebSocketFrameWriter.appendControl(opcode, payload, key: nil, to: &buffer)
        connection.send(buffer)
    }

    var isBacklogged: Bool { connection.backlogBytes > Self.backlogBytesMax }

    func outputProgressed() {
        if !isBacklogged { for forward in forwards { forward.goOn() } }
        podProgressed()
    }

    // MARK: The end

    /// A pod has taken bytes, or is gone.
    func podProgressed() {
        if mayRead { connection.transport.startReading() }
    }

    /// A port has ended.
    func portEnded() {
        if forwards.allSatisfy(\.isOver) { close(code: 1000) }
        podProgressed()
    }

    private func close(code: UInt16) {
        guard !isOver else { return }
        sendControl(.close, WebSocketControlPayload(closeCode: code))
        connection.closeWhenSent()
        isOver = true
        for forward in forwards { forward.close() }
    }

    func connectionClosed() {
        isOver = true
        for forward in forwards { forward.close() }
        cluster.upgradedClosed(self)
    }

    // MARK: What tests ask for

    var streamCount: Int { 2 * forwards.count { !$0.isOver } }

    func goAway() {}

    func answerWithheldPings() {}

    func cut(byReset: Bool) {
        var buffer = cluster.loop.pool.take(64)
        WebSocketFrameWriter.appendHeader(payloadBytes: 100, opcode: encoding.opcode, key: nil, to: &buffer)
        buffer.append("cut")
        connection.send(buffer)
        byReset ? connection.transport.closeWithReset() : connection.transport.close()
    }

    func applyStall() {
        if cluster.failures.stallsTunnels { connection.transport.stopReading() } else { podProgressed() }
    }
}

/// One port of a ``ChannelForward``: the TCP connection to the pod.
final class ChannelPort: TransportOwner {
    /// How much one read from a pod may bring, in bytes; Kubernetes' buffers have the same size.
    private static let readBytesMax = 32 * 1024

    private unowned let owner: ChannelForward
    let port: UInt16
    let dataChannel: UInt8
    let transport: OwnedTransport
    private(set) var isOver = false
    private var isPaused = false
    private var box: BufferBox?

    var errorChannel: UInt8 { dataChannel + 1 }

    init(owner: ChannelForward, index: Int, port: UInt16) {
        self.owner = owner
        self.port = port
        dataChannel = UInt8(truncatingIfNeeded: 2 * index)
        transport = OwnedTransport(loop: owner.cluster.loop)
        transport.readBytesMax = Self.readBytesMax
        transport.owner = self
    }

    func connect() {
        owner.cluster.statistics.connectionsOpened += 1
        guard let address = SocketAddress(ip: owner.pod.address, port: port) else {
            return connected(LoopError(code: LoopError.connectionRefused, attempt: "connect to the pod"))
        }
        do throws(LoopError) {
            try transport.connect(to: address)
        } catch {
            connected(error)
        }
    }

    func connected(_ error: LoopError?) {
        guard !isOver else {
            if error == nil { closeWhenSent() } else { transport.close() }
            return
        }
        if let error {
            owner.cluster.statistics.connectionsFailed += 1
            return end(FailureText.dial(port: port, pod: owner.pod, error))
        }
        transport.setOptions(noDelay: true, keepAliveSeconds: 0)
        transport.startReading()
        transport.flush()
    }

    /// Sends bytes to the pod.
    func send(_ bytes: [UInt8]) {
        var buffer = owner.cluster.loop.pool.take(bytes.count)
        for byte in bytes { buffer.append(byte) }
        transport.output.append(buffer)
        transport.flush()
    }

    func prepareRead() -> BufferBox? {
        guard !owner.isBacklogged else {
            isPaused = true
            return nil
        }
        let box = BufferBox(owner.cluster.loop.pool.take(Self.readBytesMax + ChannelForward.headroomBytes))
        box.buffer.clear(headroomBytes: ChannelForward.headroomBytes)
        self.box = box
        return box
    }

    func received(_ count: Int) {
        guard let box else { return }
        self.box = nil
        box.buffer.commit(count)
        owner.cluster.statistics.bytesFromPods += count
        owner.send(box, on: dataChannel)
    }

    /// The client takes bytes again.
    func goOn() {
        guard isPaused else { return }
        isPaused = false
        transport.startReading()
    }

    func receivedEnd(_ error: LoopError?) {
        box = nil
        end(
            error.map {
                FailureText.transfer(
                    port: port,
                    pod: owner.pod,
                    "read",
                    localPort: transport.localAddress?.port ?? 0,
                    $0
                )
            }
        )
    }

    func outputProgressed() { if isOver { closeWhenSent() } else { owner.podProgressed() } }

    /// A pod that has closed does not want the rest.
    func outputFailed(_ error: LoopError) {
        transport.output.removeAll()
        if isOver { transport.close() }
    }

    private func end(_ text: String?) {
        guard !isOver else { return }
        if let text { owner.send(Array(text.utf8), on: errorChannel) }
        close()
        owner.portEnded()
    }

    func close() {
        guard !isOver else { return }
        isOver = true
        transport.stopReading()
        closeWhenSent()
    }

    /// Closes behind what the pod has not taken yet: who sends and goes is heard.
    private func closeWhenSent() {
        transport.flush()
        if transport.output.isEmpty { transport.close() }
    }
}

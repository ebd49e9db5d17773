import FastForward
import Foundation

/// Where in what a server says an attack begins.
enum AttackPlace: Equatable, Sendable {
    /// As soon as a connection is there, before TLS and HTTP.
    case connection
    /// Where the pod is asked for.
    case object
    /// Where the pods are listed, or their changes watched.
    case list
    case watch
    /// Where the upgrade is asked for.
    case upgrade
    /// In an open tunnel, when a client has sent ``HostileServer/trigger``.
    case tunnel
}

/// What an attack is made of: the server's side of the connection, and the streams of the client that caused it.
struct Attacked {
    let wire: ServerWire
    /// What was asked for, where something was.
    var head: HTTPRequestHead?
    var dataID: UInt32 = 0
    var errorID: UInt32 = 0
    fileprivate var isWebSocket = false

    /// Sends the 101 that was asked for.
    func accept() throws {
        if let head { try wire.send(HostileServer.accepted(head)) }
    }

    /// Sends SPDY's bytes, in a WebSocket message where that is the way.
    func spdy(_ bytes: [UInt8]) throws {
        try wire.send(isWebSocket ? WebSocketBytes.frame(WebSocketBytes.binary, bytes) : bytes)
    }

    /// Sends the same frames again and again, many to a message.
    func spdyFlood(_ frames: [UInt8], bytes limit: Int) throws {
        var block: [UInt8] = []
        repeat { block += frames } while block.count < min(limit, 32 * 1024)
        try wire.flood(isWebSocket ? WebSocketBytes.frame(WebSocketBytes.binary, block) : block, bytes: limit)
    }
}

/// An API server of the test's own with one pod that echoes, which behaves but where an attack is told to begin.
///
/// It knows all three ways in, and serves each connection in a thread.
final class HostileServer: @unchecked Sendable {
    static let trigger = "attack!"
    /// A client that sends this is told by which tunnel it has come.
    static let question = "where?"
    static let pod = """
        {"kind":"Pod","metadata":{"name":"demo","namespace":"default","uid":"1","resourceVersion":"5"},\
        "spec":{"nodeName":"n","containers":[{"name":"c"}]},"status":{"phase":"Running",\
        "conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"containerID":"cri-o://1"}]}}
        """

    /// The server's certificate; nil: it speaks plain HTTP.
    private let identity: TLSContext.Identity?
    private let place: AttackPlace
    private let attack: @Sendable (Attacked) throws -> Void

    /// Guards what follows.
    private let lock = NSLock()
    private var isArmed = false
    private var attackInstants: [ContinuousClock.Instant] = []
    private var tunnels: [ClientSocket] = []
    private var openedCount = 0

    init(
        identity: TLSContext.Identity? = nil,
        place: AttackPlace,
        attack: @escaping @Sendable (Attacked) throws -> Void
    ) {
        self.identity = identity
        self.place = place
        self.attack = attack
    }

    /// Begins to attack, or to behave.
    func arm(_ isArmed: Bool) { lock.withLock { self.isArmed = isArmed } }

    /// When each attack began.
    var attacks: [ContinuousClock.Instant] { lock.withLock { attackInstants } }

    /// Ends all tunnels.
    func cutTunnels() {
        let cut = lock.withLock {
            defer { tunnels = [] }
            return tunnels
        }
        for tunnel in cut { tunnel.shutdownWriting() }
    }

    /// Serves one connection.
    func serve(_ socket: ClientSocket) {
        let wire = ServerWire(socket)
        // What an attack cannot send, as the far side has had enough, ends it.
        try? answer(wire)
        wire.end()
    }

    private func isAttacked(_ place: AttackPlace, _ attacked: @autoclosure () -> Attacked) throws -> Bool {
        let begins = lock.withLock { () -> Bool in
            guard isArmed, place == self.place else { return false }
            attackInstants.append(.now)
            return true
        }
        if begins { try attack(attacked()) }
        return begins
    }

    private func answer(_ wire: ServerWire) throws {
        if try isAttacked(.connection, Attacked(wire: wire)) { return }
        if let identity, try !wire.startTLS(identity) { return }
        guard let head = try wire.receiveHead() else { return }
        let attacked = Attacked(wire: wire, head: head)
        if head.target.contains("/portforward") {
            if try isAttacked(.upgrade, attacked) { return }
            try upgrade(head, wire)
        } else if head.target.contains("watch=true") {
            if try isAttacked(.watch, attacked) { return }
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            wire.awaitEnd()
        } else if head.target.contains("/pods/demo") {
            if try isAttacked(.object, attacked) { return }
            try wire.send(HostileServer.ok(Self.pod))
        } else {
            if try isAttacked(.list, attacked) { return }
            try wire.send(Self.ok(#"{"metadata":{"resourceVersion":"4"},"items":[\#(Self.pod)]}"#))
        }
    }

    /// An answer with this body.
    static func ok(_ body: String) -> String {
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    // MARK: The ways in

    /// The 101 that `head` asks for.
    static func accepted(_ head: HTTPRequestHead) -> String {
        guard let key = head.fields["Sec-WebSocket-Key"] else {
            return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                + "X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n"
        }
        let chosen = head.fields.elements(of: "Sec-WebSocket-Protocol").first ?? ""
        return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Accept: \(Digests.webSocketAccept(forKey: key))\r\n"
            + "Sec-WebSocket-Protocol: \(chosen)\r\n\r\n"
    }

    private func upgrade(_ head: HTTPRequestHead, _ wire: ServerWire) throws {
        let offered = head.fields["Sec-WebSocket-Protocol"] ?? ""
        if offered.contains("channel.k8s.io") {
            guard head.target.contains("ports=") else {
                let text = "query parameter \"port\" is required"
                try wire.send("HTTP/1.1 400 Bad Request\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
                return
            }
            try wire.send(Self.accepted(head))
            try serveChannels(wire)
            return
        }
        lock.withLock { tunnels.append(wire.socket) }
        try wire.send(Self.accepted(head))
        let number = lock.withLock {
            openedCount += 1
            return openedCount
        }
        try serveTunnel(wire, isWebSocket: !offered.isEmpty, number: number)
    }

    /// Echoes what comes on WebSocket channels.
    private func serveChannels(_ wire: ServerWire) throws {
        for channel: UInt8 in [0, 1] {
            try wire.send(WebSocketBytes.frame(WebSocketBytes.binary, [channel, 80, 0]))
        }
        var reader = WebSocketFrameReader(role: .server)
        while true {
            var bytes = try wire.receive()
            guard !bytes.isEmpty else { return }
            var cursor = 0
            while let event = try reader.next(bytes.span.bytes, from: &cursor) {
                switch event {
                case .payload(let range, let mask, _):
                    let payload = Self.unmasked(&bytes, range, mask)
                    guard payload.count > 1 else { continue }
                    var text = payload.dropFirst()
                    if text.starts(with: Self.trigger.utf8), try isAttacked(.tunnel, Attacked(wire: wire)) {
                        text = text.dropFirst(Self.trigger.utf8.count)
                    }
                    try wire.send(WebSocketBytes.frame(WebSocketBytes.binary, [payload[0]] + text))
                case .close: return
                case .ping, .pong: break
                }
            }
        }
    }

    private static func unmasked(
        _ bytes: inout [UInt8],
        _ range: Range<Int>,
        _ mask: WebSocketMask?
    ) -> [UInt8] {
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        mask?.apply(to: &raw, in: range)
        return Array(bytes[range])
    }

    private func serveTunnel(_ wire: ServerWire, isWebSocket: Bool, number: Int) throws {
        var streams = EchoStreams(isWebSocket: isWebSocket, wire: wire, number: number)
        var reader = WebSocketFrameReader(role: .server)
        while true {
            var bytes = try wire.receive()
            guard !bytes.isEmpty else { return }
            guard isWebSocket else {
                try streams.take(bytes) { try isAttacked(.tunnel, $0) }
                continue
            }
            var cursor = 0
            while let event = try reader.next(bytes.span.bytes, from: &cursor) {
                switch event {
                case .payload(let range, let mask, _):
                    try streams.take(Self.unmasked(&bytes, range, mask)) { try isAttacked(.tunnel, $0) }
                case .close: return
                case .ping, .pong: break
                }
            }
        }
    }
}

/// The streams of one tunnel, each of which gets back what it sends.
private struct EchoStreams: ~Copyable {
    let isWebSocket: Bool
    let wire: ServerWire
    /// From 1; a single digit in the time that a row takes.
    let number: Int
    private var reader = SPDYFrameReader(role: .server)
    private var hasReplied = false
    /// The error stream of each request.
    private var errorIDs: [String: UInt32] = [:]
    /// The error stream that belongs to a data stream.
    private var pairs: [UInt32: UInt32] = [:]

    init(isWebSocket: Bool, wire: ServerWire, number: Int) {
        self.number = number
        self.isWebSocket = isWebSocket
        self.wire = wire
    }

    mutating func take(_ bytes: [UInt8], isAttacked: (Attacked) throws -> Bool) throws {
        var cursor = 0
        var attacked = Attacked(wire: wire, isWebSocket: isWebSocket)
        while let event = try reader.next(bytes.span.bytes, from: &cursor) {
            switch event {
            case .openedStream(let id, _, _, let headers, _):
                let request = headers["requestid"] ?? ""
                if headers["streamtype"] == "data" {
                    pairs[id] = errorIDs.removeValue(forKey: request)
                } else {
                    errorIDs[request] = id
                }
                let head = hasReplied ? [] : SPDYBytes.streamHead
                hasReplied = true
                try attacked.spdy(SPDYBytes.synReply(id, head + SPDYBytes.emptyBlock))
            case .data(let id, let range, _, let isFinal):
                guard let errorID = pairs[id] else { continue }
                attacked.dataID = id
                attacked.errorID = errorID
                var payload = Array(bytes[range])
                if payload.elementsEqual(HostileServer.question.utf8) { payload = Array("\(number)".utf8) }
                // More of the client's may already stand behind it.
                if payload.starts(with: HostileServer.trigger.utf8), try isAttacked(attacked) {
                    payload.removeFirst(HostileServer.trigger.utf8.count)
                }
                if !payload.isEmpty { try attacked.spdy(SPDYBytes.data(id, payload)) }
                guard isFinal else { continue }
                try attacked.spdy(SPDYBytes.data(id, [], isFinal: true))
                try end(errorID, attacked)
                pairs[id] = nil
            case .reset(let id, _):
                guard let errorID = pairs.removeValue(forKey: id) else { continue }
                try end(errorID, attacked)
            case .ping(let id):
                if id & 1 == 1 { try attacked.spdy(SPDYBytes.ping(UInt64(id))) }
            case .reply, .headers, .goAway: break
            }
        }
    }

    private func end(_ errorID: UInt32, _ attacked: Attacked) throws {
        try attacked.spdy(SPDYBytes.data(errorID, [], isFinal: true))
    }
}

import FastForward

/// Requests and answers on one connection of the API server, one after the other.
///
/// Refuses as a real API server does, and in its order: the credential, the right, the object, the upgrade.
final class APIExchange: SecureConnectionUser {
    /// What an answer may wait for in the kernel before more requests are read.
    private static let backlogBytesMax = 1024 * 1024

    private unowned let connection: SecureConnection
    private var cluster: Cluster { connection.cluster }
    private var reader = HTTPRequestReader()
    private var isSilent = false
    /// The query of a watch, which takes the connection for itself.
    private var watched: [String: String]?

    init(connection: SecureConnection) {
        self.connection = connection
    }

    // MARK: SecureConnectionUser

    func receivedPlaintext(in box: BufferBox) {
        guard !isSilent, watched == nil else { return }
        var cursor = 0
        do throws(HTTPError) {
            while let request = try reader.next(in: box.buffer, from: &cursor) {
                cluster.statistics.requests += 1
                box.buffer.consume(cursor)
                cursor = 0
                guard respond(to: request, rest: box) else { return }
                guard request.isPersistent else { return connection.closeWhenSent() }
            }
        } catch {
            send(
                .text(400, "Bad Request", "\(error)\n"),
                to: HTTPRequestHead(method: "GET", target: "/", version: .http10)
            )
            connection.closeWhenSent()
        }
        if connection.backlogBytes > Self.backlogBytesMax { connection.transport.stopReading() }
    }

    func receivedEnd() { connection.closeWhenSent() }

    func outputProgressed() {
        if connection.backlogBytes == 0 { connection.transport.startReading() }
    }

    func connectionClosed() {
        if watched != nil { cluster.watchEnded(self) }
    }

    private func send(_ answer: HTTPAnswer, to request: HTTPRequestHead) {
        var answer = answer
        answer.fields.append("Audit-Id", cluster.nextAuditID())
        answer.send(to: request, pool: cluster.loop.pool) { connection.send($0) }
    }

    // MARK: Routing

    /// Answers a request.
    ///
    /// - Returns: whether requests go on on this connection.
    private func respond(to request: HTTPRequestHead, rest: BufferBox) -> Bool {
        switch cluster.failures.answer {
        case .normal: break
        case .internalError:
            send(.internalError, to: request)
            return true
        case .garbage:
            HTTPAnswer.send("\u{1}\u{2} this is not HTTP\r\n", pool: cluster.loop.pool) {
                connection.send($0)
            }
            connection.closeWhenSent()
            return false
        case .silence:
            isSilent = true
            return false
        }
        guard
            let user = cluster.credentials.user(
                commonName: connection.commonName,
                authorization: request.fields["Authorization"]
            )
        else {
            send(.unauthorized, to: request)
            return true
        }
        let (path, query) = splitTarget(request.target)
        let parts = path.split(separator: "/").map(String.init)
        if parts.count == 7, parts[..<3] == ["api", "v1", "namespaces"], parts[4] == "pods",
            parts[6] == "portforward"
        {
            return forward(request, user: user, namespace: parts[3], name: parts[5], rest: rest)
        }
        if path == "/api/v1/pods" || (parts.count == 5 && parts[4] == "pods"), query["watch"] != nil,
            query["watch"] != "false", query["watch"] != "0", user.mayRead
        {
            watch(request, query: query)
            return false
        }
        send(read(request, user: user, path: path, parts: parts, query: query), to: request)
        return true
    }

    /// Answers what only reads.
    private func read(
        _ request: HTTPRequestHead,
        user: Credentials.User,
        path: String,
        parts: [String],
        query: [String: String]
    ) -> HTTPAnswer {
        guard request.method == "GET" || request.method == "HEAD" else { return .methodNotAllowed }
        if ["/healthz", "/livez", "/readyz"].contains(path) { return .text(200, "OK", "ok") }
        let trimmed = path.hasSuffix("/") ? String(path.dropLast()) : path
        if let found = cluster.objects.discovery(trimmed) { return .json(found) }
        guard parts.count >= 3, parts[..<2] == ["api", "v1"] else { return .resourceNotFound }
        let rest = parts[2] == "namespaces" ? Array(parts.dropFirst(4)) : Array(parts.dropFirst(2))
        let namespace = parts[2] == "namespaces" ? parts[3...].first ?? "" : ""
        guard let kind = rest.first, rest.count <= 2 else { return .resourceNotFound }
        let name = rest.count == 2 ? rest[1] : ""
        guard user.mayRead else {
            return .forbidden(
                user: user.name,
                verb: name.isEmpty ? "list" : "get",
                resource: kind,
                name: name,
                namespace: namespace
            )
        }
        switch (kind, name) {
        case ("pods", ""): return .json(cluster.objects.list("PodList", selectedPods(namespace, query)))
        case ("pods", _):
            guard namespace == "default", let pod = cluster.pod(named: name) else {
                return .notFound(kind: kind, name: name)
            }
            return .json(cluster.objects.pod(pod))
        case ("services", ""):
            let isSeen = namespace.isEmpty || namespace == "default"
            return .json(cluster.objects.list("ServiceList", isSeen ? [cluster.objects.service] : []))
        case ("services", "demo") where namespace == "default": return .json(cluster.objects.service)
        case ("services", _): return .notFound(kind: kind, name: name)
        default: return .resourceNotFound
        }
    }

    private func selectedPods(_ namespace: String, _ query: [String: String]) -> [JSON] {
        guard namespace.isEmpty || namespace == "default" else { return [] }
        return cluster.pods.filter { Self.isSelected($0, query) }.map { cluster.objects.pod($0) }
    }

    private static func isSelected(_ pod: Pod, _ query: [String: String]) -> Bool {
        let field = query["fieldSelector"] ?? ""
        let label = query["labelSelector"] ?? ""
        return (field.isEmpty || field == "metadata.name=\(pod.name)")
            && (label.isEmpty || label == "app=\(pod.label)")
    }

    // MARK: Watching

    private func watch(_ request: HTTPRequestHead, query: [String: String]) {
        watched = query
        let head = HTTPResponseHead(
            status: 200,
            reason: "OK",
            fields: ["Content-Type": "application/json", "Transfer-Encoding": "chunked"]
        )
        HTTPAnswer.send(head, pool: cluster.loop.pool) { connection.send($0) }
        if query["resourceVersion"] ?? "0" == "0" {
            for pod in cluster.pods { tell("ADDED", pod) }
        }
        cluster.watchBegan(self)
    }

    /// Tells the watcher of a change, if it wants to know.
    func tell(_ type: String, _ pod: Pod) {
        guard let watched, Self.isSelected(pod, watched) else { return }
        let event = JSON.object([("type", .string(type)), ("object", cluster.objects.pod(pod))]).text + "\n"
        let chunk = String(event.utf8.count, radix: 16) + "\r\n" + event + "\r\n"
        HTTPAnswer.send(chunk, pool: cluster.loop.pool) { connection.send($0) }
    }

    // MARK: Port-forward

    private func forward(
        _ request: HTTPRequestHead,
        user: Credentials.User,
        namespace: String,
        name: String,
        rest: BufferBox
    ) -> Bool {
        let isPost = request.method == "POST"
        guard isPost || request.method == "GET" else {
            send(.methodNotAllowed, to: request)
            return true
        }
        guard isPost ? user.mayCreate : user.mayGet else {
            let refusal = HTTPAnswer.forbidden(
                user: user.name,
                verb: isPost ? "create" : "get",
                resource: "pods/portforward",
                name: name,
                namespace: namespace
            )
            send(refusal, to: request)
            return true
        }
        guard namespace == "default", let pod = cluster.pod(named: name) else {
            send(.notFound(kind: "pods", name: name), to: request)
            return true
        }
        guard pod.phase != .pending else {
            send(.badRequest("pod \(name) does not have a host assigned"), to: request)
            return true
        }
        if request.fields.contains("websocket", in: "Upgrade") {
            return upgradeToWebSocket(request, pod: pod, rest: rest)
        }
        guard isPost, request.fields.contains("SPDY/3.1", in: "Upgrade") else {
            send(isPost ? .badRequest("Upgrade request required") : .portRequired, to: request)
            return true
        }
        let offered = request.fields.elements(of: "X-Stream-Protocol-Version")
        guard offered.contains("portforward.k8s.io") else {
            send(.spdyProtocolUnknown(offered: offered), to: request)
            return true
        }
        let fields: HTTPFields = [
            "Connection": "Upgrade", "Upgrade": "SPDY/3.1",
            "X-Stream-Protocol-Version": "portforward.k8s.io",
        ]
        let head = HTTPResponseHead(status: 101, reason: "Switching Protocols", fields: fields)
        begin(head, pod: pod, isWebSocket: false, rest: rest)
        return false
    }

    private func upgradeToWebSocket(_ request: HTTPRequestHead, pod: Pod, rest: BufferBox) -> Bool {
        guard request.method == "GET" else {
            send(.upgradeNotByGet, to: request)
            return true
        }
        let handshake: WebSocketHandshake.Request
        do throws(WebSocketError) {
            handshake = try WebSocketHandshake.read(request)
        } catch {
            send(.text(400, "Bad Request", "\(error)\n"), to: request)
            return true
        }
        guard handshake.subprotocols.contains(Tunnel.subprotocol) else {
            send(.portRequired, to: request)
            return true
        }
        let head = WebSocketHandshake.response(
            accept: Digests.webSocketAccept(forKey: handshake.key),
            subprotocol: Tunnel.subprotocol
        )
        begin(head, pod: pod, isWebSocket: true, rest: rest)
        return false
    }

    private func begin(_ head: HTTPResponseHead, pod: Pod, isWebSocket: Bool, rest: BufferBox) {
        HTTPAnswer.send(head, pool: cluster.loop.pool) { connection.send($0) }
        let tunnel = Tunnel(connection: connection, pod: pod, isWebSocket: isWebSocket)
        connection.handOver(to: tunnel, rest: rest)
    }
}

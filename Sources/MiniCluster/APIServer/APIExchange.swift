import FastForward

/// Requests and answers on one connection of the API server, one after the other.
///
/// Refuses as a real API server does, and in its order: the credential, the right, the object, the upgrade.
final class APIExchange: SecureConnectionUser {
    /// What an answer may wait for in the kernel before more requests are read.
    private static let backlogBytesMax = 1024 * 1024

    unowned let connection: SecureConnection
    var cluster: Cluster { connection.cluster }
    private var reader = HTTPRequestReader()
    private var isSilent = false
    /// What is watched; a watch takes the connection for itself.
    private var watched: ObjectQuery?

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

    func send(_ answer: HTTPAnswer, to request: HTTPRequestHead) {
        var answer = answer
        answer.fields.append("Audit-Id", cluster.nextAuditID())
        answer.send(to: request, pool: cluster.loop.pool) { connection.send($0) }
        if answer.closes { connection.closeWhenSent() }
    }

    // MARK: Routing

    /// Answers a request.
    ///
    /// - Returns: whether requests go on on this connection.
    private func respond(to request: HTTPRequestHead, rest: BufferBox) -> Bool {
        guard !failOnPurpose(request) else { return !isSilent && cluster.failures.answer != .garbage }
        let (whole, query) = splitTarget(request.target)
        let base = cluster.options.basePath
        guard base.isEmpty || whole == base || whole.hasPrefix(base + "/") else {
            send(.text(404, "Not Found", "404 page not found\n"), to: request)
            return true
        }
        let path = String(whole.dropFirst(base.count))
        guard
            let user = cluster.credentials.user(
                commonName: connection.commonName,
                authorization: request.fields["Authorization"],
                at: cluster.loop.now
            )
        else {
            send(.unauthorized, to: request)
            return true
        }
        guard let resource = ResourcePath(path) else {
            send(readOther(request, user: user, path: path), to: request)
            return true
        }
        if resource.type == .pods, resource.subresource == "portforward" {
            return forward(request, user: user, resource, rest: rest)
        }
        let isWatch = query["watch"].map { $0 != "false" && $0 != "0" } ?? false
        let verb = isWatch ? "watch" : resource.name.isEmpty ? "list" : "get"
        guard request.method == "GET" || request.method == "HEAD", resource.subresource.isEmpty else {
            send(.methodNotAllowed, to: request)
            return true
        }
        let isForbiddenList = verb != "get" && cluster.failures.forbiddenLists.contains(resource.type)
        if isForbiddenList { cluster.statistics.listsForbidden += 1 }
        guard user.mayRead, user.mayReadSlices || resource.type != .endpointSlices, !isForbiddenList else {
            send(.forbidden(user: user.name, verb: verb, resource), to: request)
            return true
        }
        guard let objects = Self.query(resource, query) else {
            send(.badRequest("unable to parse requirement: found '\(request.target)'"), to: request)
            return true
        }
        guard !isWatch else {
            watch(objects, from: query["resourceVersion"] ?? "")
            return false
        }
        send(read(resource, objects, ListPage(query, atMost: cluster.options.pageMax)), to: request)
        return true
    }

    /// Answers as tests have asked for; false: answers are normal.
    private func failOnPurpose(_ request: HTTPRequestHead) -> Bool {
        if let left = cluster.failures.answersLeft {
            guard left > 0 else { return false }
            cluster.failures.answersLeft = left - 1
        }
        switch cluster.failures.answer {
        case .normal: return false
        case .internalError: refuse(.internalError, request)
        case .unauthorized: refuse(.unauthorized, request)
        case .forbidden: refuse(.forbiddenPath(user: "told-to-fail", request.target), request)
        case .tooManyRequests: refuse(.tooManyRequests, request)
        case .unavailable: refuse(.unavailable, request)
        case .garbage:
            HTTPAnswer.send("\u{1}\u{2} this is not HTTP\r\n", pool: cluster.loop.pool) {
                connection.send($0)
            }
            connection.closeWhenSent()
        case .silence: isSilent = true
        }
        return true
    }

    private func refuse(_ answer: HTTPAnswer, _ request: HTTPRequestHead) {
        var answer = answer
        if let text = cluster.failures.retryAfter {
            answer.fields.set("Retry-After", text.isEmpty ? nil : text)
        }
        send(answer, to: request)
    }

    /// Answers what is about no object.
    private func readOther(_ request: HTTPRequestHead, user: Credentials.User, path: String) -> HTTPAnswer {
        let trimmed = path.hasSuffix("/") ? String(path.dropLast()) : path
        if ["/healthz", "/livez", "/readyz"].contains(trimmed) { return .text(200, "OK", "ok") }
        guard !user.isAnonymous || trimmed == "/version" else {
            return .forbiddenPath(user: user.name, path)
        }
        guard request.method == "GET" || request.method == "HEAD" else { return .methodNotAllowed }
        let accept = request.fields.values(of: "Accept").joined(separator: ",")
        return Discovery.answer(at: trimmed, accept: accept) ?? .resourceNotFound
    }

    // MARK: Reading

    private static func query(_ path: ResourcePath, _ query: [String: String]) -> ObjectQuery? {
        guard let labels = LabelQuery(query["labelSelector"] ?? ""),
            let fields = FieldQuery(query["fieldSelector"] ?? "")
        else { return nil }
        return ObjectQuery(type: path.type, namespace: path.namespace, labels: labels, fields: fields)
    }

    private func read(_ path: ResourcePath, _ query: ObjectQuery, _ page: ListPage) -> HTTPAnswer {
        let store = cluster.store
        guard !path.name.isEmpty else {
            return page.of(store.objects(query), of: path.type, version: store.resourceVersion)
        }
        guard let object = store.object(path.type, named: path.name, in: path.namespace) else {
            return .notFound(path)
        }
        return .json(object.json)
    }

    private func watch(_ query: ObjectQuery, from resourceVersion: String) {
        let head = HTTPResponseHead(
            status: 200,
            reason: "OK",
            fields: ["Content-Type": "application/json", "Transfer-Encoding": "chunked"]
        )
        HTTPAnswer.send(head, pool: cluster.loop.pool) { connection.send($0) }
        watched = query
        let store = cluster.store
        if let version = Int(resourceVersion), version > 0 {
            guard let changes = store.changes(after: version) else {
                sendChunk(HTTPAnswer.versionTooOld)
                return connection.closeWhenSent()
            }
            for change in changes { tell(change) }
        } else {
            for object in store.objects(query) {
                tell(APIChange(kind: .added, version: store.resourceVersion, object: object))
            }
        }
        cluster.watchBegan(self)
    }

    /// Tells the watcher of a change, if it wants to know.
    func tell(_ change: APIChange) {
        guard let watched, watched.accepts(change.object) else { return }
        sendChunk(["type": .string(change.kind.rawValue), "object": change.object.json])
    }

    private func sendChunk(_ event: JSON) {
        let line = event.text + "\n"
        let chunk = String(line.utf8.count, radix: 16) + "\r\n" + line + "\r\n"
        HTTPAnswer.send(chunk, pool: cluster.loop.pool) { connection.send($0) }
    }
}

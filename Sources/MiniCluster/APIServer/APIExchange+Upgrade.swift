import FastForward

/// The three ways from a request to a pod.
extension APIExchange {
    /// Answers a request for a pod's port-forward.
    ///
    /// - Returns: whether requests go on on this connection.
    func forward(
        _ request: HTTPRequestHead,
        user: Credentials.User,
        _ path: ResourcePath,
        rest: BufferBox
    ) -> Bool {
        let isPost = request.method == "POST"
        if let refusal = refusal(of: request, user: user, path) {
            send(refusal, to: request)
            return true
        }
        guard let pod = cluster.store.pod(named: path.name, in: path.namespace) else {
            send(.notFound(path), to: request)
            return true
        }
        guard pod.hasNode else {
            send(.badRequest("pod \(pod.name) does not have a host assigned"), to: request)
            return true
        }
        if request.fields.contains("websocket", in: "Upgrade") {
            return upgradeToWebSocket(request, pod: pod, rest: rest)
        }
        let ways = cluster.options.ways
        guard isPost, request.fields.contains("SPDY/3.1", in: "Upgrade"), ways.contains(.spdy) else {
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
        begin(head, rest) { Tunnel(connection: $0, pod: pod, isWebSocket: false) }
        return false
    }

    /// What the user may not do; nil: it may.
    private func refusal(
        of request: HTTPRequestHead,
        user: Credentials.User,
        _ path: ResourcePath
    ) -> HTTPAnswer? {
        switch request.method {
        case "POST": user.mayCreate ? nil : .forbidden(user: user.name, verb: "create", path)
        case "GET" where !user.mayGet: .forbidden(user: user.name, verb: "get", path)
        case "GET": user.mayCreate ? nil : .forbiddenWithoutReason(path)
        case _: .methodNotAllowed
        }
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
        func response(_ subprotocol: String) -> HTTPResponseHead {
            WebSocketHandshake.response(
                accept: Digests.webSocketAccept(forKey: handshake.key),
                subprotocol: subprotocol
            )
        }
        let ways = cluster.options.ways
        if ways.contains(.webSocket), handshake.subprotocols.contains(Tunnel.subprotocol) {
            begin(response(Tunnel.subprotocol), rest) { Tunnel(connection: $0, pod: pod, isWebSocket: true) }
            return false
        }
        let ports: [UInt16]
        do throws(ChannelPortsError) {
            ports = try ChannelForward.ports(inQueryOf: request.target)
        } catch {
            send(error.answer, to: request)
            return true
        }
        guard ways.contains(.channels),
            let encoding = ChannelEncoding.allCases.first(where: {
                handshake.subprotocols.contains($0.rawValue)
            })
        else {
            send(.webSocketRefused, to: request)
            return false
        }
        begin(response(encoding.rawValue), rest) {
            ChannelForward(connection: $0, pod: pod, ports: ports, encoding: encoding)
        }
        return false
    }

    private func begin(
        _ head: HTTPResponseHead,
        _ rest: BufferBox,
        _ make: (SecureConnection) -> any UpgradedConnection
    ) {
        HTTPAnswer.send(head, pool: cluster.loop.pool) { connection.send($0) }
        connection.handOver(to: make(connection), rest: rest)
    }
}

import FastForward

/// Failures on demand and counts, for tests: plain HTTP on a loopback port of its own.
///
///     GET  /stats
///     POST /cut?tunnel=all|one&how=rst|fin      /goaway      /drop-pings?on=1      /stall?on=1
///          /answer?status=normal|401|403|429|500|503|garbage|hang
///                 &retry-after=TEXT (that field; empty: none)   &times=N (the next N requests; else all)
///          /end-watches      /forbid-lists?on=1&of=pods|endpointslices
///          /create?pod=NAME&labels=app=web,tier=x&life=running|starting&ready=0
///          /delete?pod=NAME&grace=MILLISECONDS&serving=0 (the pod's ports refuse at once, not only after its grace)
///          /ready?pod=NAME&on=0
///          /frames?bytes=N (the most payload in a frame; without bytes: no limit)
///          /phase?pod=NAME&phase=Pending|Running|Succeeded|Failed
///          /rotate (new tokens; the old ones get 401)   /rotate?seconds=N (the new ones too, after so long)
///
/// Pods are of the namespace `default`, or of `&namespace=NAME`.
final class AdminServer {
    private let listener: Listener
    let url: String

    init(cluster: Cluster) throws {
        guard let address = SocketAddress(ip: "127.0.0.1", port: 0) else {
            throw LoopError(code: LoopError.addressNotAvailable, attempt: "listen on 127.0.0.1")
        }
        listener = try Listener(loop: cluster.loop, address: address) { [unowned cluster] listener in
            let connection = AdminConnection(cluster: cluster)
            do throws(LoopError) {
                try listener.accept(into: connection.transport)
                connection.transport.startReading()
            } catch {
                connection.transport.close()
            }
        }
        url = "http://\(listener.address)"
    }

    func close() { listener.close() }
}

/// One client of the admin port; a request to a connection or several.
private final class AdminConnection: TransportOwner {
    private unowned let cluster: Cluster
    let transport: OwnedTransport
    private var reader = HTTPRequestReader()
    private var closesWhenSent = false

    init(cluster: Cluster) {
        self.cluster = cluster
        transport = OwnedTransport(loop: cluster.loop)
        transport.owner = self
    }

    func prepareRead() -> BufferBox? {
        cluster.loop.receiveBox.buffer.clear()
        return cluster.loop.receiveBox
    }

    func received(_ count: Int) {
        let box = cluster.loop.receiveBox
        box.buffer.commit(count)
        defer { box.buffer.clear() }
        var cursor = 0
        do throws(HTTPError) {
            while let request = try reader.next(in: box.buffer, from: &cursor) {
                answer(request).send(to: request, pool: cluster.loop.pool) { transport.output.append($0) }
                transport.flush()
                guard request.isPersistent else { return closeWhenSent() }
            }
        } catch {
            transport.close()
        }
    }

    func receivedEnd(_ error: LoopError?) { closeWhenSent() }

    func outputProgressed() { if closesWhenSent { closeWhenSent() } }

    func outputFailed(_ error: LoopError) { transport.close() }

    private func closeWhenSent() {
        closesWhenSent = true
        if transport.output.isEmpty { transport.close() }
    }

    private func answer(_ request: HTTPRequestHead) -> HTTPAnswer {
        let (path, query) = splitTarget(request.target)
        if path == "/stats" { return .json(statistics) }
        guard request.method == "POST" else { return .text(405, "Method Not Allowed", "POST it\n") }
        let isOn = query["on"] != "0"
        let namespace = query["namespace"] ?? "default"
        let pod = query["pod"].flatMap { cluster.store.pod(named: $0, in: namespace) }
        switch path {
        case "/cut":
            let tunnels = cluster.allUpgraded
            let chosen = query["tunnel"] == "one" ? tunnels.randomElement().map { [$0] } ?? [] : tunnels
            for tunnel in chosen { tunnel.cut(byReset: query["how"] != "fin") }
        case "/goaway": for tunnel in cluster.allUpgraded { tunnel.goAway() }
        case "/drop-pings": cluster.failures.dropsPings = isOn
        case "/stall":
            cluster.failures.stallsTunnels = isOn
            for tunnel in cluster.allUpgraded { tunnel.applyStall() }
        case "/frames":
            cluster.frameBytesMax = query["bytes"].flatMap { Int($0) }.map { max(1, $0) }
        case "/answer":
            guard let answer = Failures.Answer(rawValue: query["status"] ?? "normal") else {
                return .text(400, "Bad Request", "status: normal, 401, 403, 429, 500, 503, garbage or hang\n")
            }
            cluster.failures.answer = answer
            cluster.failures.retryAfter = query["retry-after"]
            cluster.failures.answersLeft = query["times"].flatMap { Int($0) }
        case "/end-watches": cluster.endWatches()
        case "/forbid-lists":
            let types = Cluster.followedTypes.filter { query["of"] == nil || query["of"] == $0.plural }
            cluster.failures.forbiddenLists = isOn ? types : []
        case "/phase":
            guard let pod, let phase = query["phase"].flatMap({ Pod.Phase(rawValue: $0) }) else {
                return .text(400, "Bad Request", "pod and phase: one that exists\n")
            }
            cluster.setPhase(phase, of: pod)
        case "/delete":
            guard let pod else { return .text(400, "Bad Request", "pod: one that exists\n") }
            let grace = query["grace"].flatMap { UInt64($0) } ?? 0
            cluster.delete(pod, grace: .milliseconds(grace), isServing: query["serving"] != "0")
        case "/ready":
            guard let pod else { return .text(400, "Bad Request", "pod: one that exists\n") }
            pod.setReady(isOn)
            cluster.store.update(pod)
        case "/create":
            guard pod == nil, let name = query["pod"], create(name, in: namespace, query) else {
                return .text(400, "Bad Request", "pod: a name that is free\n")
            }
        case "/rotate":
            do { try cluster.rotateTokens(expiringIn: query["seconds"].flatMap { UInt64($0) }) } catch {
                return .text(500, "Internal Server Error", "\(error)\n")
            }
        default: return .text(404, "Not Found", "404 page not found\n")
        }
        return .text(200, "OK", "done\n")
    }

    private func create(_ name: String, in namespace: String, _ query: [String: String]) -> Bool {
        let pairs = (query["labels"] ?? "app=demo").split(separator: ",").map { $0.split(separator: "=") }
        let declaration = PodDeclaration(
            name: name,
            namespace: namespace,
            labels: pairs.filter { $0.count == 2 }.map { (String($0[0]), String($0[1])) },
            life: query["life"] == "starting" ? .starting : .running,
            isReady: query["ready"] != "0",
            ageSeconds: 0,
            readySeconds: 0
        )
        return (try? cluster.add(declaration)) != nil
    }

    private var statistics: JSON {
        let statistics = cluster.statistics
        let tunnels = cluster.allUpgraded
        return [
            "tunnels": .number(tunnels.count),
            "tunnelsTLS": .array(
                Set(tunnels.map { $0.connection.negotiatedTLS }).sorted().map { .string($0) }
            ),
            "streams": .number(tunnels.reduce(0) { $0 + $1.streamCount }),
            "tunnelsOpened": .number(statistics.tunnelsOpened), "requests": .number(statistics.requests),
            "watches": .number(cluster.watchCount), "connections": .number(statistics.connectionsOpened),
            "connectionsFailed": .number(statistics.connectionsFailed),
            "podProcesses": .number(cluster.podProcessCount),
            "bytesToPods": .number(statistics.bytesToPods),
            "bytesFromPods": .number(statistics.bytesFromPods),
            "bytesReceived": .number(statistics.bytesReceived),
            "buffers": .number(cluster.loop.pool.outstanding),
            "bufferBytes": .number(cluster.loop.pool.outstandingBytes),
            "listsForbidden": .number(statistics.listsForbidden),
            "rss": .number(Host.residentBytes() ?? 0),
        ]
    }
}

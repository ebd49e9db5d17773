package import FastForward

/// A cluster in one process: an API server on loopback, and pods that are child processes.
///
/// Theory of operation. One loop, one thread. The API server speaks HTTP/1.1 over TLS and knows the few objects that
/// clients of port-forwards read. An upgraded connection becomes a ``Tunnel``: each pair of its SPDY streams is a TCP
/// connection to the pod's own loopback address. How connections end, and what goes wrong on demand, is chosen
/// outside. The pods are processes of the same program, so they can be killed and stopped as real ones can.
package final class Cluster {
    let loop: EventLoop
    let options: ClusterOptions
    let tlsContext: TLSContext
    let credentials = Credentials()
    /// Where connections decrypt to, one after the other; empty between callbacks.
    let plaintext: BufferBox
    let statistics = Statistics()
    var failures = Failures()
    /// The most payload that a data frame from a pod carries, in bytes, each frame then being a message of its own; nil:
    /// as much as there is, and many frames to a message.
    ///
    /// Kubernetes copies through buffers of 32 KiB, whatever the client is.
    var frameBytesMax: Int?
    var objects: APIObjects
    private(set) var pods: [Pod] = []

    private let authority: CertificateMaker
    private var starter: PodStarter?
    private var listener: Listener?
    private var admin: AdminServer?
    private var connections: [ObjectIdentifier: SecureConnection] = [:]
    private var tunnels: [ObjectIdentifier: Tunnel] = [:]
    private var watches: [APIExchange] = []
    private var auditCount = 0
    private let whenReady: (_ url: String, _ adminURL: String?) -> Void

    /// Makes the cluster and starts its pods.
    ///
    /// - Parameter whenReady: called once, when the files are written and everything listens.
    package init(
        loop: EventLoop,
        options: ClusterOptions,
        whenReady: @escaping (_ url: String, _ adminURL: String?) -> Void
    ) throws {
        self.loop = loop
        self.options = options
        self.whenReady = whenReady
        objects = APIObjects(started: Host.timestamp())
        plaintext = BufferBox(loop.pool.take(BufferPool.largestCapacityBytes))
        authority = try CertificateMaker(commonName: "minicluster-ca")
        let identity =
            switch options.certificate {
            case .valid: try authority.issueServer()
            case .expired: try authority.issueServer(validity: .expired)
            case .named(let name): try authority.issueServer(names: ["DNS:\(name)"])
            }
        tlsContext = try TLSContext(server: identity, clientAuthorities: authority.authorityPEM)
        if let suites = options.cipherSuites { try tlsContext.restrict(toCipherSuites: suites) }
        let starter = try PodStarter(
            loop: loop,
            whenReady: { [unowned self] in podStarted($0) },
            whenEnded: { [unowned self] pod, _ in podEnded(pod) }
        )
        self.starter = starter
        for name in options.podNames {
            let pod = Pod(name: name, dialect: options.runtime)
            pods.append(pod)
            try starter.start(pod)
        }
        // A pod that no node has taken, as there is one in most clusters.
        pods.append(Pod(name: "pending", label: "pending", dialect: options.runtime))
    }

    /// Ends the pods and every connection; the loop runs out of work then.
    package func stop() {
        starter?.stop()
        listener?.close()
        admin?.close()
        for connection in connections.values { connection.transport.close() }
    }

    // MARK: Pods

    func pod(named name: String) -> Pod? { pods.first { $0.name == name } }

    private func podStarted(_ pod: Pod) {
        objects.resourceVersion += 1
        guard listener == nil else { return tellWatches("MODIFIED", pod) }
        guard pods.allSatisfy({ $0.name == "pending" || $0.phase == .running }) else { return }
        do {
            try listen()
        } catch {
            options.report("\(error)")
            stop()
        }
    }

    private func podEnded(_ pod: Pod) {
        guard let known = self.pod(named: pod.name), known === pod else { return }
        guard listener != nil else {
            options.report("the pod \(pod.name) ended before it was ready")
            return stop()
        }
        setPhase(.failed, of: pod)
    }

    func setPhase(_ phase: Pod.Phase, of pod: Pod) {
        pod.phase = phase
        objects.resourceVersion += 1
        tellWatches("MODIFIED", pod)
    }

    /// Adds a pod and starts its process.
    func create(_ name: String) throws(LoopError) {
        guard pod(named: name) == nil, let starter else { return }
        let pod = Pod(name: name, dialect: options.runtime)
        pods.append(pod)
        objects.resourceVersion += 1
        tellWatches("ADDED", pod)
        try starter.start(pod)
    }

    /// Ends a pod's process and forgets the pod.
    func delete(_ pod: Pod) {
        pods.removeAll { $0 === pod }
        starter?.kill(pod)
        objects.resourceVersion += 1
        tellWatches("DELETED", pod)
    }

    // MARK: Watches

    func watchBegan(_ watch: APIExchange) { watches.append(watch) }

    func watchEnded(_ watch: APIExchange) { watches.removeAll { $0 === watch } }

    private func tellWatches(_ type: String, _ pod: Pod) {
        for watch in watches { watch.tell(type, pod) }
    }

    // MARK: Listening

    private func listen() throws {
        guard let address = SocketAddress(ip: "127.0.0.1", port: options.port) else { return }
        let listener = try Listener(loop: loop, address: address) { [unowned self] in accept(from: $0) }
        self.listener = listener
        let url = "https://\(listener.address)"
        try writeKubeconfigs(url)
        if options.hasAdmin { admin = try AdminServer(cluster: self) }
        whenReady(url, admin?.url)
    }

    private func writeKubeconfigs(_ url: String) throws {
        let identity = try authority.issueClient(
            commonName: "kubernetes-admin",
            organizations: ["system:masters"]
        )
        try Host.makeDirectory(options.directory)
        func write(_ name: String, _ credential: KubeconfigWriter.Credential) throws {
            let text = KubeconfigWriter.text(
                server: url,
                authorityPEM: authority.authorityPEM,
                credential: credential
            )
            try Host.writeSecret(text, to: "\(options.directory)/\(name)")
        }
        try write("kubeconfig", .certificate(identity))
        for (suffix, token) in credentials.tokens { try write("kubeconfig-token\(suffix)", .token(token)) }
    }

    private func accept(from listener: Listener) {
        do {
            let connection = try SecureConnection(cluster: self)
            connections[ObjectIdentifier(connection)] = connection
            do throws(LoopError) {
                try listener.accept(into: connection.transport)
            } catch {
                connection.transport.close()
                return
            }
            connection.transport.startReading()
        } catch {
            options.report("\(error)")
        }
    }

    func connectionClosed(_ connection: SecureConnection) {
        connections[ObjectIdentifier(connection)] = nil
    }

    // MARK: Tunnels

    var allTunnels: [Tunnel] { Array(tunnels.values) }

    func tunnelOpened(_ tunnel: Tunnel) {
        tunnels[ObjectIdentifier(tunnel)] = tunnel
        statistics.tunnelsOpened += 1
    }

    func tunnelClosed(_ tunnel: Tunnel) { tunnels[ObjectIdentifier(tunnel)] = nil }

    /// A new request's number in the audit log that is not kept.
    func nextAuditID() -> String {
        auditCount += 1
        let digits = String(auditCount)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}

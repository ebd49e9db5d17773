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
    /// Nil: connections are plain.
    let tlsContext: TLSContext?
    private(set) var credentials = Credentials()
    /// Where connections decrypt to, one after the other; empty between callbacks.
    let plaintext: BufferBox
    let statistics = Statistics()
    var failures = Failures()
    /// The most payload that a data frame from a pod carries, in bytes, each frame then being a message of its own; nil:
    /// as much as there is, and many frames to a message.
    ///
    /// Kubernetes copies through buffers of 32 KiB, whatever the client is.
    var frameBytesMax: Int?
    let store: ObjectStore

    /// Nil: everybody is the administrator.
    let authority: CertificateMaker?
    private var starter: PodStarter?
    private var listener: Listener?
    private var admin: AdminServer?
    private var connections: [ObjectIdentifier: SecureConnection] = [:]
    private var upgraded: [ObjectIdentifier: any UpgradedConnection] = [:]
    private(set) var watches: [APIExchange] = []
    /// Of pods that are being deleted.
    private var graces: [ObjectIdentifier: LoopTimer] = [:]
    private var auditCount = 0
    private var url = ""
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
        let inventory: Inventory =
            options.hasExamples ? .whole(podNames: options.podNames) : .small(podNames: options.podNames)
        store = ObjectStore(inventory)
        plaintext = BufferBox(loop.pool.take(BufferPool.largestCapacityBytes))
        switch options.security {
        case .authority:
            let authority = try CertificateMaker(commonName: "minicluster-ca")
            self.authority = authority
            tlsContext = try Self.tlsContext(of: authority, options)
        case .anybody(let context): (authority, tlsContext) = (nil, context)
        case .plain: (authority, tlsContext) = (nil, nil)
        }
        if options.podHost == nil {
            starter = try PodStarter(
                loop: loop,
                resetsWhenKilled: options.podsResetWhenKilled,
                whenReady: { [unowned self] in podStarted($0) },
                whenEnded: { [unowned self] pod, _ in podEnded(pod) }
            )
        }
        store.whenChanged = { [unowned self] change in
            for watch in watches { watch.tell(change) }
        }
        for declaration in inventory.pods { try add(declaration) }
    }

    /// Ends the pods and every connection; the loop runs out of work then.
    package func stop() {
        starter?.stop()
        for timer in graces.values { timer.close() }
        graces = [:]
        listener?.close()
        admin?.close()
        for connection in connections.values { connection.transport.close() }
    }

    private static func tlsContext(of authority: CertificateMaker, _ options: ClusterOptions) throws
        -> TLSContext
    {
        let identity =
            switch options.certificate {
            case .valid: try authority.issueServer()
            case .expired: try authority.issueServer(validity: .expired)
            case .named(let name): try authority.issueServer(names: ["DNS:\(name)"])
            }
        let context = try TLSContext(server: identity, clientAuthorities: authority.authorityPEM)
        if let suites = options.cipherSuites { try context.restrict(toCipherSuites: suites) }
        return context
    }

    // MARK: Pods

    private func podStarted(_ pod: Pod) {
        store.update(pod)
        guard listener == nil, store.pods.allSatisfy({ !$0.hasProcess || $0.phase == .running }) else {
            return
        }
        do {
            try listen()
        } catch {
            options.report("\(error)")
            stop()
        }
    }

    private func podEnded(_ pod: Pod) {
        guard store.pods.contains(where: { $0 === pod }) else { return }
        guard listener != nil else {
            options.report("the pod \(pod.name) ended before it was ready")
            return stop()
        }
        setPhase(.failed, of: pod)
    }

    func setPhase(_ phase: Pod.Phase, of pod: Pod) {
        pod.phase = phase
        store.update(pod)
    }

    /// Adds a pod and starts its process, if it is to have one.
    func add(_ declaration: PodDeclaration) throws(LoopError) {
        let pod = Pod(declaration, dialect: options.runtime)
        store.add(pod)
        guard pod.hasProcess else { return }
        if let host = options.podHost {
            pod.run(at: host.start(pod.name))
            podStarted(pod)
        } else {
            try starter?.start(pod)
        }
    }

    /// Ends a pod's process and forgets the pod.
    ///
    /// - Parameter grace: for how long the pod serves on meanwhile, as being deleted and not ready.
    /// Deletes a pod, whose end comes after its grace.
    ///
    /// - Parameter isServing: whether it serves on until then.
    func delete(_ pod: Pod, grace: TimeSpan, isServing: Bool = true) {
        graces.removeValue(forKey: ObjectIdentifier(pod))?.close()
        guard grace > .zero else {
            end(pod)
            return
        }
        pod.beginDeletion()
        pod.setReady(false)
        store.update(pod)
        if !isServing { stop(pod) }
        let timer = LoopTimer(loop: loop) { [unowned self] in
            graces[ObjectIdentifier(pod)]?.close()
            graces[ObjectIdentifier(pod)] = nil
            end(pod)
        }
        graces[ObjectIdentifier(pod)] = timer
        timer.schedule(at: loop.now + grace)
    }

    private func end(_ pod: Pod) {
        store.remove(pod)
        stop(pod)
    }

    private func stop(_ pod: Pod) {
        if let host = options.podHost { host.stop(pod.address) } else { starter?.kill(pod) }
    }

    // MARK: Watches

    var watchCount: Int { watches.count }

    var podProcessCount: Int { starter?.processCount ?? 0 }

    func watchBegan(_ watch: APIExchange) { watches.append(watch) }

    func watchEnded(_ watch: APIExchange) { watches.removeAll { $0 === watch } }

    // MARK: Listening

    private func listen() throws {
        guard let address = SocketAddress(ip: options.address, port: options.port) else {
            throw LoopError(code: LoopError.addressNotAvailable, attempt: "listen on \(options.address)")
        }
        let listener = try Listener(loop: loop, address: address) { [unowned self] in accept(from: $0) }
        self.listener = listener
        let url = "\(tlsContext == nil ? "http" : "https")://\(listener.address)\(options.basePath)"
        if let authority { try writeKubeconfigs(url, authority) }
        if options.hasAdmin { admin = try AdminServer(cluster: self) }
        whenReady(url, admin?.url)
    }

    private func writeKubeconfigs(_ url: String, _ authority: CertificateMaker) throws {
        self.url = url
        let identity = try authority.issueClient(
            commonName: "kubernetes-admin",
            organizations: ["system:masters"]
        )
        try Host.makeDirectory(options.directory)
        let directory = Host.absolutePath(options.directory)
        try writeKubeconfig("kubeconfig", .certificate(identity))
        try writeKubeconfig("kubeconfig-tokenfile", .tokenFile("\(directory)/token"))
        try writeKubeconfig("kubeconfig-plugin", .plugin(file: "\(directory)/credential.json"))
        try writeTokens(expiry: nil)
    }

    private func writeKubeconfig(_ name: String, _ credential: KubeconfigWriter.Credential) throws {
        guard let authority else { return }
        let text = KubeconfigWriter.text(
            server: url,
            authorityPEM: authority.authorityPEM,
            credential: credential
        )
        try Host.writeSecret(text, to: "\(options.directory)/\(name)")
    }

    private func writeTokens(expiry: String?) throws {
        for (suffix, token) in credentials.tokens {
            try writeKubeconfig("kubeconfig-token\(suffix)", .token(token))
        }
        let token = credentials.tokens.first?.token ?? ""
        try Host.writeSecret(token + "\n", to: "\(options.directory)/token")
        let credential = ExecCredentialWriter.text(token: token, expiry: expiry)
        try Host.writeSecret(credential, to: "\(options.directory)/credential.json")
    }

    /// Draws new tokens and writes the files that hold them; the old ones are unknown from now on.
    ///
    /// - Parameter seconds: how long they are to be known; nil: until the next time.
    func rotateTokens(expiringIn seconds: UInt64?) throws {
        credentials.rotate(expiringAt: seconds.map { loop.now + .seconds($0) })
        try writeTokens(expiry: seconds.map { Host.timestamp(secondsAgo: -Int($0)) })
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

    var allUpgraded: [any UpgradedConnection] { Array(upgraded.values) }

    func upgradedOpened(_ connection: any UpgradedConnection) {
        upgraded[ObjectIdentifier(connection)] = connection
        statistics.tunnelsOpened += 1
    }

    func upgradedClosed(_ connection: any UpgradedConnection) {
        upgraded[ObjectIdentifier(connection)] = nil
    }

    /// A new request's number in the audit log that is not kept.
    func nextAuditID() -> String {
        auditCount += 1
        let digits = String(auditCount)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}

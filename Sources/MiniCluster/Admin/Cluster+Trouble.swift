package import FastForward

/// What a simulation does to a cluster; the admin server offers the same, and more, over HTTP.
extension Cluster {
    /// How requests are answered, by the words of ``AdminServer``.
    package func answerRequests(_ words: String) {
        failures.answer = Failures.Answer(rawValue: words) ?? .normal
        (failures.retryAfter, failures.answersLeft) = (nil, nil)
    }

    /// Lets nobody list or watch what a forwarder follows.
    package func forbidLists(_ isOn: Bool) { failures.forbiddenLists = isOn ? Self.followedTypes : [] }
    /// What a forwarder lists and watches.
    static let followedTypes: Set<APIType> = [.pods, .endpointSlices]
    package var forbiddenListCount: Int { statistics.listsForbidden }

    /// Answers no PING until it is told to go on.
    package func withholdPings(_ isOn: Bool) {
        failures.withholdsPings = isOn
        if !isOn { for tunnel in tunnels { tunnel.answerWithheldPings() } }
    }

    /// Reads nothing of any tunnel.
    package func stallTunnels(_ isOn: Bool) {
        failures.stallsTunnels = isOn
        for tunnel in tunnels { tunnel.applyStall() }
    }

    /// Ends every tunnel in the middle of a frame.
    package func cutTunnels(byReset: Bool) {
        for tunnel in tunnels { tunnel.cut(byReset: byReset) }
    }

    /// Lets the tunnels take no new streams.
    package func sendGoAway() {
        for tunnel in tunnels { tunnel.goAway() }
    }

    package func limitFrames(toBytes bytes: Int?) { frameBytesMax = bytes }

    /// Ends the watches, as a server does now and then.
    package func endWatches() {
        for watch in watches { watch.connection.closeWhenSent() }
    }

    /// Forgets what has changed so far: who asks for it is told to list anew.
    package func forgetChanges() { store.forgetChanges() }

    // MARK: Pods

    package var podNames: [String] { store.pods.filter(\.hasProcess).map(\.name) }

    /// Starts a pod, where there is none of that name: an API server takes no second one.
    package func createPod(_ name: String) {
        guard store.pod(named: name, in: "default") == nil else { return }
        let declaration = PodDeclaration(
            name: name,
            labels: [("app", "demo")],
            ageSeconds: 0,
            readySeconds: 0
        )
        try? add(declaration)
    }

    package func deletePod(_ name: String, grace: TimeSpan) {
        guard let pod = store.pod(named: name, in: "default") else { return }
        delete(pod, grace: grace)
    }

    package func setPodReady(_ name: String, _ isReady: Bool) {
        guard let pod = store.pod(named: name, in: "default") else { return }
        pod.setReady(isReady)
        store.update(pod)
    }

    // MARK: What there is

    package var tunnelCount: Int { tunnels.count }
    package var streamCount: Int { tunnels.reduce(0) { $0 + $1.streamCount } }
    package var openedTunnelCount: Int { statistics.tunnelsOpened }

    /// In an order that does not depend on where objects lie in memory.
    private var tunnels: [any UpgradedConnection] {
        allUpgraded.sorted {
            ($0.connection.transport.peerAddress?.port ?? 0)
                < ($1.connection.transport.peerAddress?.port ?? 0)
        }
    }
}

/// What a forwarder's user may want to see, one case for each fact.
///
/// Text, JSON and metrics are made of these outside.
package enum ForwarderEvent {
    /// A local address leads to a port of the pod now.
    case listening(address: SocketAddress, remotePort: UInt16)
    /// No address of this local port could be listened on (or one that was named explicitly could not).
    case listenFailed(
        localPort: UInt16,
        remotePort: UInt16,
        errors: [(address: SocketAddress, error: LoopError)]
    )
    /// Every `listening` has been said, and a connection made now is carried.
    case ready
    /// The forward cannot begin, or can go on no more.
    case failed(ForwarderFailure)
    /// A client has connected.
    case accepted(localPort: UInt16)
    /// So many clients are connected that others have to wait until one ends.
    case acceptingPaused(connections: Int, AcceptGate.Limit)
    /// There is room again.
    case acceptingResumed
    /// More clients came at once than the kernel's queue of this port holds: some have to ask again.
    case queueFull(localPort: UInt16, most: Int)
    /// So many clients had connected, and were not accepted when that ended.
    case queueDropped(Int)
    /// The pod is lost; new connections go to another one.
    case podChanged(from: String, to: String, PodLoss)
    /// The pod is lost, and there is no other: clients wait for one.
    case podMissing(String, PodLoss)
    /// A pod takes part in the balancing.
    case podJoined(String)
    /// A pod takes part no more.
    case podLeft(String, PodLoss)
    /// Nobody is accepted any more, and the last client is gone.
    case drained
    /// One connection failed; the others go on.
    case connectionFailed(localPort: UInt16, remotePort: UInt16, ConnectionFailure)
    /// A tunnel is gone; `isLast`: new clients wait until there is another.
    case tunnelLost(UpstreamError, isLast: Bool)
    /// Another tunnel could not be opened beside those that are.
    case tunnelNotOpened(UpstreamError)
    /// There is a tunnel again after the last was lost.
    case tunnelRestored
    /// How it came about, where ``Forwarder/Request/detail`` asks for it.
    case fact(ForwardingFact)
}

/// Why a forward cannot begin.
package enum ForwarderFailure: Error, CustomStringConvertible {
    case upstream(UpstreamError)
    case tls(TLSError)
    /// The API server does not give the pod.
    case api(APIFailure)
    case podNotRunning(PodNotRunning)
    case port(PortArgumentError)
    /// The target does not say which pods are its own.
    case target(PodSelectorError)
    /// The target has no pod, and none came in time.
    case noPod(PodSearchTimeout)
    /// Nothing could be listened on.
    case nothingToListenOn([ForwardedPort])
    case invalidAddress(String)
    /// The system allows this process too few descriptors for even one client.
    case tooFewDescriptors(limit: Int, needed: Int)
    /// The last tunnel or the pod is gone, and no other is to be had.
    case lostConnection

    /// One line for a person, in kubectl's words where it has some.
    package var description: String {
        switch self {
        case .upstream(let error): "\(error)"
        case .tls(let error): "error: \(error)"
        case .api(let failure): failure.terminalText
        case .podNotRunning(let error): "error: \(error)"
        case .port(let error): "error: \(error)"
        case .target(let error): "error: \(error)"
        case .noPod(let error): "error: \(error)"
        case .nothingToListenOn(let ports):
            "error: unable to listen on any of the requested ports: ["
                + ports.map { "{\($0.local) \($0.remote)}" }.joined(separator: " ") + "]"
        case .tooFewDescriptors(let limit, let needed):
            "error: this process may have \(limit.counting("descriptor")), and needs \(needed) to forward for one client "
                + "(raise the limit before it starts: ulimit -n 1024)"
        case .lostConnection: "error: lost connection to pod"
        case .invalidAddress(let text): "error: \(text) is not a valid IP"
        }
    }
}

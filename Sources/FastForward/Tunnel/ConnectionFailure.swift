/// Why one forwarded connection failed; the tunnel lives on.
package enum ConnectionFailure: Equatable, Sendable {
    /// The server said so on the error stream, in its own words (at most ``StreamPair/errorTextBytesMax`` bytes).
    case reported(String)
    /// The server reset a stream of the pair without a word.
    case reset(status: UInt32)
    /// The server does not get as far as this one: another connection, whose bytes nobody takes, is in its way.
    case stalled
    /// The server has sent nothing at all since it was asked for this one.
    case unanswered
    /// The server ends the tunnel and has not looked at this one any more (GOAWAY): nothing of it has reached the pod.
    case unseen
    /// It read nothing for ``Tunnel/culpritPatience`` while so many others on its tunnel waited.
    case heldUpOthers(count: Int)
    /// There was no tunnel for it within the time that clients are kept waiting, or too many waited.
    case noTunnel
    /// The tunnel that carried it is gone.
    case tunnelLost

    /// One line for a person.
    package var reason: String {
        switch self {
        case .reported(let text): text
        case .reset(let status): "the server reset the stream (\(Self.name(ofStatus: status)))"
        case .stalled:
            "the server takes nothing for it: bytes of another connection, which the pod does not read, are in the way "
                + "(try again: new ones go elsewhere; more --tunnels keep connections apart)"
        case .unanswered:
            "the server has not answered for \(TunnelCore.blockedMax.text), though its connection is there (it may be "
                + "stopped, or overloaded)"
        case .unseen: "the server ends the tunnel and did not take the connection any more"
        case .heldUpOthers(let count):
            "the client read nothing for 5 s while \(count) other connection\(count == 1 ? "" : "s") waited behind it, "
                + "so it was reset (more --tunnels keep connections apart)"
        case .noTunnel: "there is no tunnel to the pod"
        case .tunnelLost: "the tunnel was lost"
        }
    }

    /// Whether the pod itself refused the dial, so that nothing of the connection has reached it.
    ///
    /// The texts are those of containerd, CRI-O and cri-dockerd (which runs socat).
    package var isRefusedDial: Bool {
        guard case .reported(let text) = self else { return false }
        return Self.dialTexts.contains { text.contains($0) }
    }

    private static let dialTexts = [
        "failed to connect to localhost:", "connect: connection refused", "connect: connection reset by peer",
        "Connection refused",
    ]

    /// A few words for a count.
    package var kind: String {
        switch self {
        case .reported: "reported by the server"
        case .reset: "reset by the server"
        case .stalled: "stalled in the server"
        case .unanswered: "not answered"
        case .unseen: "not taken any more"
        case .heldUpOthers: "held up others"
        case .noTunnel: "no tunnel"
        case .tunnelLost: "tunnel lost"
        }
    }

    private static func name(ofStatus status: UInt32) -> String {
        switch status {
        case SPDYResetStatus.protocolError: "protocol error"
        case SPDYResetStatus.invalidStream: "invalid stream"
        case SPDYResetStatus.refusedStream: "refused"
        case SPDYResetStatus.cancel: "cancelled"
        case SPDYResetStatus.internalError: "internal error"
        default: "status \(status)"
        }
    }
}

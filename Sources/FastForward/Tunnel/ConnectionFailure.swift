/// Why one forwarded connection failed; the tunnel lives on.
package enum ConnectionFailure: Equatable, Sendable {
    /// The server said so on the error stream, in its own words (at most ``StreamPair/errorTextBytesMax`` bytes).
    case reported(String)
    /// The server reset a stream of the pair without a word.
    case reset(status: UInt32)
    /// The server never answered it: another connection, whose bytes nobody takes, is in its way.
    case stalled
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
            "the server took nothing for \(TunnelCore.answerMax.nanoseconds / 1_000_000_000) s: bytes of another "
                + "connection, which its pod does not read, are in the way (try again: new ones go elsewhere)"
        case .noTunnel: "there is no tunnel to the pod"
        case .tunnelLost: "the tunnel was lost"
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

internal import COpenSSL

/// Why a TLS connection could not be made or kept.
package enum TLSError: Error, Equatable, CustomStringConvertible {
    /// The user's own material (a CA, a certificate, a key) cannot be used.
    case material(what: String, reason: String)
    /// The server showed a certificate that does not verify; nothing but the handshake was sent.
    case certificateNotVerified(serverName: String, reason: String)
    /// The peer broke or refused the protocol.
    case failed(during: String, reason: String)
    /// The transport ended without TLS's own end (close_notify): what came before may be cut.
    case truncated
    /// The peer asks for answers within TLS, such as TLS 1.2's to a renegotiation, and does not read them.
    case answersNotTaken(bytes: Int)
    /// This machine ran out of what OpenSSL needs.
    case exhausted(what: String)

    package var description: String {
        switch self {
        case .material(let what, let reason):
            "cannot use \(what): \(reason)"
        case .certificateNotVerified(let serverName, let reason):
            "the certificate of \(serverName) does not verify: \(reason) (check certificate-authority and tls-server-name in the kubeconfig)"
        case .failed(let phase, let reason):
            "TLS failed during the \(phase): \(reason)"
        case .truncated:
            "the connection ended without TLS's close_notify"
        case .answersNotTaken(let bytes):
            "the peer asks for TLS's own answers without reading them: \(bytes) bytes wait for it"
        case .exhausted(let what):
            "OpenSSL could not make \(what)"
        }
    }

    /// What OpenSSL says of the last failed call; empties its queue.
    static func lastReason() -> String {
        var reason = "no reason given"
        while true {
            let code = ERR_get_error()
            guard code != 0 else { return reason }
            if let text = unsafe ERR_reason_error_string(code) { reason = unsafe String(cString: text) }
        }
    }
}

/// Why an upstream connection could not be made, or ended.
package enum UpstreamError: Error, CustomStringConvertible {
    /// A look-up, a connect, a read or a write failed.
    case network(server: String, LoopError)
    case tls(server: String, TLSError)
    /// The proxy on the way to the server was not passed.
    case proxy(ProxyFailure)
    /// The server's answer is no HTTP that we understand.
    case http(server: String, HTTPError)
    /// The server answered the upgrade with something that is no tunnel.
    case handshake(server: String, TunnelUpgrade.Failure)
    /// The server refused the request, and says why.
    case refused(APIFailure)
    /// The server broke the tunnel's protocol.
    case tunnel(server: String, TunnelError)
    /// The server said nothing for too long.
    case timedOut(server: String, waitingFor: String, within: TimeSpan)
    /// Nothing that was sent has been acknowledged for so long: the network or the host is gone.
    case silent(server: String, for: TimeSpan)
    /// This host has lost the address that the connection was made from.
    case addressGone(server: String, address: String)
    /// The server ended the connection. `during`: what was going on.
    case ended(server: String, during: String)
    /// The server, or something on the way, ended the connection where an answer to the upgrade was due; nil: by a plain end.
    case unanswered(server: String, LoopError?)
    /// The server, or something on the way, has left the upgrade without an answer for so long.
    case hanging(server: String, for: TimeSpan)
    /// The server closed the tunnel and may have said why.
    case closed(server: String, code: UInt16?, reason: String)
    /// The credential cannot be had.
    case credential(KubeconfigError)
    /// The answer holds more than is taken, or is no object of the kind that was asked for.
    case answer(server: String, reason: String)

    /// Whether another way into the API server may work where this one did not.
    ///
    /// A refused credential and a missing pod are the same by every way; a 403 is not, as roles differ (protocol: a
    /// SPDY upgrade wants `create`, a WebSocket `get`).
    package var isWayRefused: Bool {
        switch self {
        case .refused(let failure): !failure.isUnauthorized && !failure.isObjectMissing
        case .handshake, .http, .unanswered, .hanging: true
        case .network, .tls, .proxy, .tunnel, .timedOut, .silent, .addressGone, .ended, .closed, .credential,
            .answer:
            false
        }
    }

    /// Whether it is about the one connection that was asked for; false: the next one would fare the same, and this one
    /// may be asked for again when the server, the network or the credential has changed.
    ///
    /// A 403 is such a change away: API servers that start give it until they know the roles.
    var isOfOneConnection: Bool {
        switch self {
        case .refused(let failure):
            (400..<500).contains(failure.httpStatus) && ![401, 403, 408, 429].contains(failure.httpStatus)
        case .answer: true
        case .network, .tls, .proxy, .http, .handshake, .tunnel, .timedOut, .silent, .addressGone, .ended,
            .unanswered, .hanging, .closed, .credential:
            false
        }
    }

    /// Whether the server did not take the credential (401).
    var isUnauthorized: Bool {
        guard case .refused(let failure) = self else { return false }
        return failure.isUnauthorized
    }

    /// One line on the loss of a connection that was there.
    package var lossText: String {
        switch self {
        case .network(let server, let error): "\(server): \(error)"
        case .tls(let server, let error): "\(server): \(error)"
        case .proxy, .http, .handshake, .refused, .tunnel, .timedOut, .silent, .addressGone, .ended,
            .unanswered, .hanging, .closed, .credential, .answer:
            description
        }
    }

    package var description: String {
        switch self {
        case .network(let server, let error) where error.code == LoopError.connectionRefused:
            "The connection to the server \(server) was refused - did you specify the right host or port?"
        case .network(let server, let error):
            "Unable to connect to the server: \(server): \(error)"
        case .tls(let server, let error):
            "Unable to connect to the server: \(server): \(error)"
        case .proxy(let failure):
            failure.description
        case .http(let server, let error):
            "the answer of \(server) is not understood: \(error) (is this the address of an API server?)"
        case .handshake(let server, let error):
            "error: error upgrading connection: \(server): \(error)"
        case .refused(let failure):
            failure.upgradeText
        case .tunnel(let server, let error):
            "\(server) broke the tunnel's protocol: \(error)"
        case .timedOut(let server, let what, let span):
            "Unable to connect to the server: no \(what) from \(server) within \(span.text)"
        case .silent(let server, let span):
            "\(server) has acknowledged nothing for \(span.text): the network to it is gone, or its host"
        case .addressGone(let server, let address):
            "the connection to \(server) is lost: this host has no address \(address) any more"
        case .ended(let server, let phase):
            "\(server) ended the connection during the \(phase)"
        case .unanswered(let server, let error):
            "error: error upgrading connection: \(server) ended the connection without an answer"
                + (error.map { ": \($0.reason)" } ?? "")
                + " (is there a proxy in between that knows no upgrades?)"
        case .hanging(let server, let span):
            "error: error upgrading connection: \(server) gave no answer within \(span.text)"
                + " (is there a proxy in between that knows no upgrades?)"
        case .closed(let server, let code, let reason):
            "\(server) closed the tunnel"
                + (code.map { " (\($0)\(reason.isEmpty ? "" : ": \(reason)"))" } ?? "")
        case .credential(let error):
            error.terminalText
        case .answer(let server, let reason):
            "the answer of \(server) cannot be used: \(reason)"
        }
    }
}

/// Why the proxy on the way to a server was not passed.
package struct ProxyFailure: Error, CustomStringConvertible {
    package enum Cause: Error {
        /// A look-up, a connect, a read or a write failed.
        case network(LoopError)
        /// TLS with the proxy itself.
        case tls(TLSError)
        /// The proxy said no, or what is not understood.
        case exchange(ProxyError)
        case timedOut(waitingFor: String, within: TimeSpan)
        /// The proxy ended the connection without an answer.
        case ended
    }

    package let proxy: UpstreamProxy
    /// The server's name and port.
    package let server: String
    package let cause: Cause

    package var description: String {
        "Unable to connect to the server: \(server): the proxy \(proxy) \(causeText)"
    }

    private var causeText: String {
        switch cause {
        case .network(let error):
            "cannot be reached: \(error.reason) (check proxy-url in the kubeconfig, or HTTPS_PROXY)"
        case .tls(.certificateNotVerified(_, let reason)):
            "showed a certificate that does not verify: \(reason) "
                + "(certificate-authority in the kubeconfig is who is trusted, for the proxy too)"
        case .tls(let error): "failed: \(error) (does it speak TLS at this port?)"
        case .exchange(let error): "\(error)"
        case .timedOut(let what, let span): "gave no \(what) within \(span.text)"
        case .ended: "ended the connection without an answer (check its URL's scheme and port)"
        }
    }
}

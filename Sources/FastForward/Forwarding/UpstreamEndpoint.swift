/// Where the API server is and how to speak to it, for one credential.
package final class UpstreamEndpoint {
    package let server: ServerURL
    /// Nil: the server speaks plain HTTP, and no credential is sent.
    package let tls: TLSContext?
    /// What the server's certificate must name.
    package let serverName: String
    /// Nil: the server is connected to directly.
    package let proxy: UpstreamProxy?
    /// For an `https` proxy.
    ///
    /// What the kubeconfig says of the server's certificate holds for the proxy's too, as in kubectl (Go's
    /// `net/http` has one TLS configuration for both).
    let proxyTLS: TLSContext?
    private let impersonation: Impersonation?
    private var credential: Credential

    package init(access: ClusterAccess) throws(TLSError) {
        server = access.server
        serverName = access.tlsServerName ?? access.server.host
        credential = access.credential
        proxy = access.proxy
        impersonation = access.impersonation
        let trust: TLSContext.Trust =
            access.insecureSkipTLSVerify
            ? .anybody : access.certificateAuthority.map { .authorities(pem: $0) } ?? .system
        let identity = access.identity.map {
            TLSContext.Identity(certificatePEM: $0.certificatePEM, keyPEM: $0.keyPEM.revealed)
        }
        tls = access.server.isTLS ? try TLSContext(trust: trust, identity: identity) : nil
        proxyTLS = access.proxy?.scheme == .https ? try TLSContext(trust: trust, identity: identity) : nil
    }

    /// The fields that every request has.
    package func requestFields(at now: Instant) throws(KubeconfigError) -> HTTPFields {
        var fields: HTTPFields = ["Host": server.authority, "User-Agent": Product.userAgent]
        if tls != nil, let authorization = try credential.authorization(at: now) {
            fields.append("Authorization", authorization.revealed)
        }
        if let impersonation { fields.append(contentsOf: impersonation.fields) }
        return fields
    }

    /// Tells the credential that the server did not take it, so that the next request uses a fresh one.
    package func credentialWasRefused() { credential.wasRefused() }
}

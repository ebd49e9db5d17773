/// Where the API server is and how to speak to it, for one credential.
package final class UpstreamEndpoint {
    package let server: ServerURL
    /// Nil: the server speaks plain HTTP, and no credential is sent.
    package let tls: TLSContext?
    /// What the server's certificate must name.
    package let serverName: String
    private var credential: Credential

    package init(access: ClusterAccess) throws(TLSError) {
        server = access.server
        serverName = access.tlsServerName ?? access.server.host
        credential = access.credential
        guard access.server.isTLS else {
            tls = nil
            return
        }
        let trust: TLSContext.Trust =
            access.insecureSkipTLSVerify
            ? .anybody : access.certificateAuthority.map { .authorities(pem: $0) } ?? .system
        let identity = access.identity.map {
            TLSContext.Identity(certificatePEM: $0.certificatePEM, keyPEM: $0.keyPEM.revealed)
        }
        tls = try TLSContext(trust: trust, identity: identity)
    }

    /// The fields that every request has.
    package func requestFields(at now: Instant) throws(KubeconfigError) -> HTTPFields {
        var fields: HTTPFields = ["Host": server.authority, "User-Agent": Product.userAgent]
        if tls != nil, let authorization = try credential.authorization(at: now) {
            fields.append("Authorization", authorization.revealed)
        }
        return fields
    }

    /// Tells the credential that the server did not take it, so that the next request uses a fresh one.
    package func credentialWasRefused() { credential.wasRefused() }
}

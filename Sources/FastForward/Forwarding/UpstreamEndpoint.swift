/// Where the API server is and how to speak to it, for one user.
package final class UpstreamEndpoint {
    package let server: ServerURL
    /// What the server's certificate must name.
    package let serverName: String
    /// Nil: the server is connected to directly.
    package let proxy: UpstreamProxy?
    /// How long one request to the API may take, but for watches and tunnels; nil: as long as an opening may.
    let requestTimeout: TimeSpan?
    /// Gets what the connections to the server find out; nil: nobody wants to know.
    var observer: ((ForwardingFact) -> Void)?
    private let impersonation: Impersonation?
    private let trust: TLSContext.Trust
    /// Of the kubeconfig; a plugin's may take its place.
    private let identity: ClientIdentity?
    private let credentials: CredentialSource
    private var contexts: Contexts
    /// Of the server, or of the proxy before it.
    var knownAddresses = KnownAddresses()

    /// The TLS contexts of one certificate.
    private struct Contexts {
        let identity: ClientIdentity?
        /// Nil: the server speaks plain HTTP, and no credential is sent.
        let server: TLSContext?
        /// For an `https` proxy.
        ///
        /// What the kubeconfig says of the server's certificate holds for the proxy's too, as in kubectl (Go's
        /// `net/http` has one TLS configuration for both).
        let proxy: TLSContext?
    }

    package init(access: ClusterAccess) throws(TLSError) {
        server = access.server
        serverName = access.tlsServerName ?? access.server.host
        proxy = access.proxy
        requestTimeout = access.requestTimeout
        impersonation = access.impersonation
        identity = access.identity
        credentials = CredentialSource(access.server.isTLS ? access.credential : .none)
        trust =
            access.insecureSkipTLSVerify
            ? .anybody : access.certificateAuthority.map { .authorities(pem: $0) } ?? .system
        contexts = try Self.contexts(for: access.identity, trust, access.server, access.proxy)
    }

    private static func contexts(
        for identity: ClientIdentity?,
        _ trust: TLSContext.Trust,
        _ server: ServerURL,
        _ proxy: UpstreamProxy?
    ) throws(TLSError) -> Contexts {
        let shown = identity.map {
            TLSContext.Identity(certificatePEM: $0.certificatePEM, keyPEM: $0.keyPEM.revealed)
        }
        return Contexts(
            identity: identity,
            server: server.isTLS ? try TLSContext(trust: trust, identity: shown) : nil,
            proxy: proxy?.scheme == .https ? try TLSContext(trust: trust, identity: shown) : nil
        )
    }

    // MARK: What a connection shows

    /// Asks for what a connection shows the server.
    ///
    /// - Returns: nil where `handler` has been called already, as it is unless a plugin must run.
    func prepare(
        on loop: EventLoop,
        handler: @escaping (Result<UpstreamIdentity, UpstreamError>) -> Void
    ) -> CredentialSource.Ticket? {
        credentials.request(on: loop) { result in
            switch result {
            case .success(let issued):
                do throws(TLSError) {
                    try self.updateContexts(for: issued.identity ?? self.identity)
                } catch {
                    _ = self.credentials.wasRefused(issued)
                    handler(.failure(.credential(.execPlugin(.unusableIdentity(reason: "\(error)")))))
                    return
                }
                handler(
                    .success(
                        UpstreamIdentity(
                            credential: issued,
                            tls: self.contexts.server,
                            proxyTLS: self.contexts.proxy
                        )
                    )
                )
            case .failure(let error):
                handler(.failure(.credential(error)))
            }
        }
    }

    /// Whether a connection that is made now would have a person asked for a credential.
    var wouldAskPerson: Bool { credentials.wouldAsk }

    /// Connections that were made with another certificate keep their context, and end as they are.
    private func updateContexts(for identity: ClientIdentity?) throws(TLSError) {
        guard identity != contexts.identity else { return }
        contexts = try Self.contexts(for: identity, trust, server, proxy)
    }

    /// Forgets who waits for ``prepare(on:handler:)``.
    func cancel(_ ticket: CredentialSource.Ticket) { credentials.cancel(ticket) }

    /// Records that the server did not take what a connection showed (401).
    ///
    /// - Returns: whether a connection that is made now may show something better.
    func wasRefused(_ identity: UpstreamIdentity) -> Bool { credentials.wasRefused(identity.credential) }

    /// The fields that every request has.
    func requestFields(_ identity: UpstreamIdentity) -> HTTPFields {
        var fields: HTTPFields = ["Host": server.authority, "User-Agent": Product.userAgent]
        if let authorization = identity.credential.authorization {
            fields.append("Authorization", authorization.revealed)
        }
        if let impersonation { fields.append(contentsOf: impersonation.fields) }
        return fields
    }

    // MARK: Ending

    /// Whether a plugin's process may still be there.
    package var isPluginAlive: Bool { credentials.isPluginAlive }

    /// Ends a plugin that is being run; nobody is told.
    package func close() { credentials.close() }
}

/// What one connection shows the server, and how.
struct UpstreamIdentity {
    let credential: IssuedCredential
    /// Nil: the server speaks plain HTTP.
    let tls: TLSContext?
    /// For an `https` proxy.
    let proxyTLS: TLSContext?
}

internal import COpenSSL

/// What many TLS sessions share: trust, identity, ciphers.
///
/// A context belongs to one credential. TLS 1.2 at least; AES-128-GCM is offered first, since it is the cheapest
/// where the processor has AES instructions, as every server has.
@safe package final class TLSContext {
    /// A certificate chain and its key, both PEM.
    ///
    /// The bytes are secret; they appear in no error.
    package struct Identity {
        package var certificatePEM: [UInt8]
        package var keyPEM: [UInt8]

        package init(certificatePEM: [UInt8], keyPEM: [UInt8]) {
            self.certificatePEM = certificatePEM
            self.keyPEM = keyPEM
        }
    }

    /// Whom to believe.
    package enum Trust {
        /// The certificates in this PEM text only.
        case authorities(pem: [UInt8])
        /// What the operating system trusts.
        case system
        /// Anybody; the user said so.
        case anybody
    }

    let context: OpaquePointer
    let method: OpaquePointer
    let verifiesPeer: Bool
    let isServer: Bool
    /// The server's latest ticket: the next session with a server of that name need not prove the certificates again.
    ///
    /// It holds the identity that both had then, so it stays within this context, which belongs to one credential.
    private var ticket: (serverName: String, session: OpaquePointer)?

    /// A client's context.
    package convenience init(trust: Trust, identity: Identity?) throws(TLSError) {
        switch trust {
        case .anybody: try self.init(isServer: false, verifiesPeer: false)
        case .system: try self.init(isServer: false, verifiesPeer: true)
        case .authorities: try self.init(isServer: false, verifiesPeer: true)
        }
        switch trust {
        case .anybody:
            break
        case .system:
            guard unsafe SSL_CTX_set_default_verify_paths(context) == 1 else {
                throw .material(what: "the system's certificate authorities", reason: TLSError.lastReason())
            }
        case .authorities(let pem):
            try addAuthorities(pem)
        }
        if let identity { try use(identity) }
    }

    /// A server's context.
    ///
    /// - Parameter clientAuthorities: PEM of the CA for client certificates; clients may come without one.
    package convenience init(server identity: Identity, clientAuthorities: [UInt8]?) throws(TLSError) {
        try self.init(isServer: true, verifiesPeer: false)
        try use(identity)
        unsafe ffwd_ctx_server_preference(context)
        guard let clientAuthorities else { return }
        try addAuthorities(clientAuthorities)
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        let name: [UInt8] = Array("minicluster".utf8)
        unsafe _ = SSL_CTX_set_session_id_context(context, name, UInt32(name.count))
    }

    private init(isServer: Bool, verifiesPeer: Bool) throws(TLSError) {
        guard let context = unsafe SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw .exhausted(what: "a TLS context")
        }
        guard let method = unsafe ffwd_bio_method() else {
            unsafe SSL_CTX_free(context)
            throw .exhausted(what: "a BIO method")
        }
        unsafe self.context = context
        unsafe self.method = method
        self.isServer = isServer
        self.verifiesPeer = verifiesPeer
        unsafe ffwd_ctx_set_modes(context)
        unsafe ffwd_ctx_set_options(context)
        unsafe _ = ffwd_ctx_min_tls12(context)
        if verifiesPeer { unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil) }
        if !isServer { unsafe BIOCallbacks.keepTickets(of: context) }
        // Order of preference; a server may have its own.
        unsafe _ = SSL_CTX_set_ciphersuites(
            context,
            "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
        )
        unsafe _ = SSL_CTX_set_cipher_list(
            context,
            "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK:!SRP:!DSS"
        )
    }

    deinit {
        forgetTicket()
        unsafe SSL_CTX_free(context)
        unsafe BIOCallbacks.free(method)
    }

    /// Keeps a copy of a ticket for the next session.
    ///
    /// OpenSSL spoils its own where the connection ends without a goodbye, as those of a lost tunnel do. Ours is spoiled
    /// by a handshake that fails with it, so that the next does without.
    func keep(ticket session: OpaquePointer, of serverName: String) {
        guard let copy = unsafe SSL_SESSION_dup(session) else { return }
        forgetTicket()
        unsafe ticket = (serverName, copy)
    }

    /// Has a session offer the ticket, if it is of the same name: what is resumed is not verified again.
    func offerTicket(by ssl: OpaquePointer, to serverName: String) {
        guard let ticket = unsafe ticket, unsafe ticket.serverName == serverName else { return }
        unsafe _ = SSL_set_session(ssl, ticket.session)
    }

    func forgetTicket() {
        if let ticket = unsafe ticket { unsafe SSL_SESSION_free(ticket.session) }
        unsafe ticket = nil
    }

    /// Restricts the context to these ciphers, in OpenSSL's names (a benchmark's or a test's wish).
    package func restrict(toCipherSuites suites: String) throws(TLSError) {
        guard unsafe SSL_CTX_set_ciphersuites(context, suites) == 1 else {
            throw .material(what: "the cipher suites \(suites)", reason: TLSError.lastReason())
        }
    }

    private func addAuthorities(_ pem: [UInt8]) throws(TLSError) {
        let store = unsafe SSL_CTX_get_cert_store(context)
        var count = 0
        try unsafe withPEM(pem) { (bio) throws(TLSError) in
            while let certificate = unsafe PEM_read_bio_X509(bio, nil, nil, nil) {
                unsafe X509_STORE_add_cert(store, certificate)
                unsafe X509_free(certificate)
                count += 1
            }
        }
        let reason = TLSError.lastReason()
        guard count > 0 else { throw .material(what: "the certificate authority", reason: reason) }
    }

    private func use(_ identity: Identity) throws(TLSError) {
        let what = isServer ? "the server certificate" : "the client certificate"
        try unsafe withPEM(identity.certificatePEM) { (bio) throws(TLSError) in
            guard let leaf = unsafe PEM_read_bio_X509_AUX(bio, nil, nil, nil) else {
                throw .material(what: what, reason: TLSError.lastReason())
            }
            defer { unsafe X509_free(leaf) }
            guard unsafe SSL_CTX_use_certificate(context, leaf) == 1 else {
                throw .material(what: what, reason: TLSError.lastReason())
            }
            while let issuer = unsafe PEM_read_bio_X509(bio, nil, nil, nil) {
                unsafe _ = ffwd_ctx_add_chain(context, issuer)
                unsafe X509_free(issuer)
            }
            ERR_clear_error()
        }
        guard !Self.isEncrypted(identity.keyPEM) else {
            throw .material(
                what: isServer ? "the server key" : "the client key",
                reason:
                    "it is encrypted, and nobody is asked for a password (decrypt it: openssl pkey -in KEY -out PLAIN)"
            )
        }
        try unsafe withPEM(identity.keyPEM) { (bio) throws(TLSError) in
            // An encrypted key would make OpenSSL ask on the terminal: the callback refuses instead.
            guard let key = unsafe PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in 0 }, nil) else {
                throw .material(
                    what: isServer ? "the server key" : "the client key",
                    reason: TLSError.lastReason()
                )
            }
            defer { unsafe EVP_PKEY_free(key) }
            guard unsafe SSL_CTX_use_PrivateKey(context, key) == 1 else {
                throw .material(what: "the client key with its certificate", reason: TLSError.lastReason())
            }
            // A key of another kind is kept beside the certificate, and then no certificate is sent at all.
            guard unsafe SSL_CTX_check_private_key(context) == 1 else {
                ERR_clear_error()
                throw .material(
                    what: isServer ? "the server key" : "the client key",
                    reason: "it does not belong to the certificate"
                )
            }
        }
    }

    /// Whether a PEM text holds an encrypted key: of PKCS #8 (RFC 5958 §3), or of its forerunners (RFC 1421 §4.6.1.1).
    private static func isEncrypted(_ pem: [UInt8]) -> Bool {
        pem.holds("-----BEGIN ENCRYPTED PRIVATE KEY-----") || pem.holds("Proc-Type: 4,ENCRYPTED")
    }

    private func withPEM(
        _ pem: [UInt8],
        _ body: (OpaquePointer) throws(TLSError) -> Void
    ) throws(TLSError) {
        ERR_clear_error()
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw .exhausted(what: "a memory BIO") }
        defer { unsafe _ = BIO_free(bio) }
        unsafe _ = BIO_write(bio, pem, Int32(clamping: pem.count))
        try unsafe body(bio)
    }
}

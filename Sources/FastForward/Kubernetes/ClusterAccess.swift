#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

// Theory of operation: a kubeconfig says many things, the command line overrides some, and one connection needs
// one answer. Resolving chooses the context, its cluster and its user; refuses what kubectl refuses (all
// problems at once, in kubectl's words) and what this version cannot do; and reads the files that the chosen
// entries name. After that nothing of the kubeconfig is needed any more.

/// What the command line says of the cluster; nil where it says nothing.
package struct ClusterFlags: Sendable {
    package var context: String?
    package var cluster: String?
    package var user: String?
    package var namespace: String?

    package init(
        context: String? = nil,
        cluster: String? = nil,
        user: String? = nil,
        namespace: String? = nil
    ) {
        self.context = context
        self.cluster = cluster
        self.user = user
        self.namespace = namespace
    }
}

/// All that is needed to speak to one API server as one user.
package struct ClusterAccess: Sendable {
    package var server: ServerURL
    /// The name to check the server's certificate against, where it is not the host.
    package var tlsServerName: String?
    package var insecureSkipTLSVerify = false
    /// PEM; nil: what the system trusts.
    package var certificateAuthority: [UInt8]?
    package var identity: ClientIdentity?
    package var credential = Credential.none
    package var namespace = "default"
    /// Empty where no context is in use.
    package var contextName = ""
    /// Sentences for the user: what was left out, and why.
    package var warnings: [String] = []

    package init(server: ServerURL) {
        self.server = server
    }
}

extension ClusterAccess {
    /// Resolves what `loader` finds.
    package init(loading loader: KubeconfigLoader, flags: ClusterFlags) throws(KubeconfigError) {
        let kubeconfig = try loader.load()
        let hasNothing = kubeconfig.isEmpty && flags.context == nil && flags.cluster == nil
        let master = loader.environment["KUBERNETES_MASTER"] ?? ""
        guard !hasNothing else {
            guard !master.isEmpty else { throw .noConfiguration(searched: loader.candidates) }
            self.init(server: try ClusterResolver.server(master, of: "KUBERNETES_MASTER", usesTLS: false))
            namespace = try ClusterResolver.namespace(flags.namespace)
            return
        }
        try self.init(resolving: kubeconfig, flags: flags)
    }

    /// Resolves `kubeconfig`, reading the files that its chosen entries name.
    package init(resolving kubeconfig: Kubeconfig, flags: ClusterFlags) throws(KubeconfigError) {
        self = try ClusterResolver(kubeconfig: kubeconfig, flags: flags).resolve()
    }
}

/// Chooses and checks the entries of a kubeconfig (client-go `tools/clientcmd/{client_config,validation}.go`).
private struct ClusterResolver {
    typealias User = Kubeconfig.Entry<Kubeconfig.User>
    typealias Cluster = Kubeconfig.Entry<Kubeconfig.Cluster>

    let kubeconfig: Kubeconfig
    let flags: ClusterFlags

    func resolve() throws(KubeconfigError) -> ClusterAccess {
        let contextName = flags.context.nonEmpty ?? kubeconfig.currentContext
        let context = kubeconfig.contexts[contextName]?.value
        if !contextName.isEmpty && context == nil { throw .contextNotFound(name: contextName) }

        let clusterName = flags.cluster.nonEmpty ?? context?.cluster ?? ""
        guard !clusterName.isEmpty else { throw .noContextChosen(known: kubeconfig.contexts.keys.sorted()) }
        let isNamedByFlag = flags.cluster.nonEmpty != nil
        guard let cluster = kubeconfig.clusters[clusterName] else {
            throw .clusterNotFound(name: clusterName, context: isNamedByFlag ? nil : contextName)
        }
        let userName = flags.user.nonEmpty ?? context?.user ?? ""
        let user = kubeconfig.users[userName]
        if !userName.isEmpty && user == nil {
            throw .userNotFound(name: userName, context: flags.user.nonEmpty == nil ? contextName : nil)
        }

        var problems: [String] = []
        let files = UserFiles(user, userName, &problems)
        let authority = Self.authorityFile(cluster, clusterName, &problems)
        guard problems.isEmpty else { throw .invalid(problems) }
        return try access(cluster, clusterName, user, userName, files, authority) {
            access throws(KubeconfigError) in
            access.contextName = contextName
            access.namespace = try Self.namespace(flags.namespace.nonEmpty ?? context?.namespace)
        }
    }

    private func access(
        _ cluster: Cluster,
        _ clusterName: String,
        _ user: User?,
        _ userName: String,
        _ files: UserFiles,
        _ authorityFile: [UInt8]?,
        finish: (inout ClusterAccess) throws(KubeconfigError) -> Void
    ) throws(KubeconfigError) -> ClusterAccess {
        let value = cluster.value
        let isInsecure = value.insecureSkipTLSVerify ?? false
        let entry = "cluster \"\(clusterName)\""
        var authority = authorityFile
        if let data = value.certificateAuthorityData.nonEmpty {
            authority = try Self.base64(data, "certificate-authority-data", entry, cluster.file)
        }
        // client-go decides so too where the server has no scheme (rest/url_utils.go, defaultServerUrlFor).
        let usesTLS =
            authority != nil || isInsecure || files.certificate != nil
            || user?.value.clientCertificateData.nonEmpty != nil
        var access = ClusterAccess(
            server: try Self.server(value.server ?? "", of: clusterName, usesTLS: usesTLS)
        )
        access.tlsServerName = value.tlsServerName.nonEmpty
        access.insecureSkipTLSVerify = isInsecure
        access.certificateAuthority = authority
        if value.proxyURL.nonEmpty != nil {
            let advice = "remove proxy-url, or connect through a tunnel of your own"
            throw .unsupported(feature: "a proxy (proxy-url)", entry: entry, advice: advice)
        }
        if let authority {
            guard !isInsecure else {
                throw .invalid(["specifying a root certificates file with the insecure flag is not allowed"])
            }
            guard authority.looksLikePEM else {
                throw .invalid(["unable to load root certificates: unable to parse bytes as PEM block"])
            }
        }
        if let user { try Self.identify(user, userName, files, &access) }
        try finish(&access)
        return access
    }

    /// Fills in who the user is.
    private static func identify(
        _ user: User,
        _ name: String,
        _ files: UserFiles,
        _ access: inout ClusterAccess
    ) throws(KubeconfigError) {
        let entry = "user \"\(name)\""
        let value = user.value
        if value.impersonate.nonEmpty != nil {
            throw .unsupported(feature: "impersonation (as)", entry: entry, advice: "use a user without it")
        }
        let identity = try identity(user, entry, files)
        let credential = try credential(user, entry)
        if identity == nil && credential == .none {
            if let exec = value.exec {
                let command = (exec.command ?? "").escapedForTerminal()
                let advice = "put a token or a client certificate there, for example what \(command) prints"
                throw .unsupported(
                    feature: "a credential plugin (exec: \(command))",
                    entry: entry,
                    advice: advice
                )
            }
            if let provider = value.authProvider {
                let name = (provider.name ?? "").escapedForTerminal()
                let advice = "kubectl dropped these too; ask for a token or a client certificate"
                throw .unsupported(feature: "an auth-provider (\(name))", entry: entry, advice: advice)
            }
        }
        guard access.server.isTLS else {
            // A credential is never sent in the clear (client-go client_config.go, ClientConfig).
            if identity != nil || credential != .none {
                access.warnings.append(
                    "\(access.server) is not encrypted: the credentials of \(entry) are not sent"
                )
            }
            return
        }
        access.identity = identity
        access.credential = credential
    }

    private static func identity(
        _ user: User,
        _ entry: String,
        _ files: UserFiles
    ) throws(KubeconfigError) -> ClientIdentity? {
        var certificate = files.certificate
        var key = files.key
        if let data = user.value.clientCertificateData.nonEmpty {
            certificate = try base64(data, "client-certificate-data", entry, user.file)
        }
        if let data = user.value.clientKeyData?.revealed, !data.isEmpty {
            key = Redacted(try base64(data, "client-key-data", entry, user.file))
        }
        guard let certificate, let key else { return nil }
        guard certificate.looksLikePEM else {
            throw .invalid(["tls: failed to find any PEM data in certificate input (\(entry))"])
        }
        guard key.revealed.looksLikePEM else {
            throw .invalid(["tls: failed to find any PEM data in key input (\(entry))"])
        }
        return ClientIdentity(certificatePEM: certificate, keyPEM: key)
    }

    private static func credential(_ user: User, _ entry: String) throws(KubeconfigError) -> Credential {
        let value = user.value
        // The file wins over the token (client-go client_config.go, getUserIdentificationPartialConfig).
        if let path = value.tokenFile.nonEmpty {
            var file = TokenFile(path: path, entry: entry, definedIn: user.file)
            // The time is a stand-in: this only checks that the file can be read, as kubectl does at its start.
            _ = try file.token(at: Instant(nanoseconds: 0))
            file.forget()
            return .tokenFile(file)
        }
        if let token = value.token, !token.revealed.isEmpty {
            guard token.revealed.isHeaderSafe else {
                throw .unprintable(field: "token", entry: entry, file: user.file)
            }
            return .bearer(token)
        }
        let password = value.password ?? Redacted("")
        guard let username = value.username.nonEmpty else { return .none }
        // A colon would end the name (RFC 7617 §2); control characters are excluded there as well.
        for (field, text) in [("username", username), ("password", password.revealed)]
        where text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
            || (field == "username" && text.contains(":"))
        {
            throw .unprintable(field: field, entry: entry, file: user.file)
        }
        return .basic(username: username, password: password)
    }

    /// Checks a cluster as kubectl does (`validation.go`, validateClusterInfo); the contents of its CA file.
    private static func authorityFile(_ cluster: Cluster, _ name: String, _ problems: inout [String])
        -> [UInt8]?
    {
        let value = cluster.value
        if value.server.nonEmpty == nil { problems.append("no server found for cluster \"\(name)\"") }
        guard let path = value.certificateAuthority.nonEmpty else { return nil }
        if value.certificateAuthorityData.nonEmpty != nil {
            problems.append(
                "certificate-authority-data and certificate-authority are both specified for \(name). "
                    + "certificate-authority-data will override."
            )
        }
        return UserFiles.read(path, "certificate-authority", name, &problems)
    }

    static func server(
        _ text: String,
        of cluster: String,
        usesTLS: Bool
    ) throws(KubeconfigError) -> ServerURL {
        do throws(ServerURLError) {
            return try ServerURL(text, usesTLSByDefault: usesTLS)
        } catch {
            throw .server(cluster: cluster, error)
        }
    }

    static func namespace(_ text: String?) throws(KubeconfigError) -> String {
        guard let name = text.nonEmpty else { return "default" }
        if let problem = PathSegment.problem(of: name) {
            throw .invalid(["invalid namespace \"\(name.escapedForTerminal())\": [\(problem)]"])
        }
        return name
    }

    /// Standard base64 in which line breaks mean nothing (Go encoding/base64).
    private static func base64(
        _ text: String,
        _ field: String,
        _ entry: String,
        _ file: String
    ) throws(KubeconfigError) -> [UInt8] {
        let letters = text.utf8.filter { $0 != 0x0A && $0 != 0x0D }
        guard let data = Data(base64Encoded: Data(letters)) else {
            throw .badBase64(field: field, entry: entry, file: file)
        }
        return [UInt8](data)
    }
}

/// The files that a user entry names, and what is wrong with it (`validation.go`, validateAuthInfo).
private struct UserFiles {
    var certificate: [UInt8]?
    var key: Redacted<[UInt8]>?

    init(_ user: Kubeconfig.Entry<Kubeconfig.User>?, _ name: String, _ problems: inout [String]) {
        guard let value = user?.value else { return }
        let hasToken = value.token.map { !$0.revealed.isEmpty } ?? false
        let hasBasic = value.username.nonEmpty != nil || value.password.map { !$0.revealed.isEmpty } ?? false
        let hasCertificateData = value.clientCertificateData.nonEmpty != nil
        let hasKeyData = value.clientKeyData.map { !$0.revealed.isEmpty } ?? false

        if hasCertificateData || value.clientCertificate.nonEmpty != nil {
            if hasCertificateData && value.clientCertificate.nonEmpty != nil {
                problems.append(
                    "client-cert-data and client-cert are both specified for \(name). "
                        + "client-cert-data will override."
                )
            }
            if hasKeyData && value.clientKey.nonEmpty != nil {
                problems.append(
                    "client-key-data and client-key are both specified for \(name); client-key-data will override"
                )
            }
            if !hasKeyData && value.clientKey.nonEmpty == nil {
                problems.append(
                    "client-key-data or client-key must be specified for \(name) to use the clientCert "
                        + "authentication method."
                )
            }
            certificate = value.clientCertificate.nonEmpty.flatMap { path in
                Self.read(path, "client-cert", name, &problems)
            }
            key = value.clientKey.nonEmpty.flatMap { path in
                Self.read(path, "client-key", name, &problems).map(Redacted.init)
            }
        } else if hasKeyData || value.clientKey.nonEmpty != nil {
            // kubectl ignores the key and goes on without it; the user surely meant something else.
            problems.append("client-certificate-data or client-certificate must be specified for \(name)")
        }
        if value.exec != nil && value.authProvider != nil {
            problems.append("authProvider cannot be provided in combination with an exec plugin for \(name)")
        }
        if hasToken && hasBasic {
            problems.append(
                "more than one authentication method found for \(name); found [token basicAuth], "
                    + "only one is allowed"
            )
        }
        let hasDetails =
            value.impersonateUID.nonEmpty != nil || value.impersonateGroups?.isEmpty == false
            || value.impersonateExtra?.isEmpty == false
        if hasDetails && value.impersonate.nonEmpty == nil {
            problems.append(
                "requesting uid, groups or user-extra for \(name) without impersonating a user"
            )
        }
    }

    static func read(_ path: String, _ field: String, _ name: String, _ problems: inout [String]) -> [UInt8]?
    {
        do throws(FileProblem) {
            return try BoundedFile.read(path)
        } catch {
            problems.append("unable to read \(field) \(path) for \(name) due to \(error)")
            return nil
        }
    }
}

extension String? {
    /// The text, unless there is none: an empty field in a kubeconfig is an absent one.
    fileprivate var nonEmpty: String? {
        guard let self, !self.isEmpty else { return nil }
        return self
    }
}

extension [UInt8] {
    /// Whether a PEM block may be in here (RFC 7468 §2); reading it is for the TLS layer.
    fileprivate var looksLikePEM: Bool {
        self.firstRange(of: Array("-----BEGIN ".utf8)) != nil
    }
}

// What the chosen entries of a kubeconfig say, checked as kubectl does (client-go `tools/clientcmd/validation.go`).
// Making one of these reads the files that the entry names and collects what is wrong; the texts are kubectl's.

/// A cluster entry whose files are read.
struct ClusterEntry {
    private let entry: Kubeconfig.Entry<Kubeconfig.Cluster>
    private let authorityFile: [UInt8]?

    init(_ entry: Kubeconfig.Entry<Kubeconfig.Cluster>, problems: inout [String]) {
        self.entry = entry
        let value = entry.value
        if value.server.nonEmpty == nil {
            problems.append(
                entry.name.isEmpty
                    ? "default cluster has no server defined"
                    : "no server found for cluster \"\(entry.name)\""
            )
        }
        if let url = value.proxyURL.nonEmpty {
            do throws(ProxyURLError) {
                _ = try ProxyURL.parse(url)
            } catch {
                problems.append("invalid 'proxy-url' for cluster \"\(entry.name)\": \(error)")
            }
        }
        if value.certificateAuthority.nonEmpty != nil && value.certificateAuthorityData.nonEmpty != nil {
            problems.append(
                "certificate-authority-data and certificate-authority are both specified for \(entry.name). "
                    + "certificate-authority-data will override."
            )
        }
        authorityFile = entry.read(value.certificateAuthority, "certificate-authority", &problems)
    }

    /// The certificates to trust; nil where the system's are.
    func authority() throws(KubeconfigError) -> [UInt8]? {
        let data = entry.value.certificateAuthorityData
        let field = "certificate-authority-data"
        guard let authority = try entry.decodeBase64(data, field, kind: "cluster") ?? authorityFile else {
            return nil
        }
        guard !(entry.value.insecureSkipTLSVerify ?? false) else {
            throw .invalid(["specifying a root certificates file with the insecure flag is not allowed"])
        }
        guard authority.looksLikePEM else {
            throw .invalid(["unable to load root certificates: unable to parse bytes as PEM block"])
        }
        return authority
    }

    /// What the kubeconfig says of a proxy, which the environment cannot override; checked already.
    var proxy: UpstreamProxy? { entry.value.proxyURL.nonEmpty.flatMap { try? ProxyURL.parse($0) } }

    /// What a plugin learns of the cluster.
    func execCluster(authority: [UInt8]?) -> ExecPlugin.Cluster {
        let value = entry.value
        let config = value.extensions?.first { $0.name == ExecPlugin.extensionName }?.extension
        return ExecPlugin.Cluster(
            server: value.server ?? "",
            tlsServerName: value.tlsServerName.nonEmpty,
            insecureSkipTLSVerify: value.insecureSkipTLSVerify ?? false,
            certificateAuthority: authority,
            proxyURL: value.proxyURL.nonEmpty.map(Redacted.init),
            disableCompression: value.disableCompression ?? false,
            config: config
        )
    }
}

/// A user entry whose files are read.
struct UserEntry {
    private let entry: Kubeconfig.Entry<Kubeconfig.User>
    private let certificateFile: [UInt8]?
    private let keyFile: Redacted<[UInt8]>?

    /// For an error text.
    private var label: String { "user \"\(entry.name)\"" }

    init(_ entry: Kubeconfig.Entry<Kubeconfig.User>, problems: inout [String]) {
        self.entry = entry
        let value = entry.value
        let name = entry.name
        let hasCertificate = (value.clientCertificateData.nonEmpty ?? value.clientCertificate.nonEmpty) != nil
        let hasKey = ((value.clientKeyData?.revealed).nonEmpty ?? value.clientKey.nonEmpty) != nil
        if value.clientCertificateData.nonEmpty != nil && value.clientCertificate.nonEmpty != nil {
            problems.append(
                "client-cert-data and client-cert are both specified for \(name). client-cert-data will override."
            )
        }
        if (value.clientKeyData?.revealed).nonEmpty != nil && value.clientKey.nonEmpty != nil {
            problems.append(
                "client-key-data and client-key are both specified for \(name); client-key-data will override"
            )
        }
        if hasCertificate && !hasKey {
            problems.append(
                "client-key-data or client-key must be specified for \(name) to use the clientCert "
                    + "authentication method."
            )
        }
        if hasKey && !hasCertificate {
            // kubectl ignores the key and goes on without it; the user surely meant something else.
            problems.append("client-certificate-data or client-certificate must be specified for \(name)")
        }
        certificateFile = entry.read(value.clientCertificate, "client-cert", &problems)
        keyFile = entry.read(value.clientKey, "client-key", &problems).map(Redacted.init)
        if value.exec != nil && value.authProvider != nil {
            problems.append("authProvider cannot be provided in combination with an exec plugin for \(name)")
        }
        if let exec = value.exec { problems += ExecPlugin.problems(of: exec, user: name) }
        let hasBasic = (value.username.nonEmpty ?? (value.password?.revealed).nonEmpty) != nil
        if (value.token?.revealed).nonEmpty != nil && hasBasic {
            problems.append(
                "more than one authentication method found for \(name); found [token basicAuth], "
                    + "only one is allowed"
            )
        }
        let hasDetails =
            value.impersonateUID.nonEmpty != nil || value.impersonateGroups?.isEmpty == false
            || value.impersonateExtra?.isEmpty == false
        if hasDetails && value.impersonate.nonEmpty == nil {
            problems.append("requesting uid, groups or user-extra for \(name) without impersonating a user")
        }
    }

    /// The certificate to show; nil where there is none.
    func identity() throws(KubeconfigError) -> ClientIdentity? {
        let value = entry.value
        let certificateData = try entry.decodeBase64(
            value.clientCertificateData,
            "client-certificate-data",
            kind: "user"
        )
        let keyData = try entry.decodeBase64(value.clientKeyData?.revealed, "client-key-data", kind: "user")
        guard let certificate = certificateData ?? certificateFile, let key = keyData ?? keyFile?.revealed
        else {
            return nil
        }
        for (part, bytes) in [("certificate", certificate), ("key", key)] where !bytes.looksLikePEM {
            throw .invalid(["tls: failed to find any PEM data in \(part) input (\(label))"])
        }
        // Go's words (crypto/tls, X509KeyPair).
        guard certificate.holdsCertificate || !certificate.holdsPrivateKey else {
            throw .invalid([
                "tls: failed to find certificate PEM data in certificate input, but did find a private key; "
                    + "PEM inputs may have been switched (\(label))"
            ])
        }
        return ClientIdentity(certificatePEM: certificate, keyPEM: Redacted(key))
    }

    /// What goes into the requests' heads.
    func credential() throws(KubeconfigError) -> Credential {
        let value = entry.value
        // The file wins over the token while it can be read (transport/round_trippers.go, bearerAuthRoundTripper).
        if let path = value.tokenFile.nonEmpty {
            // kubectl reads it at its start, too; that text is not kept.
            let token = value.token.flatMap { $0.revealed.isEmpty || !$0.revealed.isHeaderSafe ? nil : $0 }
            var file = TokenFile(path: path, entry: label, definedIn: entry.file, fallback: token)
            _ = try file.token(at: Instant(nanoseconds: 0))
            file.forget()
            return .tokenFile(file)
        }
        if let token = value.token, !token.revealed.isEmpty {
            guard token.revealed.isHeaderSafe else { throw unprintable("token") }
            return .bearer(token)
        }
        guard let username = value.username.nonEmpty else { return .none }
        let password = value.password ?? Redacted("")
        // RFC 7617 §2: no control characters; a colon would end the name.
        guard !username.contains(":") else {
            throw .invalid(["username of \(label) holds a colon, which basic authentication cannot send"])
        }
        guard !username.hasControlCharacters else { throw unprintable("username") }
        guard !password.revealed.hasControlCharacters else { throw unprintable("password") }
        return .basic(username: username, password: password)
    }

    /// The plugin that gives the credential; nil where there is none.
    func plugin(
        _ cluster: ExecPlugin.Cluster,
        policy: PluginPolicy
    ) throws(KubeconfigError) -> ExecPlugin? {
        guard let exec = entry.value.exec else { return nil }
        do throws(ExecPluginError) {
            return try ExecPlugin(exec, cluster: cluster, policy: policy)
        } catch {
            throw .execPlugin(error)
        }
    }

    /// Whom the user speaks for; nil where it is himself.
    func impersonation() throws(KubeconfigError) -> Impersonation? {
        let value = entry.value
        guard let user = value.impersonate.nonEmpty else { return nil }
        let impersonation = Impersonation(
            user: user,
            uid: value.impersonateUID ?? "",
            groups: value.impersonateGroups ?? [],
            extra: value.impersonateExtra ?? [:]
        )
        if let field = impersonation.unprintableField { throw unprintable(field) }
        return impersonation
    }

    /// Refuses a credential helper that no client has any more.
    func refuseAuthProvider() throws(KubeconfigError) {
        guard let provider = entry.value.authProvider else { return }
        throw .unsupported(
            feature: "an auth-provider (\(provider.name ?? ""))",
            entry: label,
            advice:
                "kubectl dropped these too; use the provider's exec plugin, such as \(Self.plugin(for: provider))"
        )
    }

    private static func plugin(for provider: Kubeconfig.AuthProvider) -> String {
        switch provider.name {
        case "gcp": "gke-gcloud-auth-plugin"
        case "azure": "kubelogin"
        case "oidc": "kubectl oidc-login"
        case .some, nil: "the one that its documentation names"
        }
    }

    private func unprintable(_ field: String) -> KubeconfigError {
        .unprintable(field: field, entry: label, file: entry.file)
    }
}

extension Kubeconfig.Entry {
    /// The contents of the file that `field` names; nil where it names none or the file cannot be read.
    fileprivate func read(_ path: String?, _ field: String, _ problems: inout [String]) -> [UInt8]? {
        guard let path = path.nonEmpty else { return nil }
        do throws(FileProblem) {
            return try BoundedFile.read(path)
        } catch {
            problems.append("unable to read \(field) \(path) for \(name) due to \(error)")
            return nil
        }
    }

    /// What the field holds; nil for an empty one.
    fileprivate func decodeBase64(
        _ text: String?,
        _ field: String,
        kind: String
    ) throws(KubeconfigError) -> [UInt8]? {
        guard let text = text.nonEmpty else { return nil }
        do throws(Base64Text.Problem) {
            return try Base64Text.decode(text)
        } catch {
            throw .badBase64(
                field: field,
                entry: "\(kind) \"\(name)\"",
                file: file,
                offset: error.offset
            )
        }
    }
}

extension Kubeconfig {
    /// Refuses a file with data that is no base64, even where nothing uses the entry, as kubectl's decoder does.
    ///
    /// Such a file is most likely cut off, and then other things are missing that nobody would miss.
    func refuseBadBase64() throws(KubeconfigError) {
        for (_, entry) in clusters.sorted(by: { $0.key < $1.key }) {
            let data = entry.value.certificateAuthorityData
            _ = try entry.decodeBase64(data, "certificate-authority-data", kind: "cluster")
        }
        for (_, entry) in users.sorted(by: { $0.key < $1.key }) {
            let user = entry.value
            _ = try entry.decodeBase64(user.clientCertificateData, "client-certificate-data", kind: "user")
            _ = try entry.decodeBase64(user.clientKeyData?.revealed, "client-key-data", kind: "user")
        }
    }
}

extension [UInt8] {
    /// Whether a PEM block may be in here (RFC 7468 §2); reading it is for the TLS layer.
    var looksLikePEM: Bool {
        holds("-----BEGIN ")
    }

    fileprivate var holdsCertificate: Bool {
        holds("-----BEGIN CERTIFICATE-----")
    }

    /// PKCS #8, or the older ones that name the algorithm (`RSA PRIVATE KEY`).
    fileprivate var holdsPrivateKey: Bool {
        holds("PRIVATE KEY-----")
    }
}

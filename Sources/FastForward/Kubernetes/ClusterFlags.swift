/// What the command line says of the cluster; nil or empty where it says nothing.
///
/// The flags are kubectl's (cli-runtime `genericclioptions/config_flags.go`). An empty value says nothing, as
/// there: `--namespace ""` is no namespace.
package struct ClusterFlags: Equatable, Sendable {
    package var context: String?
    package var cluster: String?
    package var user: String?
    package var namespace: String?
    package var server: String?
    package var tlsServerName: String?
    package var insecureSkipTLSVerify = false
    /// A file, relative to the current directory; so are the next two.
    package var certificateAuthority: String?
    package var clientCertificate: String?
    package var clientKey: String?
    package var token: Redacted<String>?
    package var username: String?
    package var password: Redacted<String>?
    /// `--as`.
    package var impersonate: String?
    package var impersonateUID: String?
    package var impersonateGroups: [String] = []
    /// `key=value`, as typed.
    package var impersonateExtra: [String] = []
    /// As typed: seconds, or a Go duration.
    package var requestTimeout: String?

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

    /// `cluster` with what the flags override.
    ///
    /// Source: client-go `tools/clientcmd/client_config.go`, getCluster. `--insecure-skip-tls-verify` and
    /// `--certificate-authority` replace all that the kubeconfig says of trust; `--server` makes its
    /// tls-server-name, which names another server, void.
    func overriding(_ cluster: Kubeconfig.Cluster) -> Kubeconfig.Cluster {
        var cluster = cluster
        if let server = server.nonEmpty { cluster.server = server }
        if insecureSkipTLSVerify || certificateAuthority.nonEmpty != nil {
            cluster.insecureSkipTLSVerify = insecureSkipTLSVerify
            cluster.certificateAuthority = certificateAuthority
            cluster.certificateAuthorityData = nil
        }
        if tlsServerName.nonEmpty != nil || server.nonEmpty != nil { cluster.tlsServerName = tlsServerName }
        return cluster
    }

    /// `user` with what the flags override (getAuthInfo in the same file).
    ///
    /// Groups replace groups; extra values replace those of the same key.
    func overriding(_ user: Kubeconfig.User) -> Kubeconfig.User {
        var user = user
        if let file = clientCertificate.nonEmpty {
            user.clientCertificate = file
            user.clientCertificateData = nil
        }
        if let file = clientKey.nonEmpty {
            user.clientKey = file
            user.clientKeyData = nil
        }
        if let token, !token.revealed.isEmpty { user.token = token }
        if let username = username.nonEmpty { user.username = username }
        if let password, !password.revealed.isEmpty { user.password = password }
        if let impersonate = impersonate.nonEmpty { user.impersonate = impersonate }
        if let uid = impersonateUID.nonEmpty { user.impersonateUID = uid }
        if !impersonateGroups.isEmpty { user.impersonateGroups = impersonateGroups }
        let extra = parsedExtra
        if !extra.isEmpty {
            user.impersonateExtra = (user.impersonateExtra ?? [:]).merging(extra) { _, flag in flag }
        }
        return user
    }

    /// Refuses what no request can carry before it becomes part of an entry of the kubeconfig, which has no fault.
    func refuseUnprintable() throws(KubeconfigError) {
        if let token, !token.revealed.isHeaderSafe {
            throw .unprintableFlag(name: "--token", what: "a line break, a control or a non-ASCII character")
        }
        let values: [(name: String, values: [String])] = [
            ("--as", [impersonate ?? ""]), ("--as-uid", [impersonateUID ?? ""]),
            ("--as-group", impersonateGroups), ("--as-user-extra", Array(parsedExtra.values.joined())),
        ]
        for (name, values) in values where !values.allSatisfy(\.isFieldValue) {
            throw .unprintableFlag(name: name, what: "a control character, or a blank at its end")
        }
        for (name, value) in [("--username", username), ("--password", password?.revealed)]
        where value?.hasControlCharacters == true {
            throw .unprintableFlag(name: name, what: "a control character")
        }
    }

    /// What lacks an equals sign says nothing, as with kubectl.
    private var parsedExtra: [String: [String]] {
        var extra: [String: [String]] = [:]
        for text in impersonateExtra {
            guard let equals = text.firstIndex(of: "=") else { continue }
            extra[String(text[..<equals]), default: []].append(String(text[text.index(after: equals)...]))
        }
        return extra
    }
}

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
    /// Nil: the server is connected to directly.
    package var proxy: UpstreamProxy?
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
            self.init(
                server: try ClusterResolver.server(master, of: "KUBERNETES_MASTER", usesTLSByDefault: false)
            )
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

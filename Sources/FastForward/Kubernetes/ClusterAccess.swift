// Theory of operation: a kubeconfig says many things, the command line overrides some, and one connection needs
// one answer. Resolving chooses the context, its cluster and its user; refuses what kubectl refuses (all
// problems at once, in kubectl's words) and what this version cannot do; and reads the files that the chosen
// entries name. After that nothing of the kubeconfig is needed any more.

/// All that is needed to speak to one API server as one user.
package struct ClusterAccess: Equatable, Sendable {
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
    /// Whom every request speaks for; nil: the user himself.
    package var impersonation: Impersonation?
    /// How long a single request may take; nil: as long as it takes.
    package var requestTimeout: TimeSpan?
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
    /// Has a credential plugin neither ask nor tell anybody anything: one that must ask does not run.
    package mutating func leaveUserAlone() {
        guard case .exec(var cache) = credential else { return }
        cache.leaveAlone()
        credential = .exec(cache)
    }

    /// Resolves what `loader` finds.
    package init(loading loader: KubeconfigLoader, flags: ClusterFlags) throws(KubeconfigError) {
        let kuberc = try Kuberc(loading: loader)
        let kubeconfig = try loader.load()
        let surroundings = ClusterResolver.Surroundings(
            environment: loader.environment,
            inClusterDirectory: loader.inClusterDirectory,
            searched: loader.candidates,
            pluginPolicy: kuberc.pluginPolicy
        )
        self = try ClusterResolver(kubeconfig: kubeconfig, flags: flags, surroundings: surroundings).resolve()
        warnings += kuberc.warnings
    }

    /// Resolves `kubeconfig`, reading the files that its chosen entries name; the environment says nothing.
    package init(resolving kubeconfig: Kubeconfig, flags: ClusterFlags) throws(KubeconfigError) {
        self = try ClusterResolver(kubeconfig: kubeconfig, flags: flags).resolve()
    }
}

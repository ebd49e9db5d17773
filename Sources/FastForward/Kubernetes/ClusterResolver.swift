/// Chooses the context, the cluster and the user, and joins what they say.
///
/// Source: client-go `tools/clientcmd/client_config.go`.
struct ClusterResolver {
    /// What is known besides the kubeconfig and the command line.
    struct Surroundings {
        var environment: [String: String] = [:]
        var inClusterDirectory = InClusterEnvironment.directory
        /// The files that were looked for, for an error text.
        var searched: [String] = []
        var pluginPolicy = PluginPolicy.allowAll
    }

    let kubeconfig: Kubeconfig
    let flags: ClusterFlags
    var surroundings = Surroundings()

    func resolve() throws(KubeconfigError) -> ClusterAccess {
        try flags.refuseUnprintable()
        let inCluster = InClusterEnvironment(
            environment: surroundings.environment,
            directory: surroundings.inClusterDirectory
        )
        let context = try chooseContext()
        let isInCluster = inCluster != nil && context == nil && namesNothing
        let cluster: Kubeconfig.Entry<Kubeconfig.Cluster>
        var user: Kubeconfig.Entry<Kubeconfig.User>
        if let inCluster, isInCluster {
            cluster = entry(flags.overriding(inCluster.cluster))
            user = entry(flags.overriding(inCluster.user))
        } else {
            // kubectl looks for the namespace first, which finds other words for what is missing.
            if flags.namespace.nonEmpty == nil { try refuseUnusable(context) }
            user = try chooseUser(context)
            if flags.context.nonEmpty != nil && context == nil {
                throw .contextDoesNotExist(name: flags.context ?? "")
            }
            cluster = try chooseCluster(context)
        }
        if let token = flags.token, !token.revealed.isEmpty {
            // kubectl 1.32 lets the kubeconfig's token file go before this; the command line has the last word here.
            user.value.tokenFile = nil
        }
        var access = try join(cluster, user)
        access.namespace = try Self.namespace(
            flags.namespace.nonEmpty ?? context?.value.namespace.nonEmpty ?? inCluster?.namespace
        )
        access.contextName = context?.name ?? ""
        return access
    }

    /// What the entries say, checked, with their files read.
    private func join(
        _ cluster: Kubeconfig.Entry<Kubeconfig.Cluster>,
        _ user: Kubeconfig.Entry<Kubeconfig.User>
    ) throws(KubeconfigError) -> ClusterAccess {
        // All problems at once, as kubectl tells them, before anything else can fail.
        var problems: [String] = []
        let userEntry = UserEntry(user, problems: &problems)
        let clusterEntry = ClusterEntry(cluster, problems: &problems)
        guard problems.isEmpty else { throw .invalid(problems) }

        var requestTimeout: TimeSpan?
        if let text = flags.requestTimeout.nonEmpty { requestTimeout = try TimeoutFlag.request(text) }
        let authority = try clusterEntry.authority()
        let identity = try userEntry.identity()
        let isInsecure = cluster.value.insecureSkipTLSVerify ?? false
        // What client-go decides by where the server has no scheme (rest/url_utils.go, defaultServerUrlFor).
        let server = try Self.server(
            cluster.value.server ?? "",
            of: cluster.name,
            usesTLSByDefault: authority != nil || identity != nil || isInsecure
        )
        var access = ClusterAccess(server: server)
        access.tlsServerName = cluster.value.tlsServerName.nonEmpty
        access.insecureSkipTLSVerify = isInsecure
        access.certificateAuthority = authority
        access.impersonation = try userEntry.impersonation()
        access.requestTimeout = requestTimeout
        access.proxy = clusterEntry.proxy
        if access.proxy == nil { access.proxy = try environmentProxy(for: server) }

        var credential = try userEntry.credential()
        if server.isTLS && identity == nil && credential == .none {
            // A plugin is not run where another credential is there (exec.go, UpdateTransportConfig).
            let told = clusterEntry.execCluster(authority: authority)
            if let plugin = try userEntry.plugin(told, policy: surroundings.pluginPolicy) {
                credential = .exec(ExecCredentialCache(plugin: plugin))
            } else {
                try userEntry.refuseAuthProvider()
            }
        }
        if server.isTLS {
            access.identity = identity
            access.credential = credential
        } else if identity != nil || credential != .none {
            // A credential is never sent in the clear (client_config.go, ClientConfig).
            access.warnings.append(
                "\(server) is not encrypted: the credentials of user \"\(user.name)\" are not sent"
            )
        }
        return access
    }

    /// Whether the command line chooses no context, cluster, server or user.
    private var namesNothing: Bool {
        flags.context.nonEmpty == nil && flags.cluster.nonEmpty == nil && flags.server.nonEmpty == nil
            && flags.user.nonEmpty == nil
    }

    private func environmentProxy(for server: ServerURL) throws(KubeconfigError) -> UpstreamProxy? {
        do throws(ProxyURLError) {
            return try ProxyEnvironment(surroundings.environment).proxy(for: server)
        } catch {
            throw .proxy(error, source: server.isTLS ? "HTTPS_PROXY" : "HTTP_PROXY")
        }
    }

    /// nil: none is chosen, or the command line names one that is not there.
    private func chooseContext() throws(KubeconfigError) -> Kubeconfig.Entry<Kubeconfig.Context>? {
        if let name = flags.context.nonEmpty {
            if let context = kubeconfig.contexts[name] { return context }
            guard flags.namespace.nonEmpty != nil else { throw .contextNotFound(name: name) }
            return nil
        }
        let name = kubeconfig.currentContext
        guard !name.isEmpty else { return nil }
        guard let context = kubeconfig.contexts[name] else { throw .contextNotFound(name: name) }
        return context
    }

    /// Refuses an invalid configuration; what the command line names and is missing, counts as empty.
    ///
    /// Source: client_config.go, ConfirmUsable.
    private func refuseUnusable(_ context: Kubeconfig.Entry<Kubeconfig.Context>?) throws(KubeconfigError) {
        var problems: [String] = []
        if let name = flags.user.nonEmpty, kubeconfig.users[name] == nil {
            _ = UserEntry(entry(Kubeconfig.User(), named: name), problems: &problems)
        } else {
            _ = UserEntry(try chooseUser(context), problems: &problems)
        }
        if let name = flags.cluster.nonEmpty, kubeconfig.clusters[name] == nil {
            _ = ClusterEntry(entry(Kubeconfig.Cluster(), named: name), problems: &problems)
        } else {
            _ = ClusterEntry(try chooseCluster(context), problems: &problems)
        }
        guard problems.isEmpty else { throw .invalid(problems) }
    }

    private func chooseCluster(
        _ context: Kubeconfig.Entry<Kubeconfig.Context>?
    ) throws(KubeconfigError) -> Kubeconfig.Entry<Kubeconfig.Cluster> {
        let master = surroundings.environment["KUBERNETES_MASTER"].nonEmpty
        var chosen: Kubeconfig.Entry<Kubeconfig.Cluster>
        if let name = flags.cluster.nonEmpty {
            guard let cluster = kubeconfig.clusters[name] else {
                throw .clusterNotFound(name: name, context: nil)
            }
            chosen = cluster
        } else if let name = context?.value.cluster, let cluster = kubeconfig.clusters[name] {
            chosen = cluster
        } else {
            // kubectl goes to localhost:8080 where nothing names a server; the user surely meant something else.
            guard flags.server.nonEmpty != nil || master != nil else {
                if let context {
                    throw .clusterNotFound(name: context.value.cluster ?? "", context: context.name)
                }
                guard !kubeconfig.isEmpty else { throw .noConfiguration(searched: surroundings.searched) }
                throw .noContextChosen(known: kubeconfig.contexts.keys.sorted())
            }
            chosen = entry(Kubeconfig.Cluster(), named: context?.value.cluster ?? "")
        }
        chosen.value = flags.overriding(chosen.value)
        if chosen.value.server.nonEmpty == nil { chosen.value.server = master }
        return chosen
    }

    /// An empty entry: nothing names a user, and the request goes out anonymously.
    private func chooseUser(
        _ context: Kubeconfig.Entry<Kubeconfig.Context>?
    ) throws(KubeconfigError) -> Kubeconfig.Entry<Kubeconfig.User> {
        var chosen = entry(Kubeconfig.User())
        if let name = flags.user.nonEmpty {
            guard let user = kubeconfig.users[name] else { throw .userNotFound(name: name, context: nil) }
            chosen = user
        } else if let context, let name = context.value.user.nonEmpty {
            guard let user = kubeconfig.users[name] else {
                throw .userNotFound(name: name, context: context.name)
            }
            chosen = user
        }
        chosen.value = flags.overriding(chosen.value)
        return chosen
    }

    private func entry<Value>(_ value: Value, named name: String = "") -> Kubeconfig.Entry<Value> {
        Kubeconfig.Entry(name: name, value: value, file: "the command line")
    }

    static func server(
        _ text: String,
        of cluster: String,
        usesTLSByDefault: Bool
    ) throws(KubeconfigError) -> ServerURL {
        do throws(ServerURLError) {
            return try ServerURL(text, usesTLSByDefault: usesTLSByDefault)
        } catch {
            throw .server(cluster: cluster, error)
        }
    }

    static func namespace(_ text: String?) throws(KubeconfigError) -> String {
        guard let name = text.nonEmpty else { return "default" }
        if let problem = PathSegment.problem(of: name) {
            throw .invalid(["invalid namespace \"\(name)\": [\(problem)]"])
        }
        return name
    }
}

extension String? {
    /// The text, unless there is none: an empty field in a kubeconfig is an absent one.
    var nonEmpty: String? {
        guard let self, !self.isEmpty else { return nil }
        return self
    }
}

/// Chooses the context, the cluster and the user, and joins what they say.
///
/// Source: client-go `tools/clientcmd/client_config.go`.
struct ClusterResolver {
    let kubeconfig: Kubeconfig
    let flags: ClusterFlags

    func resolve() throws(KubeconfigError) -> ClusterAccess {
        let context = try chooseContext()
        let cluster = try chooseCluster(context)
        let user = try chooseUser(context)

        // All problems at once, as kubectl tells them, before anything else can fail.
        var problems: [String] = []
        let userEntry = user.map { UserEntry($0, problems: &problems) }
        let clusterEntry = ClusterEntry(cluster, problems: &problems)
        guard problems.isEmpty else { throw .invalid(problems) }

        let authority = try clusterEntry.authority()
        let identity = try userEntry?.identity()
        let isInsecure = cluster.value.insecureSkipTLSVerify ?? false
        // What client-go decides by where the server has no scheme (rest/url_utils.go, defaultServerUrlFor).
        let server = try Self.server(
            cluster.value.server ?? "",
            of: cluster.name,
            usesTLSByDefault: authority != nil || identity != nil || isInsecure
        )
        let proxy = try clusterEntry.proxy()
        let credential = try userEntry?.credential() ?? .none
        try userEntry?.refuseUnsupported(hasCredential: identity != nil || credential != .none)

        var access = ClusterAccess(server: server)
        access.tlsServerName = cluster.value.tlsServerName.nonEmpty
        access.insecureSkipTLSVerify = isInsecure
        access.proxy = proxy
        access.certificateAuthority = authority
        if server.isTLS {
            access.identity = identity
            access.credential = credential
        } else if let user, identity != nil || credential != .none {
            // A credential is never sent in the clear (client_config.go, ClientConfig).
            access.warnings.append(
                "\(server) is not encrypted: the credentials of user \"\(user.name)\" are not sent"
            )
        }
        access.namespace = try Self.namespace(flags.namespace.nonEmpty ?? context?.value.namespace)
        access.contextName = context?.name ?? ""
        return access
    }

    private func chooseContext() throws(KubeconfigError) -> Kubeconfig.Entry<Kubeconfig.Context>? {
        let name = flags.context.nonEmpty ?? kubeconfig.currentContext
        guard !name.isEmpty else { return nil }
        guard let context = kubeconfig.contexts[name] else { throw .contextNotFound(name: name) }
        return context
    }

    private func chooseCluster(
        _ context: Kubeconfig.Entry<Kubeconfig.Context>?
    ) throws(KubeconfigError) -> Kubeconfig.Entry<Kubeconfig.Cluster> {
        if let name = flags.cluster.nonEmpty {
            guard let cluster = kubeconfig.clusters[name] else {
                throw .clusterNotFound(name: name, context: nil)
            }
            return cluster
        }
        guard let context else { throw .noContextChosen(known: kubeconfig.contexts.keys.sorted()) }
        let name = context.value.cluster ?? ""
        guard let cluster = kubeconfig.clusters[name] else {
            throw .clusterNotFound(name: name, context: context.name)
        }
        return cluster
    }

    /// nil: the context names no user, and the request goes out anonymously.
    private func chooseUser(
        _ context: Kubeconfig.Entry<Kubeconfig.Context>?
    ) throws(KubeconfigError) -> Kubeconfig.Entry<Kubeconfig.User>? {
        if let name = flags.user.nonEmpty {
            guard let user = kubeconfig.users[name] else { throw .userNotFound(name: name, context: nil) }
            return user
        }
        guard let context, let name = context.value.user.nonEmpty else { return nil }
        guard let user = kubeconfig.users[name] else {
            throw .userNotFound(name: name, context: context.name)
        }
        return user
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

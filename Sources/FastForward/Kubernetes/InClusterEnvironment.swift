#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

/// What a pod knows of its own cluster: two variables, and the files of its service account.
///
/// Source: client-go `rest/config.go` (InClusterConfig), `tools/clientcmd/client_config.go`
/// (inClusterClientConfig).
package struct InClusterEnvironment: Equatable, Sendable {
    /// Where the kubelet mounts them.
    package static let directory = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// Holds `token`, `ca.crt` and `namespace`.
    let directory: String
    let host: String
    let port: String
    private let podNamespace: String?

    /// nil where this is no pod: a variable is not set, or the token's file is not there.
    package init?(environment: [String: String], directory: String = InClusterEnvironment.directory) {
        guard let host = environment["KUBERNETES_SERVICE_HOST"].nonEmpty,
            let port = environment["KUBERNETES_SERVICE_PORT"].nonEmpty
        else { return nil }
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: directory + "/token", isDirectory: &isDirectory),
            !isDirectory
        else { return nil }
        self.directory = directory
        self.host = host
        self.port = port
        podNamespace = environment["POD_NAMESPACE"]
    }

    var tokenFile: String { directory + "/token" }
    var certificateAuthority: String { directory + "/ca.crt" }

    /// `https://host:port`.
    var server: String { "https://" + (host.contains(":") ? "[\(host)]" : host) + ":" + port }

    /// The pod's namespace, as the variable or the file says; nil where neither does.
    var namespace: String? {
        if let name = podNamespace.nonEmpty { return name }
        guard let bytes = try? BoundedFile.read(directory + "/namespace") else { return nil }
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).first.map(
            String.init
        )
    }

    /// The cluster and the user that these make up.
    var cluster: Kubeconfig.Cluster {
        var cluster = Kubeconfig.Cluster()
        cluster.server = server
        // As client-go: without the file, what the system trusts is all there is.
        if (try? BoundedFile.read(certificateAuthority)) != nil {
            cluster.certificateAuthority = certificateAuthority
        }
        return cluster
    }

    var user: Kubeconfig.User {
        var user = Kubeconfig.User()
        user.tokenFile = tokenFile
        return user
    }
}

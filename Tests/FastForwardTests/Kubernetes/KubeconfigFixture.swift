import Foundation

@testable import FastForward

/// A directory with files of a test, removed with it.
final class TemporaryDirectory {
    let path: String

    init(_ files: [String: String] = [:]) throws {
        path = NSTemporaryDirectory() + "ffwd-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, text) in files { try write(text, to: name) }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ text: String, to name: String) throws {
        let url = URL(filePath: path + "/" + name)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: url)
    }
}

/// A kubeconfig with the parts in braces put in.
func kubeconfigText(
    cluster: String = "server: \"https://127.0.0.1:6443\"",
    user: String = "token: t0ken",
    context: String = "cluster: c, user: u",
    currentContext: String = "x"
) -> String {
    """
    apiVersion: v1
    kind: Config
    clusters: [{name: c, cluster: {\(cluster)}}]
    users: [{name: u, user: {\(user)}}]
    contexts: [{name: x, context: {\(context)}}]
    current-context: \(currentContext)
    """
}

extension ClusterAccess {
    /// Resolves the text of a kubeconfig that lies at `/home/me/config`, or in `directory`.
    static func resolving(
        _ text: String,
        in directory: String = "/home/me",
        flags: ClusterFlags = ClusterFlags()
    ) throws(KubeconfigError) -> ClusterAccess {
        let kubeconfig = try Kubeconfig(parsing: Array(text.utf8), file: directory + "/config")
        return try ClusterAccess(resolving: kubeconfig, flags: flags)
    }
}

extension Credential {
    /// The `Authorization` header that a request at `now` has; nil also where a plugin would have to run first.
    mutating func authorization(at now: Instant) throws(KubeconfigError) -> Redacted<String>? {
        guard case .use(let issued) = try request(at: now, wallTime: UnixTime(seconds: 0)) else { return nil }
        return issued.authorization
    }
}

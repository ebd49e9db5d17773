import Foundation

/// A credential plugin of a scenario's cluster: a shell script, and the kubeconfig that names it.
struct Plugin {
    /// Counts itself, then prints the cluster's own credential of the moment.
    static let cluster = "echo run >> DIRECTORY/runs\ncat DIRECTORY/credential.json"

    private let directory: URL
    let path: String
    let kubeconfig: String

    /// Writes both.
    ///
    /// - Parameters:
    ///   - body: of the script, where `DIRECTORY` is the scenario's.
    ///   - command: what the kubeconfig names; nil: the script.
    ///   - more: further lines of the kubeconfig's `exec`.
    ///   - cluster: further lines of its cluster.
    init(
        _ body: String = Plugin.cluster,
        in scenario: Scenario,
        command: String? = nil,
        mode: Int = 0o755,
        interactiveMode: String = "Never",
        more: [String] = [],
        cluster: [String] = []
    ) throws {
        directory = scenario.directory
        let text = body.replacing("DIRECTORY", with: directory.path)
        path = try scenario.file("plugin", "#!/bin/sh\n\(text)\n")
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        let lines =
            [
                "exec:", "  command: \"\(command ?? path)\"", "  apiVersion: client.authentication.k8s.io/v1",
                "  interactiveMode: \(interactiveMode)",
            ] + more.map { "  " + $0 }
        let user = try Self.kubeconfig(of: scenario, user: lines, cluster: cluster)
        kubeconfig = try scenario.file("kubeconfig-exec", user)
    }

    /// The cluster's kubeconfig with other lines for the user.
    static func kubeconfig(
        of scenario: Scenario,
        user lines: [String],
        cluster: [String] = []
    ) throws -> String {
        let text = try String(contentsOfFile: scenario.cluster.tokenKubeconfig, encoding: .utf8)
        let user = lines.map { "    \($0)\n" }.joined()
        let more = cluster.map { "    \($0)\n" }.joined()
        return text.replacing(/\ {4}token: .*\n/, with: user).replacing(
            "    server:",
            with: more + "    server:"
        )
    }

    /// How often ``cluster`` has run.
    var runCount: Int {
        let runs = try? String(contentsOf: directory.appendingPathComponent("runs"), encoding: .utf8)
        return (runs ?? "").split(separator: "\n").count
    }
}

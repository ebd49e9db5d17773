import FastForward

/// As what this program was called: the name that it was started by decides.
///
/// kubectl finds its plugins by their file names (kubectl `pkg/cmd/plugin/plugin.go`): `kubectl-ffwd` is `kubectl
/// ffwd`, and `kubectl_complete-ffwd` is asked for completions of it. A dash of the file name stands for a space of the
/// command, an underscore for a dash.
struct Invocation: Equatable {
    /// What the user types for this command, such as `ffwd` or `kubectl ffwd`.
    var command = "ffwd"
    /// Whether kubectl asks for completions.
    var completesForKubectl = false

    private static let pluginPrefix = "kubectl-"
    private static let completionPrefix = "kubectl_complete-"

    /// How this process was called.
    static let current = Invocation(program: CommandLine.arguments.first ?? "ffwd")

    /// Reads the name or path that a process was started by.
    init(program: String) {
        let name = program.split(separator: "/").last.map(String.init) ?? program
        if name.hasPrefix(Self.completionPrefix) {
            command = Self.kubectlCommand(name.dropFirst(Self.completionPrefix.count))
            completesForKubectl = true
        } else if name.hasPrefix(Self.pluginPrefix) {
            command = Self.kubectlCommand(name.dropFirst(Self.pluginPrefix.count))
        }
    }

    private static func kubectlCommand(_ fileName: Substring) -> String {
        let words = fileName.split(separator: "-").map { $0.split(separator: "_").joined(separator: "-") }
        return (["kubectl"] + words).joined(separator: " ")
    }
}

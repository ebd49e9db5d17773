/// Which credential plugins a user lets run: what a kubeconfig from elsewhere cannot decide.
///
/// Source: client-go `plugin/pkg/client/auth/exec/exec.go` since 1.35, KEP 3104.
package struct PluginPolicy: Equatable, Sendable {
    /// Everything runs where nothing is said.
    static let allowAll = PluginPolicy(name: "", allowlist: nil)

    /// `AllowAll`, `DenyAll`, `Allowlist`, or empty for the first.
    let name: String
    /// Programs by name or path; nil where none is given, which is not the same as an empty one.
    let allowlist: [String]?

    /// Refuses a policy that contradicts itself: a misspelt field must not let everything run.
    func validate() throws(ExecPluginError) {
        switch name {
        case "", "AllowAll", "DenyAll":
            guard allowlist == nil else {
                throw .badPolicy(
                    "misconfigured credential plugin allowlist: plugin policy is \"\(name)\" but allowlist is non-nil"
                )
            }
        case "Allowlist":
            guard let allowlist else {
                throw .badPolicy(
                    "credential plugin policy set to \"Allowlist\", but allowlist is unspecified"
                )
            }
            guard !allowlist.isEmpty else {
                throw .badPolicy(
                    "credential plugin policy set to \"Allowlist\", but allowlist is empty; "
                        + "use \"DenyAll\" policy instead"
                )
            }
            for (index, entry) in allowlist.enumerated() {
                guard !entry.isEmpty else {
                    throw .badPolicy(
                        "misconfigured credential plugin allowlist: empty allowlist entry #\(index + 1)"
                    )
                }
                let clean = FilePath.clean(entry)
                guard clean == entry else {
                    throw .badPolicy("non-normalized file path: \"\(entry)\" vs \"\(clean)\"")
                }
            }
        case _:
            throw .badPolicy("unknown plugin policy: \"\(name)\"")
        }
    }

    /// Refuses a plugin that must not run.
    ///
    /// - Parameters:
    ///   - program: the file that the command means; nil: there is none.
    ///   - find: says that of the names in the list.
    package func check(
        command: String,
        program: String?,
        find: (String) -> String?
    ) throws(ExecPluginError) {
        guard name != "DenyAll" else { throw .deniedByPolicy(command: FilePath.clean(command)) }
        guard let allowlist else { return }
        if allowlist.contains(FilePath.clean(command)) { return }
        guard let program else { throw .unresolvedForAllowlist(command: command) }
        // A name in the list and a path in the kubeconfig may be the same program.
        guard allowlist.contains(program) || allowlist.contains(where: { find($0) == program }) else {
            throw .notInAllowlist(program: program)
        }
    }
}

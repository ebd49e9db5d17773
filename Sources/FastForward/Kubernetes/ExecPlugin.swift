#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

/// A program that prints a credential, and what it is to be told.
///
/// Only the decisions: what to run, with which variables, and what its output means. Running it is the driver's
/// part. Source: client-go `plugin/pkg/client/auth/exec/exec.go`.
package struct ExecPlugin: Equatable, Sendable {
    package enum InteractiveMode: String, Sendable {
        case never = "Never"
        case ifAvailable = "IfAvailable"
        case always = "Always"
    }

    /// v1alpha1 is refused, as it is by kubectl.
    package enum APIVersion: String, Sendable {
        case v1 = "client.authentication.k8s.io/v1"
        case v1beta1 = "client.authentication.k8s.io/v1beta1"
    }

    package struct Variable: Equatable, Sendable {
        package let name: String
        package let value: Redacted<String>
    }

    /// What the plugin learns of the cluster where `provideClusterInfo` asks for it.
    package struct Cluster: Equatable, Sendable {
        package var server: String
        package var tlsServerName: String?
        package var insecureSkipTLSVerify: Bool
        package var certificateAuthority: [UInt8]?
        package var proxyURL: Redacted<String>?
        package var disableCompression: Bool
        /// The cluster's extension `client.authentication.k8s.io/exec`.
        package var config: JSONValue?
    }

    /// The name of the variable that ``execInfo(isInteractive:)`` goes into.
    package static let infoVariable = "KUBERNETES_EXEC_INFO"
    /// The extension of a cluster that is handed to plugins.
    static let extensionName = "client.authentication.k8s.io/exec"

    /// A name to look up in PATH, or a path.
    package let command: String
    package let arguments: [String]
    /// In addition to the process's own; a later one replaces an earlier one of the same name.
    package let environment: [Variable]
    package let apiVersion: APIVersion
    /// What to tell a user who has not installed the program; one or more lines, control characters removed.
    package let installHint: String
    package let interactiveMode: InteractiveMode
    /// nil: the plugin is not told.
    package let cluster: Cluster?
    /// Whether it may run at all.
    package let policy: PluginPolicy
    /// Whether nobody is to be asked or told anything, as while a shell completes a word.
    package var isUnattended = false

    /// Takes over what the kubeconfig says, which is checked already (``problems(of:user:)``).
    init(
        _ entry: Kubeconfig.ExecPlugin,
        cluster: Cluster?,
        policy: PluginPolicy
    ) throws(ExecPluginError) {
        guard let apiVersion = APIVersion(rawValue: entry.apiVersion ?? "") else {
            throw .invalidAPIVersion(entry.apiVersion ?? "")
        }
        guard let mode = InteractiveMode(rawValue: Self.mode(of: entry)) else {
            throw .unknownMode(Self.mode(of: entry))
        }
        try policy.validate()
        self.policy = policy
        command = entry.command ?? ""
        arguments = entry.args ?? []
        environment = (entry.env ?? []).map { Variable(name: $0.name, value: $0.value ?? Redacted("")) }
        self.apiVersion = apiVersion
        installHint = String(
            String.UnicodeScalarView(
                (entry.installHint ?? "").unicodeScalars.filter { $0 == "\n" || $0.value >= 0x20 }
            )
        )
        interactiveMode = mode
        self.cluster = (entry.provideClusterInfo ?? false) ? cluster : nil
    }

    /// What is wrong with the entry of `user`, in kubectl's words (client-go `tools/clientcmd/validation.go`).
    static func problems(of entry: Kubeconfig.ExecPlugin, user: String) -> [String] {
        var problems: [String] = []
        let purpose = "must be specified for \(user) to use exec authentication plugin"
        if entry.command.nonEmpty == nil { problems.append("command \(purpose)") }
        if entry.apiVersion.nonEmpty == nil { problems.append("apiVersion \(purpose)") }
        if (entry.env ?? []).contains(where: \.name.isEmpty) {
            problems.append("env variable name \(purpose)")
        }
        let mode = mode(of: entry)
        if mode.isEmpty {
            problems.append("interactiveMode \(purpose)")
        } else if InteractiveMode(rawValue: mode) == nil {
            problems.append("invalid interactiveMode for \(user): \"\(mode)\"")
        }
        return problems
    }

    /// The versions before v1 have a default (client-go `tools/clientcmd/api/v1/defaults.go`).
    private static func mode(of entry: Kubeconfig.ExecPlugin) -> String {
        if let mode = entry.interactiveMode.nonEmpty { return mode }
        let hasDefault = ["v1alpha1", "v1beta1"].contains {
            entry.apiVersion == "client.authentication.k8s.io/\($0)"
        }
        return hasDefault ? InteractiveMode.ifAvailable.rawValue : ""
    }

    /// Whether the plugin gets our standard input.
    package func isInteractive(standardInputIsTerminal: Bool) throws(ExecPluginError) -> Bool {
        let isAvailable = standardInputIsTerminal && !isUnattended
        switch interactiveMode {
        case .never: return false
        case .ifAvailable: return isAvailable
        case .always:
            guard isAvailable else { throw .noTerminal }
            return true
        }
    }

    /// The value of ``infoVariable``: an ExecCredential without a status, as JSON.
    package func execInfo(isInteractive: Bool) -> String {
        let info = ExecInfo(
            kind: "ExecCredential",
            apiVersion: apiVersion.rawValue,
            spec: ExecInfo.Spec(
                cluster: cluster.map { cluster in
                    ExecInfo.Cluster(
                        server: cluster.server,
                        tlsServerName: cluster.tlsServerName,
                        insecureSkipTLSVerify: cluster.insecureSkipTLSVerify ? true : nil,
                        certificateAuthorityData: cluster.certificateAuthority.map {
                            Data($0).base64EncodedString()
                        },
                        proxyURL: cluster.proxyURL?.revealed,
                        disableCompression: cluster.disableCompression ? true : nil,
                        config: cluster.config ?? .null
                    )
                },
                interactive: isInteractive
            )
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings, booleans and finite numbers always encode.
        guard let data = try? encoder.encode(info) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}

/// The JSON of ``ExecPlugin/execInfo(isInteractive:)`` (client-go `pkg/apis/clientauthentication/v1/types.go`).
private struct ExecInfo: Encodable {
    struct Spec: Encodable {
        var cluster: Cluster?
        var interactive: Bool
    }

    struct Cluster: Encodable {
        var server: String
        var tlsServerName: String?
        var insecureSkipTLSVerify: Bool?
        var certificateAuthorityData: String?
        var proxyURL: String?
        var disableCompression: Bool?
        var config: JSONValue

        enum CodingKeys: String, CodingKey {
            case server, config
            case tlsServerName = "tls-server-name"
            case insecureSkipTLSVerify = "insecure-skip-tls-verify"
            case certificateAuthorityData = "certificate-authority-data"
            case proxyURL = "proxy-url"
            case disableCompression = "disable-compression"
        }
    }

    var kind: String
    var apiVersion: String
    var spec: Spec
}

/// Why a credential plugin gives no credential; the texts are kubectl's.
package enum ExecPluginError: Error, Equatable, CustomStringConvertible {
    case invalidAPIVersion(String)
    case unknownMode(String)
    /// What the user's kuberc says of plugins contradicts itself.
    case badPolicy(String)
    /// The three cases in which the user's kuberc does not let the plugin run.
    case deniedByPolicy(command: String)
    case notInAllowlist(program: String)
    case unresolvedForAllowlist(command: String)
    /// The plugin must talk to the user, and standard input is no terminal.
    case noTerminal
    case notFound(command: String, installHint: String)
    /// The call that would have started it failed.
    case cannotRun(reason: String)
    /// Negative: a signal ended it.
    case exited(command: String, code: Int32)
    case outputTooLong(bytesMax: Int)
    /// What is wrong with its output; never the output itself.
    case malformed(problem: String)
    case otherVersion(expected: String, found: String)
    case noStatus
    case noCredential
    case half
    /// `certificate` or `key`.
    case noPEM(part: String)
    /// The TLS layer cannot use its certificate and key.
    case unusableIdentity(reason: String)
    case badExpiration
    /// A token that cannot stand in a header.
    case unprintableToken

    package var description: String {
        switch self {
        case .invalidAPIVersion(let version):
            "exec plugin: invalid apiVersion \"\(version.escapedForTerminal())\""
        case .unknownMode(let mode): "unknown interactiveMode: \"\(mode.escapedForTerminal())\""
        case .badPolicy(let problem): problem.escapedForTerminal()
        case .deniedByPolicy(let command):
            "plugin \"\(command.escapedForTerminal())\" not allowed: policy set to \"DenyAll\""
        case .notInAllowlist(let program):
            "plugin path \"\(program.escapedForTerminal())\" is not permitted by the credential plugin allowlist"
        case .unresolvedForAllowlist(let command):
            "plugin path \"\(command.escapedForTerminal())\" cannot be resolved for credential plugin allowlist check: "
                + "executable file not found in $PATH"
        case .noTerminal: "exec plugin cannot support interactive mode: standard input is not a terminal"
        case .notFound(let command, let hint):
            "exec: executable \(command.escapedForTerminal()) not found"
                + (hint.isEmpty ? "" : " (\(hint.escapedForTerminal(upTo: 2_000)))")
        case .cannotRun(let reason): "exec: \(reason)"
        case .exited(let command, let code):
            "exec: executable \(command.escapedForTerminal()) failed with exit code \(code)"
        case .outputTooLong(let most): "decoding stdout: it is longer than \(most) bytes"
        case .malformed(let problem): "decoding stdout: \(problem)"
        case .otherVersion(let expected, let found):
            "exec plugin is configured to use API version \(expected), "
                + "plugin returned version \(found.escapedForTerminal())"
        case .noStatus: "exec plugin didn't return a status field"
        case .noCredential: "exec plugin didn't return a token or cert/key pair"
        case .half: "exec plugin returned only certificate or key, not both"
        case .noPEM(let part):
            "failed parsing client key/certificate: tls: failed to find any PEM data in \(part) input"
        case .unusableIdentity(let reason): "failed parsing client key/certificate: \(reason)"
        case .badExpiration: "decoding stdout: status.expirationTimestamp is no RFC 3339 time"
        case .unprintableToken:
            "exec plugin returned a token with a line break, a control or a non-ASCII character"
        }
    }

    /// What kubectl would print.
    package var terminalText: String {
        let prefix = "Unable to connect to the server: getting credentials: "
        guard case .notFound(let command, let hint) = self else { return prefix + "\(self)" }
        let lines = hint.split(separator: "\n").map { $0.description.escapedForTerminal() }
        return prefix + "exec: executable \(command.escapedForTerminal()) not found\n\n"
            + "It looks like you are trying to use a client-go credential plugin that is not installed.\n\n"
            + "To learn more about this feature, consult the documentation available at:\n"
            + "      https://kubernetes.io/docs/reference/access-authn-authz/authentication/"
            + "#client-go-credential-plugins" + (lines.isEmpty ? "" : "\n\n" + lines.joined(separator: "\n"))
    }
}

/// Why a kubeconfig gives no way to reach a cluster.
///
/// Where kubectl has a text for it, the text is kubectl's, so that scripts which look for it go on working. No
/// case carries a secret.
package enum KubeconfigError: Error, Equatable {
    /// The file of `--kubeconfig` is not there.
    case fileMissing(path: String)
    case fileUnreadable(FileProblem)
    case malformed(file: String, problem: YAMLError)
    /// Several files of `$KUBECONFIG` cannot be read.
    case several([KubeconfigError])
    /// Nothing is configured; `searched` are the files that were looked for.
    case noConfiguration(searched: [String])
    /// The configuration names no current context, and the command line none.
    case noContextChosen(known: [String])
    case contextNotFound(name: String)
    /// The same to kubectl in other words, where the command line names a namespace.
    case contextDoesNotExist(name: String)
    case clusterNotFound(name: String, context: String?)
    case userNotFound(name: String, context: String?)
    /// `--request-timeout`.
    case badTimeout
    case execPlugin(ExecPluginError)
    /// The user's preferences cannot be had, which he has asked for.
    case kuberc(problem: String)
    case proxy(ProxyURLError, source: String)
    /// What kubectl calls an invalid configuration; one text for each problem.
    case invalid([String])
    case server(cluster: String, ServerURLError)
    /// `entry` is `user "x"` or `cluster "x"`.
    case badBase64(field: String, entry: String, file: String, offset: Int)
    /// A value that cannot stand in an HTTP header.
    case unprintable(field: String, entry: String, file: String)
    /// The same of the command line; `name` is the flag.
    case unprintableFlag(name: String, what: String)
    case tokenFile(FileProblem)
    case emptyTokenFile(path: String)
    /// Something that ffwd does not do yet; doing as if it were not there would reach the wrong place.
    case unsupported(feature: String, entry: String, advice: String)
}

extension KubeconfigError: CustomStringConvertible {
    /// One line, without the leading `error: `.
    package var description: String {
        rawText.escapedForTerminal(upTo: 4_000)
    }

    private var rawText: String {
        switch self {
        case .fileMissing(let path): "stat \(path): no such file or directory"
        case .fileUnreadable(let problem):
            "error loading config file \"\(problem.path)\": \(problem)"
        case .malformed(let file, let problem): "error loading config file \"\(file)\": yaml: \(problem)"
        case .several(let errors): errors.map(\.description).joined(separator: "; ")
        case .noConfiguration(let searched):
            "no configuration has been provided, try setting KUBERNETES_MASTER environment variable"
                + (searched.isEmpty ? "" : " (looked for \(searched.joined(separator: ", ")))")
        case .noContextChosen(let known):
            known.isEmpty
                ? "no context is configured (set current-context, or pass --context)"
                : "current-context is not set (choose with --context: \(known.joined(separator: ", ")))"
        case .contextNotFound(let name): "context was not found for specified context: \(name)"
        case .contextDoesNotExist(let name): "context \"\(name)\" does not exist"
        case .clusterNotFound(let name, let context):
            context.map { "cluster \"\(name)\" does not exist (context \"\($0)\" names it)" }
                ?? "cluster \"\(name)\" does not exist"
        case .userNotFound(let name, let context):
            "auth info \"\(name)\" does not exist" + (context.map { " (context \"\($0)\" names it)" } ?? "")
        case .badTimeout:
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a "
                + "corresponding time unit (e.g. 1s | 2m | 3h)"
        case .execPlugin(let error): "\(error)"
        case .kuberc(let problem): "kuberc error \(problem)"
        case .proxy(let error, let source):
            error == .refusedInCGI ? "\(error)" : "invalid proxy address in \(source): \(error)"
        case .invalid(let problems): problems.joined(separator: "; ")
        case .server(_, .notAURL(let text)): "\(ServerURLError.notAURL(text))"
        case .server(let cluster, let error): "cluster \"\(cluster)\": \(error)"
        case .badBase64(let field, let entry, let file, let offset):
            "error loading config file \"\(file)\": illegal base64 data at input byte \(offset) "
                + "(\(field) of \(entry))"
        case .unprintable(let field, let entry, let file):
            "\(field) of \(entry) in \(file) holds a line break, a control or a non-ASCII character"
        case .unprintableFlag(let name, let what):
            "the value of \(name) holds \(what), which no request can carry"
        case .tokenFile(let problem): "\(problem)"
        case .emptyTokenFile(let path): "read empty token from file \"\(path)\""
        case .unsupported(let feature, let entry, let advice):
            "\(entry) uses \(feature), which ffwd does not support yet (\(advice))"
        }
    }

    /// What kubectl would print: with its prefix, and several problems on a line each.
    package var terminalText: String {
        switch self {
        case .contextNotFound: return "Error in configuration: \(self)"
        case .invalid(let problems) where problems.count > 1:
            return "Error in configuration: \n"
                + problems.map { "* \($0.escapedForTerminal())" }.joined(separator: "\n")
        case .several(let errors): return errors.map(\.terminalText).joined(separator: "\n")
        case .execPlugin(.invalidAPIVersion), .execPlugin(.unknownMode), .execPlugin(.badPolicy):
            return "error: \(self)"
        case .proxy(.refusedInCGI, _): return "Unable to connect to the server: \(self)"
        case .execPlugin(let error): return error.terminalText
        case .fileMissing, .fileUnreadable, .malformed, .noConfiguration, .noContextChosen,
            .contextDoesNotExist, .clusterNotFound, .badTimeout, .kuberc, .proxy,
            .userNotFound, .invalid, .server, .badBase64, .unprintable, .unprintableFlag,
            .tokenFile, .emptyTokenFile, .unsupported:
            return "error: \(self)"
        }
    }
}

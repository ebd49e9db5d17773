// Theory of operation: kubectl keeps a user's own preferences apart from the clusters' kubeconfigs, which may come from
// anywhere. Of these only one concerns more than kubectl's command line: which credential plugins may run. That is
// honoured here. Aliases mean nothing to this program; default options of port-forward are told to be left out.

/// A user's preferences for kubectl, as far as they hold here.
///
/// Source: kubectl `pkg/kuberc/kuberc.go` (LoadKuberc, DefaultGetPreferences), `pkg/kuberc/marshal.go`,
/// `pkg/config/v1beta1/types.go`.
struct Kuberc: Equatable {
    private(set) var pluginPolicy = PluginPolicy.allowAll
    /// Sentences for the user.
    private(set) var warnings: [String] = []

    private static let knownFields: Set<String> = [
        "apiVersion", "kind", "defaults", "overrides", "aliases", "credentialPluginPolicy",
        "credentialPluginAllowlist",
    ]

    /// Finds and reads the file.
    ///
    /// `--kuberc` or `$KUBERC` name it, else it is `~/.kube/kuberc`, which need not be there; what is wrong with that
    /// one is a warning only. `KUBERC=off` and `KUBECTL_KUBERC=false` switch all of it off.
    init(loading loader: KubeconfigLoader) throws(KubeconfigError) {
        guard loader.environment["KUBECTL_KUBERC"]?.lowercased() != "false" else { return }
        let variable = loader.environment["KUBERC"].nonEmpty
        let flag = loader.explicitKuberc.nonEmpty
        guard variable != "off" else {
            guard flag == nil else {
                throw .kuberc(
                    problem:
                        "disabling kuberc via KUBERC=off and passing kuberc flag are mutually exclusive"
                )
            }
            return
        }
        if let file = flag ?? variable {
            let path = loader.absolute(file)
            do throws(Problem) { self = try Self.read(path, loader.acceptsPipes) } catch {
                throw .kuberc(problem: "kuberc: \(error.text)")
            }
        } else if let home = loader.environment["HOME"].nonEmpty {
            let path = FilePath.resolve(".kube/kuberc", in: loader.absolute(home))
            do throws(Problem) { self = try Self.read(path, loader.acceptsPipes) } catch {
                if !error.isMissing {
                    warnings = ["kuberc: no preferences loaded from \(path): \(error.text)"]
                }
            }
        }
    }

    private struct Problem: Error {
        let text: String
        var isMissing = false
    }

    private init() {}

    private static func read(_ path: String, _ acceptsPipes: Bool) throws(Problem) -> Kuberc {
        let bytes: [UInt8]
        do throws(FileProblem) { bytes = try BoundedFile.read(path, acceptsPipes: acceptsPipes) } catch {
            throw Problem(text: "\(error)", isMissing: error.isMissing)
        }
        let documents = documents(of: bytes)
        guard !documents.isEmpty else { return Kuberc() }
        for document in documents {
            guard let tree = try? YAMLTreeBuilder.tree(of: document),
                let preference = try? tree.decode(Preference.self), preference.isOurs
            else { continue }
            return Kuberc(preference, tree, path)
        }
        throw Problem(text: "no valid preferences found in \(path)")
    }

    /// The documents of a YAML text that are not blank: the first one that is a preference counts.
    private static func documents(of bytes: [UInt8]) -> [[UInt8]] {
        var documents: [[UInt8]] = [[]]
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            if line.starts(with: "---".utf8) { documents.append([]) }
            documents[documents.count - 1] += line + [UInt8(ascii: "\n")]
        }
        return documents.filter { document in
            document.split(separator: UInt8(ascii: "\n")).contains { line in
                !line.starts(with: "---".utf8) && line.contains { $0 > 0x20 }
            }
        }
    }

    private init(_ preference: Preference, _ tree: YAMLNode, _ path: String) {
        pluginPolicy = PluginPolicy(
            name: preference.credentialPluginPolicy ?? "",
            allowlist: preference.credentialPluginAllowlist.map { entries in
                entries.map { $0.command.nonEmpty ?? $0.name ?? "" }
            }
        )
        if case .mapping(let entries) = tree.value {
            let unknown = entries.map(\.key).filter { !Self.knownFields.contains($0) }
            if !unknown.isEmpty {
                warnings.append(
                    "kuberc: \(path) has fields that are not known: \(unknown.joined(separator: ", "))"
                )
            }
        }
        let defaults = (preference.defaults ?? []) + (preference.overrides ?? [])
        if defaults.contains(where: { $0.command == "port-forward" }) {
            warnings.append("kuberc: the default options for port-forward in \(path) are not used")
        }
    }
}

/// The file, as written: v1alpha1 says `overrides` where v1beta1 says `defaults`.
private struct Preference: Decodable {
    struct Defaults: Decodable {
        var command: String?
    }

    /// The first version of the list had names, the next one commands.
    struct Allowed: Decodable {
        var name: String?
        var command: String?
    }

    var kind: String?
    var apiVersion: String?
    var defaults: [Defaults]?
    var overrides: [Defaults]?
    var credentialPluginPolicy: String?
    var credentialPluginAllowlist: [Allowed]?

    var isOurs: Bool {
        kind == "Preference"
            && ["kubectl.config.k8s.io/v1beta1", "kubectl.config.k8s.io/v1alpha1"].contains(apiVersion)
    }
}

/// A type of objects, as the API server's discovery tells of it.
package struct ResourceType: Hashable, Sendable {
    package let plural: String
    /// Such as `ReplicaSet`.
    package let kind: String
    /// The kind in lower case, as a rule.
    let singular: String
    let shortNames: [String]
    /// Empty: the core group.
    package let group: String
    package let version: String
    let isNamespaced: Bool

    init(
        _ plural: String,
        _ kind: String,
        _ shortNames: [String] = [],
        singular: String? = nil,
        group: String = "",
        version: String = "v1",
        isNamespaced: Bool = true
    ) {
        self.plural = plural
        self.kind = kind
        self.singular = singular.nonEmpty ?? kind.lowercased()
        self.shortNames = shortNames
        self.group = group
        self.version = version
        self.isNamespaced = isNamespaced
    }

    /// For an ``APIFailure/Request``: `services`, `deployments.apps`.
    package var resourceName: String { group.isEmpty ? plural : "\(plural).\(group)" }

    /// How a TYPE means this type.
    enum Match {
        /// By the plural, the singular or the kind, in any case.
        case name
        /// By a short name, which counts only where no type has it for a name.
        case shortName
    }

    /// How `text` means this type; nil: it does not.
    ///
    /// It is NAME, NAME.GROUP (the beginning of a group is enough) or NAME.VERSION.GROUP. With a name, the version and
    /// then the group must be exact, or the group absent; with a short name the version does not matter.
    ///
    /// Source: cli-runtime `resource/builder.go` (mappingFor), apimachinery `api/meta/restmapper.go`
    /// (coerceResourceForMatching), client-go `restmapper/shortcut.go`.
    func match(_ text: Substring) -> Match? {
        let pieces = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        let name = pieces[0].lowercased()
        let isName = name == plural || name == singular || name == kind.lowercased()
        guard isName || shortNames.contains(String(pieces[0])) else { return nil }
        let match = isName ? Match.name : .shortName
        guard pieces.count > 1 else { return match }
        if pieces.count == 3 {
            let isGroup = isName ? pieces[2] == group : group.hasPrefix(pieces[2])
            if pieces[2].isEmpty || isGroup, !isName || pieces[1] == version { return match }
        }
        return group.hasPrefix(text[pieces[1].startIndex...]) ? match : nil
    }

    /// Whether clients that are built with Kubernetes' own types know this one: it is no custom resource.
    ///
    /// Source: client-go `kubernetes/scheme/register.go`.
    var isBuiltIn: Bool { !group.contains(".") || Self.builtInGroups.contains(group) }

    private static let builtInGroups: Set<String> = [
        "admissionregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
        "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
        "flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io",
        "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
        "storagemigration.k8s.io",
    ]
}

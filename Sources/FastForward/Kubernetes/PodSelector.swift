/// Why an object does not say which pods are its own; the texts are kubectl's.
package enum PodSelectorError: Error, Equatable, CustomStringConvertible {
    case unreadable(APIObjectError)
    /// The server has no such type; as it was typed.
    case noSuchType(String)
    /// Objects of this type do not lead to pods.
    case hasNoPods(ResourceType)
    case serviceWithoutSelector(name: String)
    /// What is wrong with the selector.
    case invalid(kind: String, problem: String)

    package var description: String {
        switch self {
        case .unreadable(let error): "\(error)"
        case .noSuchType(let text):
            "the server doesn't have a resource type \"\(String(text.prefix { $0 != "." }).escapedForTerminal())\""
        case .hasNoPods(let type) where type.isBuiltIn:
            "cannot attach to *\(type.goName): selector for *\(type.goName) not implemented"
        case .hasNoPods(let type):
            // kubectl's words for types that it was not built with.
            "no kind \"\(type.kind.escapedForTerminal())\" is registered for version "
                + "\"\(type.group.escapedForTerminal())/\(type.version.escapedForTerminal())\" in scheme "
                + "\"k8s.io/client-go/kubernetes/scheme/register.go:83\""
        case .serviceWithoutSelector(let name):
            "cannot attach to *v1.Service: invalid service '\(name.escapedForTerminal())': "
                + "Service is defined without a selector"
        case .invalid(let kind, let problem):
            "cannot attach to *v1.\(kind): invalid label selector: \(problem.escapedForTerminal())"
        }
    }
}

extension ResourceType {
    /// Such as `v1.ConfigMap`.
    fileprivate var goName: String { "\(version.escapedForTerminal()).\(kind.escapedForTerminal())" }
}

/// Which pods belong to a service, a deployment and the like.
///
/// Source: kubectl `pkg/polymorphichelpers/helpers.go` (SelectorsForObject), apimachinery
/// `apis/meta/v1/helpers.go` (LabelSelectorAsSelector), `labels/selector.go` (String).
package struct PodSelector: Hashable, Sendable {
    /// Where the pods are.
    package let namespace: String
    /// For the query of a list, requirements in the order of their keys.
    ///
    /// Empty: every pod.
    package let labelSelector: String
    /// For the query too; empty: none.
    package let fieldSelector: String

    /// The pod of this name, and those that take its place.
    package init(pod: String, namespace: String) {
        self.namespace = namespace
        labelSelector = ""
        fieldSelector = "metadata.name=\(pod)"
    }

    /// Every pod of a namespace.
    package init(allOf namespace: String) {
        self.namespace = namespace
        labelSelector = ""
        fieldSelector = ""
    }

    /// The pods, or what changes about them.
    package func path(_ query: CollectionQuery, at server: ServerURL) -> APIPath {
        .pods(
            namespace: namespace,
            labelSelector: labelSelector,
            fieldSelector: fieldSelector,
            query,
            at: server
        )
    }

    /// Reads the answer to a GET of an object that is no pod.
    ///
    /// - Parameter namespace: where it was looked for; the object's own word goes first.
    package init(of kind: TargetKind, body: [UInt8], namespace: String) throws(PodSelectorError) {
        precondition(kind != .pod, "a pod needs no selector")
        let object: SelectingObject
        do throws(APIObjectError) {
            object = try APIObjects.decode(SelectingObject.self, from: body)
        } catch {
            throw .unreadable(error)
        }
        let selector: LabelSelector
        switch object.spec?.selector {
        case .labels(let labels): selector = LabelSelector(matchLabels: labels)
        case .selector(let given): selector = given
        case nil: selector = LabelSelector()
        }
        // An empty selector means every pod; the API has no such controllers, and a service means none by it.
        if kind == .service && selector.isEmpty {
            throw .serviceWithoutSelector(name: object.metadata?.name ?? "")
        }
        if object.spec?.selector == nil && kind != .replicationController {
            throw .invalid(kind: kind.kindName, problem: "there is none")
        }
        do throws(LabelSelector.Problem) {
            labelSelector = try selector.query()
            fieldSelector = ""
        } catch {
            throw .invalid(kind: kind.kindName, problem: error.text)
        }
        self.namespace = object.metadata?.namespace.nonEmpty ?? namespace
    }
}

/// An object with a selector, of whichever kind.
private struct SelectingObject: Decodable {
    struct Metadata: Decodable {
        var name: String?
        var namespace: String?
    }

    struct Spec: Decodable {
        var selector: Selector?
    }

    /// Services and replication controllers have plain labels, all others a LabelSelector.
    enum Selector: Decodable {
        case labels([String: String])
        case selector(LabelSelector)

        init(from decoder: any Decoder) throws {
            if let labels = try? [String: String](from: decoder) {
                // `{}` reads as either, and means the same in both.
                self = .labels(labels)
            } else {
                self = .selector(try LabelSelector(from: decoder))
            }
        }
    }

    var metadata: Metadata?
    var spec: Spec?
}

/// Conditions on labels that must all be met (meta/v1 LabelSelector).
struct LabelSelector: Hashable, Sendable, Decodable {
    struct Requirement: Hashable, Sendable, Decodable {
        var key: String
        var `operator`: String
        var values: [String]?
    }

    struct Problem: Error, Equatable {
        let text: String
    }

    var matchLabels: [String: String]?
    var matchExpressions: [Requirement]?

    var isEmpty: Bool { (matchLabels ?? [:]).isEmpty && (matchExpressions ?? []).isEmpty }

    /// As the API's query parameter writes it.
    func query() throws(Problem) -> String {
        var terms: [(key: String, text: String)] = []
        for (key, value) in matchLabels ?? [:] { terms.append((key, "\(key)=\(value)")) }
        terms.sort { $0.key < $1.key }
        for requirement in matchExpressions ?? [] {
            terms.append((requirement.key, try Self.term(requirement)))
        }
        // The sort is stable: of one key, labels go before expressions.
        return terms.sorted { $0.key < $1.key }.map(\.text).joined(separator: ",")
    }

    private static func term(_ requirement: Requirement) throws(Problem) -> String {
        let key = requirement.key
        let values = requirement.values ?? []
        let isSet = requirement.operator == "In" || requirement.operator == "NotIn"
        switch requirement.operator {
        case "In", "NotIn", "Exists", "DoesNotExist": break
        case let other: throw Problem(text: "\"\(other)\" is not a valid label selector operator")
        }
        guard values.isEmpty != isSet else {
            let shown =
                values.isEmpty ? "(nil)" : "{" + values.map { "\"\($0)\"" }.joined(separator: ", ") + "}"
            let rule =
                isSet
                ? "for 'in', 'notin' operators, values set can't be empty"
                : "values set must be empty for exists and does not exist"
            throw Problem(text: "values: Invalid value: []string\(shown): \(rule)")
        }
        let list = Set(values).sorted().joined(separator: ",")
        switch requirement.operator {
        case "In": return "\(key) in (\(list))"
        case "NotIn": return "\(key) notin (\(list))"
        case "Exists": return key
        case _: return "!" + key
        }
    }
}

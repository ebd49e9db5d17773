/// Why a TYPE/NAME argument was refused; the texts are kubectl's where it has one.
package enum TargetArgumentError: Error, Equatable, CustomStringConvertible {
    case manySlashes
    case incomplete
    case badName(String, problem: String)
    case noSuchType(String)
    /// A type of the API that does not lead to pods.
    case hasNoPods(kind: String, version: String)
    /// The target is no pod, where only a pod will do.
    case isNoPod(type: String, name: String)

    package var description: String {
        switch self {
        case .manySlashes: "arguments in resource/name form may not have more than one slash"
        case .incomplete: "arguments in resource/name form must have a single resource and name"
        case .badName(let name, let problem):
            "invalid resource name \"\(name.escapedForTerminal())\": [\(problem)]"
        case .noSuchType(let type): "the server doesn't have a resource type \"\(type.escapedForTerminal())\""
        case .hasNoPods(let kind, let version):
            "cannot attach to *\(version).\(kind): selector for *\(version).\(kind) not implemented"
        case .isNoPod(let type, let name):
            "\(type)/\(name.escapedForTerminal()): ffwd forwards to pods only for now "
                + "(name one of its pods: pod/NAME)"
        }
    }
}

/// What the user wants to reach: `pod/web-0`, `web-0`, `svc/web`, `deployments.apps/web`.
package struct TargetArgument: Hashable, Sendable {
    package let kind: TargetKind
    package let name: String

    /// Parses an argument as kubectl does (cli-runtime `resource/builder.go`, SplitResourceTypeName).
    package init(_ text: String) throws(TargetArgumentError) {
        let pieces = text.split(separator: "/", omittingEmptySubsequences: false)
        guard pieces.count <= 2 else { throw .manySlashes }
        let name = pieces.count == 1 ? text : String(pieces[1])
        let type = pieces.count == 1 ? "pod" : pieces[0]
        guard !name.isEmpty, !type.isEmpty, !type.contains(",") else { throw .incomplete }
        kind = try TargetKind(type)
        if let problem = PathSegment.problem(of: name) { throw .badName(name, problem: problem) }
        self.name = name
    }

    /// The name of the pod meant; throws where the target is of another kind.
    package func podName() throws(TargetArgumentError) -> String {
        guard kind == .pod else { throw .isNoPod(type: kind.type.plural, name: name) }
        return name
    }
}

/// A pod that cannot be forwarded to as it is.
package struct PodNotRunning: Error, Equatable, CustomStringConvertible {
    /// Such as `Pending` or `Succeeded`.
    package let phase: String

    /// Checks `pod`; nil where it runs.
    package init?(_ pod: Pod) {
        guard !pod.isRunning else { return nil }
        phase = pod.status?.phase ?? ""
    }

    package var description: String {
        "unable to forward port because pod is not running. Current status=\(phase.escapedForTerminal())"
    }
}

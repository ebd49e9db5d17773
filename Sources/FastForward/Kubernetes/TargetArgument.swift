/// Why a TYPE/NAME argument was refused; the texts are kubectl's where it has one.
package enum TargetArgumentError: Error, Equatable, CustomStringConvertible {
    case manySlashes
    case incomplete
    case emptyName
    case badName(String, problem: String)

    package var description: String {
        switch self {
        case .manySlashes: "arguments in resource/name form may not have more than one slash"
        case .incomplete: "arguments in resource/name form must have a single resource and name"
        case .emptyName: "resource name may not be empty"
        case .badName(let name, let problem):
            "invalid resource name \"\(name.escapedForTerminal())\": [\(problem)]"
        }
    }
}

/// What the user wants to reach: `pod/web-0`, `web-0`, `svc/web`, `deployments.apps/web`.
package struct TargetArgument: Hashable, Sendable {
    /// nil: the type is none of these; only the server can tell what is wrong with it.
    package let kind: TargetKind?
    /// The type as it was typed.
    package let typeText: String
    package let name: String

    /// Parses an argument as kubectl does (cli-runtime `resource/builder.go`, SplitResourceTypeName).
    package init(_ text: String) throws(TargetArgumentError) {
        let pieces = text.split(separator: "/", omittingEmptySubsequences: false)
        guard pieces.count <= 2 else { throw .manySlashes }
        guard !text.isEmpty else { throw .emptyName }
        let name = pieces.count == 1 ? text : String(pieces[1])
        let type = pieces.count == 1 ? "pod" : pieces[0]
        guard !name.isEmpty, !type.isEmpty, !type.contains(",") else { throw .incomplete }
        if let problem = PathSegment.problem(of: name) { throw .badName(name, problem: problem) }
        kind = TargetKind(type)
        typeText = String(type)
        self.name = name
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

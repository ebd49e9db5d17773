/// The kinds of objects that lead to pods, and so can be forwarded to.
///
/// Source: kubectl `pkg/polymorphichelpers/helpers.go`, SelectorsForObject.
package enum TargetKind: Hashable, Sendable, CaseIterable {
    case pod
    case service
    case replicationController
    case deployment
    case replicaSet
    case statefulSet
    case daemonSet
    case job

    var type: ResourceType {
        switch self {
        case .pod: ResourceType("pods", "Pod", ["po"])
        case .service: ResourceType("services", "Service", ["svc"])
        case .replicationController: ResourceType("replicationcontrollers", "ReplicationController", ["rc"])
        case .deployment: ResourceType("deployments", "Deployment", ["deploy"], group: "apps")
        case .replicaSet: ResourceType("replicasets", "ReplicaSet", ["rs"], group: "apps")
        case .statefulSet: ResourceType("statefulsets", "StatefulSet", ["sts"], group: "apps")
        case .daemonSet: ResourceType("daemonsets", "DaemonSet", ["ds"], group: "apps")
        case .job: ResourceType("jobs", "Job", group: "batch")
        }
    }

    /// Such as `Deployment`.
    package var kindName: String { type.kind }

    /// Such as `deployments`.
    package var pluralName: String { type.plural }

    /// For an ``APIFailure/Request``: `services`, `deployments.apps`.
    package var resourceName: String { type.group.isEmpty ? type.plural : "\(type.plural).\(type.group)" }

    /// Reads the TYPE of a TYPE/NAME argument.
    init(_ text: Substring) throws(TargetArgumentError) {
        if let kind = Self.allCases.first(where: { $0.type.isMeant(by: text) }) {
            self = kind
            return
        }
        if let type = ResourceType.withoutPods.first(where: { $0.isMeant(by: text) }) {
            throw .hasNoPods(kind: type.kind, version: type.version)
        }
        throw .noSuchType(String(text.prefix { $0 != "." }))
    }
}

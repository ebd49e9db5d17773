/// The kinds of objects that lead to pods, and so can be forwarded to.
///
/// kubectl asks the server's discovery for every type. These are eight, all built in and of one version since years,
/// so a table answers for them without a round trip.
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

    package var type: ResourceType {
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
    package var resourceName: String { type.resourceName }

    /// The kind that the TYPE of a TYPE/NAME argument means; nil: none of these.
    init?(_ text: Substring) {
        guard let kind = Self.allCases.first(where: { $0.type.match(text) != nil }) else { return nil }
        self = kind
    }

    /// The kind of a type that discovery found; nil: none of these.
    package init?(_ type: ResourceType) {
        guard
            let kind = Self.allCases.first(where: {
                $0.type.plural == type.plural && $0.type.group == type.group
            })
        else { return nil }
        self = kind
    }
}

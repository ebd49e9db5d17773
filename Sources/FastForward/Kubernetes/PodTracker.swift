/// Keeps account of the pods of a selector.
package typealias PodTracker = ObjectTracker<Pod>

/// A list of pods.
package typealias PodList = ObjectList<Pod>

extension Pod: FollowedObject {
    package static var followedMax: Int { 10_000 }
    package var name: String { metadata.name }
    package var uid: String? { metadata.uid }
    package var resourceVersion: String? { metadata.resourceVersion }
}

/// Why a forward to a pod should move to another one.
package enum PodLoss: Equatable, Sendable {
    /// Deleted, or replaced by another one of the same name.
    case gone
    case terminating
    /// Its containers have ended: `Failed` or `Succeeded`.
    case ended(phase: String)
    /// It is there, but the service does not lead to it any more.
    case withdrawn
}

extension ObjectTracker where Object == Pod {
    /// Why a forward to the pod of this name and identity should move; nil: the pod is there, or nothing is known yet.
    package func loss(of name: String, uid: String?) -> PodLoss? {
        guard hasListed else { return nil }
        guard let pod = byName[name], uid == nil || pod.uid == uid else { return .gone }
        if pod.isBeingDeleted { return .terminating }
        guard let phase = pod.status?.phase, phase == "Failed" || phase == "Succeeded" else { return nil }
        return .ended(phase: phase)
    }
}

extension PodLoss: CustomStringConvertible {
    package var description: String {
        switch self {
        case .gone: "gone"
        case .terminating: "terminating"
        case .ended(let phase): phase.escapedForTerminal()
        case .withdrawn: "not behind the service any more"
        }
    }
}

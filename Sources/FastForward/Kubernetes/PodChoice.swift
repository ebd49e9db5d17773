/// Which of several pods a forward goes to.
///
/// Source: kubectl `pkg/util/podutils/podutils.go` (ActivePods, reversed), `polymorphichelpers/helpers.go`
/// (GetFirstPod). Every pod of the list takes part, whatever its phase: what comes out may not run.
package enum PodChoice {
    /// The best of `pods`, of equals the first; nil where there are none.
    package static func best(of pods: [Pod]) -> Pod? {
        var best: (pod: Pod, rank: PodRank)?
        for pod in pods {
            let rank = PodRank(pod)
            if best.map({ rank.isBetter(than: $0.rank) }) ?? true { best = (pod, rank) }
        }
        return best?.pod
    }

    /// All of `pods`, the best first, equals in their order.
    package static func ranked(_ pods: [Pod]) -> [Pod] {
        pods.map { (pod: $0, rank: PodRank($0)) }.sorted { $0.rank.isBetter(than: $1.rank) }.map(\.pod)
    }
}

/// What pods are compared by, in order of weight.
private struct PodRank {
    private let isAssigned: Bool
    /// Running 2, Unknown 1; everything else is as good as Pending.
    private let phase: Int
    private let isReady: Bool
    private let isBeingDeleted: Bool
    private let deletedAt: UnixTime?
    private let readySince: UnixTime?
    private let restarts: Int
    private let sidecarRestarts: Int
    private let createdAt: UnixTime?

    init(_ pod: Pod) {
        isAssigned = pod.spec?.nodeName.nonEmpty != nil
        switch pod.status?.phase {
        case "Running": phase = 2
        case "Unknown": phase = 1
        case .some, nil: phase = 0
        }
        isReady = pod.isReady
        isBeingDeleted = pod.isBeingDeleted
        deletedAt = Self.time(pod.metadata.deletionTimestamp)
        let condition = pod.status?.conditions?.first { $0.type == "Ready" && $0.status == "True" }
        readySince = Self.time(condition?.lastTransitionTime)
        restarts = (pod.status?.containerStatuses ?? []).map { $0.restartCount ?? 0 }.max() ?? 0
        let sidecars = Set(
            (pod.spec?.initContainers ?? []).filter { $0.restartPolicy == "Always" }.map(\.name)
        )
        sidecarRestarts =
            (pod.status?.initContainerStatuses ?? []).filter { sidecars.contains($0.name) }
            .map { $0.restartCount ?? 0 }.max() ?? 0
        createdAt = Self.time(pod.metadata.creationTimestamp)
    }

    func isBetter(than other: PodRank) -> Bool {
        if isAssigned != other.isAssigned { return isAssigned }
        if phase != other.phase { return phase > other.phase }
        if isReady != other.isReady { return isReady }
        if isBeingDeleted != other.isBeingDeleted { return !isBeingDeleted }
        if let deletedAt, let otherTime = other.deletedAt, deletedAt != otherTime {
            return deletedAt > otherTime
        }
        if isReady, readySince != other.readySince { return Self.isEarlier(readySince, other.readySince) }
        if restarts != other.restarts { return restarts < other.restarts }
        if sidecarRestarts != other.sidecarRestarts { return sidecarRestarts < other.sidecarRestarts }
        return createdAt != other.createdAt && Self.isEarlier(createdAt, other.createdAt)
    }

    /// Whether `time` is known and before `other`, or `other` is not known.
    private static func isEarlier(_ time: UnixTime?, _ other: UnixTime?) -> Bool {
        guard let time else { return false }
        guard let other else { return true }
        return time < other
    }

    private static func time(_ text: String?) -> UnixTime? { text.flatMap { UnixTime(rfc3339: $0) } }
}

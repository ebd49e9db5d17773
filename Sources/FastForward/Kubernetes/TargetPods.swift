/// What is known of a target's pods: which there are, and which of them serve.
///
/// Theory of operation. What a forward needs to know of a pod stands in the pod: its phase, its deletion, which is told
/// there first, its ports, its runtime. An endpoint slice knows one thing better, whether the service leads to a pod
/// (which may be before it is ready, `publishNotReadyAddresses`), and of a service without a selector, which pods are
/// its own at all. So pods are followed in any case, and the slices of a service have the last word on readiness where
/// there are some and the user may read them.
package struct TargetPods: Sendable {
    private let pods: PodTracker
    private let slices: EndpointTracker?
    /// Whether a pod belongs to the target only where a slice names it.
    private let areNamedBySlices: Bool

    /// - Parameter slices: of a service; nil: the target is none, or they may not be read.
    package init(_ pods: PodTracker, slices: EndpointTracker? = nil, areNamedBySlices: Bool = false) {
        self.pods = pods
        self.slices = slices
        self.areNamedBySlices = areNamedBySlices
    }

    /// Why a forward to the pod of this name and identity should move to another one; nil: it should not, or nothing is
    /// known yet.
    package func loss(of name: String, uid: String?) -> PodLoss? {
        if let loss = pods.loss(of: name, uid: uid) { return loss }
        guard areNamedBySlices, let slices, slices.hasListed, let pod = pods.byName[name],
            slices.readiness.isReady(pod) == nil
        else { return nil }
        return .withdrawn
    }

    /// The pods that new connections should go to, the best first, in kubectl's order.
    package var serving: [Pod] {
        let readiness = readiness
        // A service that nobody keeps slices for has none at all, not even an empty one.
        let isKept = !(slices?.byName.isEmpty ?? true)
        return PodChoice.ranked(
            pods.objects.filter { pod in
                guard pod.isRunning, !pod.isBeingDeleted else { return false }
                guard let readiness, isKept || areNamedBySlices else {
                    return !areNamedBySlices && pod.isReady
                }
                return readiness.isReady(pod) ?? false
            }
        )
    }

    /// The pods that can be forwarded to, ready or not, the best first, in kubectl's order.
    package var running: [Pod] {
        let readiness = readiness
        return PodChoice.ranked(
            pods.objects.filter { pod in
                guard pod.isRunning, !pod.isBeingDeleted else { return false }
                return !areNamedBySlices || readiness?.isReady(pod) != nil
            }
        )
    }

    /// What the slices say; nil: nothing yet.
    private var readiness: EndpointReadiness? { slices.flatMap { $0.hasListed ? $0.readiness : nil } }
}

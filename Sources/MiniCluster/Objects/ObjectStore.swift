/// All objects of the cluster, and what changed lately.
///
/// Theory of operation. Services, workloads and the like are made once, of the inventory. Pods change, and are
/// rendered anew whenever they are asked for; so are the endpoint slices, which follow from services and pods. Each
/// change gets the next resource version and is kept for a while, so that a watch that begins where a list ended
/// misses nothing.
final class ObjectStore {
    /// How many changes are kept; a watch from before them is told that it is too late.
    private static let changesMax = 1024

    private(set) var pods: [Pod] = []
    private(set) var resourceVersion = 1000
    private let services: [ServiceDeclaration]
    private let fixed: [APIObject]
    private var changes: [APIChange] = []
    /// What came before it is forgotten.
    private var oldestVersion = 0
    /// Is told of every change.
    var whenChanged: (APIChange) -> Void = { _ in }

    init(_ inventory: Inventory) {
        services = inventory.services
        fixed =
            inventory.services.map { ServiceObject.object(of: $0) }
            + inventory.workloads.map { WorkloadObject.object(of: $0) }
            + inventory.plain.map { PlainObject.object(of: $0) }
    }

    // MARK: Pods

    func pod(named name: String, in namespace: String) -> Pod? {
        pods.first { $0.name == name && $0.namespace == namespace }
    }

    func add(_ pod: Pod) {
        pods.append(pod)
        record(.added, pod)
    }

    func remove(_ pod: Pod) {
        pods.removeAll { $0 === pod }
        record(.deleted, pod)
    }

    /// The pod has changed.
    func update(_ pod: Pod) { record(.modified, pod) }

    private func record(_ kind: APIChange.Kind, _ pod: Pod) {
        resourceVersion += 1
        pod.resourceVersion = resourceVersion
        record(APIChange(kind: kind, version: resourceVersion, object: PodObject.object(of: pod)))
        for service in services
        where service.namespace == pod.namespace && !service.selector.isEmpty
            && LabelQuery(service.selector).accepts(pod.labels)
        {
            resourceVersion += 1
            record(APIChange(kind: .modified, version: resourceVersion, object: slice(of: service)))
        }
    }

    private func record(_ change: APIChange) {
        if changes.count == Self.changesMax { changes.removeFirst() }
        changes.append(change)
        whenChanged(change)
    }

    func forgetChanges() {
        changes = []
        oldestVersion = resourceVersion
    }

    // MARK: Reading

    func objects(_ query: ObjectQuery) -> [APIObject] {
        let candidates =
            switch query.type {
            case .pods: pods.map { PodObject.object(of: $0) }
            case .endpointSlices: services.filter { !$0.selector.isEmpty }.map { slice(of: $0) }
            case _: fixed
            }
        return candidates.filter { query.accepts($0) }
    }

    func object(_ type: APIType, named name: String, in namespace: String) -> APIObject? {
        let everything = ObjectQuery(
            type: type,
            namespace: namespace,
            labels: LabelQuery([]),
            fields: .any
        )
        return objects(everything).first { $0.name == name }
    }

    private func slice(of service: ServiceDeclaration) -> APIObject {
        EndpointSliceObject.object(of: service, pods: pods, resourceVersion: resourceVersion)
    }

    /// The changes after `version`; nil: they are not all known any more.
    func changes(after version: Int) -> [APIChange]? {
        guard version >= oldestVersion else { return nil }
        if let first = changes.first, changes.count == Self.changesMax, first.version > version + 1 {
            return nil
        }
        return changes.filter { $0.version > version }
    }
}

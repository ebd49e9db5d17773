/// Where a service leads, or a part of it (discovery.k8s.io/v1).
package struct EndpointSlice: Hashable, Sendable {
    package struct Metadata: Decodable, Hashable, Sendable {
        package var name: String
        package var uid: String?
        package var resourceVersion: String?
    }

    package struct Endpoint: Decodable, Hashable, Sendable {
        package var conditions: Conditions?
        package var targetRef: Reference?
    }

    package struct Conditions: Decodable, Hashable, Sendable {
        /// Whether the service leads there: what is absent is unknown, and to be taken for true.
        package var ready: Bool?
    }

    package struct Reference: Decodable, Hashable, Sendable {
        package var kind: String?
        package var namespace: String?
        package var name: String?
        package var uid: String?
    }

    package struct Port: Decodable, Hashable, Sendable {
        /// That of the service's port; empty where it has none.
        package var name: String?
        package var port: Int?
    }

    /// The label that names a slice's service.
    package static let serviceLabel = "kubernetes.io/service-name"
    /// The API takes no more endpoints and ports in a slice.
    private static let endpointsMax = 1000
    private static let portsMax = 100

    package var metadata: Metadata
    package var endpoints: [Endpoint]
    package var ports: [Port]
}

extension EndpointSlice: FollowedObject {
    /// With ten thousand pods, and slices as sparse as the controller leaves them.
    package static var followedMax: Int { 1000 }
    package var name: String { metadata.name }
    package var uid: String? { metadata.uid }
    package var resourceVersion: String? { metadata.resourceVersion }

    enum CodingKeys: CodingKey { case metadata, endpoints, ports }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        metadata = try container.decode(Metadata.self, forKey: .metadata)
        // Go writes an empty list as null.
        let endpoints = try container.decodeIfPresent([Endpoint].self, forKey: .endpoints) ?? []
        self.endpoints = Array(endpoints.prefix(Self.endpointsMax))
        ports = Array(
            (try container.decodeIfPresent([Port].self, forKey: .ports) ?? []).prefix(Self.portsMax)
        )
    }
}

/// Keeps account of the slices of a service.
package typealias EndpointTracker = ObjectTracker<EndpointSlice>

extension ObjectTracker where Object == EndpointSlice {
    /// The pods that the slices name, and whether the service leads to them.
    ///
    /// A pod that is in several slices, as with two address families or while it moves from one to another, is ready
    /// where one of them says so.
    var readiness: EndpointReadiness {
        var readiness = EndpointReadiness()
        for slice in byName.values {
            for endpoint in slice.endpoints { readiness.add(endpoint) }
        }
        return readiness
    }

    /// The port at `pod` behind the service's port of this name; nil: no slice with the pod tells.
    func port(_ name: String, at pod: Pod) -> Int? {
        for slice in objects where slice.endpoints.contains(where: { $0.targetRef?.means(pod) ?? false }) {
            if let port = slice.ports.first(where: { ($0.name ?? "") == name })?.port { return port }
        }
        return nil
    }
}

/// What all slices of a service say of its pods.
struct EndpointReadiness {
    /// By the pods' names, of whichever identities.
    private var byName: [String: [(uid: String?, isReady: Bool)]] = [:]

    var isEmpty: Bool { byName.isEmpty }

    fileprivate mutating func add(_ endpoint: EndpointSlice.Endpoint) {
        guard let reference = endpoint.targetRef, reference.kind == "Pod", let name = reference.name else {
            return
        }
        byName[name, default: []].append((reference.uid, endpoint.conditions?.ready ?? true))
    }

    /// Whether the service leads to `pod`; nil: no slice names it.
    func isReady(_ pod: Pod) -> Bool? {
        guard
            let entries = byName[pod.name]?.filter({ $0.uid == nil || pod.uid == nil || $0.uid == pod.uid }),
            !entries.isEmpty
        else { return nil }
        return entries.contains { $0.isReady }
    }
}

extension EndpointSlice.Reference {
    fileprivate func means(_ pod: Pod) -> Bool {
        kind == "Pod" && name == pod.name && (uid == nil || pod.uid == nil || uid == pod.uid)
    }
}

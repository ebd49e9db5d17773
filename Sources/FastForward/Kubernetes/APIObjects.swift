#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

/// Why an answer of the API server could not be understood.
package enum APIObjectError: Error, Equatable, CustomStringConvertible {
    case tooLarge(bytes: Int)
    /// It has more values than objects of its length have.
    case tooManyValues(limit: Int)
    case malformed(problem: String)

    package var description: String {
        switch self {
        case .tooLarge(let bytes):
            "the API server's answer of \(bytes) bytes is larger than \(APIObjects.bodyBytesMax >> 20) MiB"
        case .tooManyValues(let limit):
            "the API server's answer has more than \(limit) values, which is no object of Kubernetes"
        case .malformed(let problem): "the API server's answer is not readable (\(problem))"
        }
    }
}

/// Reads the API server's JSON.
package enum APIObjects {
    /// Room for a page of 250 pods of 64 KiB; most have 5 to 25.
    ///
    /// etcd keeps single objects below 1.5 MiB, so only a list can be longer. While one is read it takes some six times
    /// its size.
    package static let bodyBytesMax = 16 << 20
    /// Room for a single object, or a part of discovery.
    package static let objectBytesMax = 8 << 20
    /// How many values a body may have: each takes some 50 bytes while it is read, however short it is.
    ///
    /// Ten thousand pods have about four hundred each.
    private static let valuesMax = 4 << 20
    /// How many bytes a value has at least on the whole; Kubernetes' objects have 10 to 15.
    private static let bytesPerValueMin = 6
    /// The problems of what is nowhere what it should be.
    static let noJSON = "not JSON"
    static let noObject = "no object"
    /// So many values are too few to matter.
    private static let valuesFree = 4096

    /// Decodes a whole body; unknown fields are skipped.
    package static func decode<Object: Decodable>(
        _ type: Object.Type,
        from body: [UInt8]
    ) throws(APIObjectError) -> Object {
        guard body.count <= bodyBytesMax else { throw .tooLarge(bytes: body.count) }
        let limit = min(valuesMax, valuesFree + body.count / bytesPerValueMin)
        guard mayHold(body, atMost: limit) else { throw .tooManyValues(limit: limit) }
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch {
            throw .malformed(problem: problem(error))
        }
    }

    /// Whether there are no more values than so many: each but the first has one of these before it.
    private static func mayHold(_ body: [UInt8], atMost limit: Int) -> Bool {
        var count = 0
        for byte in body {
            switch byte {
            case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "{"): count += 1
            case _: break
            }
        }
        return count <= limit
    }

    private static func problem(_ error: any Error) -> String {
        let path: [any CodingKey]
        switch error as? DecodingError {
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            path = context.codingPath
            // Such as null.
            if path.isEmpty { return noObject }
        case .dataCorrupted(let context):
            path = context.codingPath
        case .keyNotFound(let key, let context):
            path = context.codingPath + [key]
        case .some, .none:
            path = []
        }
        let place = path.map { $0.intValue.map { "\($0)" } ?? $0.stringValue }.joined(separator: ".")
        return place.isEmpty ? noJSON : "at \(place)"
    }
}

extension KeyedDecodingContainer {
    /// A name that may stand in a path.
    fileprivate func decodeSegment(forKey key: Key) throws -> String {
        let text = try decode(String.self, forKey: key)
        guard !text.isEmpty, PathSegment.problem(of: text) == nil else {
            throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "no path segment")
        }
        return text
    }
}

/// A pod, as far as forwarding to it goes (core/v1).
package struct Pod: Decodable, Hashable, Sendable {
    package struct Metadata: Decodable, Hashable, Sendable {
        package var name: String
        package var namespace: String?
        package var uid: String?
        package var resourceVersion: String?
        /// RFC 3339.
        package var creationTimestamp: String?
        /// RFC 3339; set once the pod is going away.
        package var deletionTimestamp: String?

        private enum CodingKeys: CodingKey {
            case name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp
        }

        /// Reads it; a pod that no path leads to is none.
        package init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            name = try fields.decodeSegment(forKey: .name)
            let hasNamespace = try fields.decodeIfPresent(String.self, forKey: .namespace)?.isEmpty == false
            namespace = hasNamespace ? try fields.decodeSegment(forKey: .namespace) : nil
            uid = try fields.decodeIfPresent(String.self, forKey: .uid)
            resourceVersion = try fields.decodeIfPresent(String.self, forKey: .resourceVersion)
            creationTimestamp = try fields.decodeIfPresent(String.self, forKey: .creationTimestamp)
            deletionTimestamp = try fields.decodeIfPresent(String.self, forKey: .deletionTimestamp)
        }
    }

    package struct Spec: Decodable, Hashable, Sendable {
        /// nil or empty: the pod has no node yet.
        package var nodeName: String?
        package var containers: [Container]?
        package var initContainers: [Container]?
    }

    package struct Container: Decodable, Hashable, Sendable {
        package var name: String?
        package var ports: [Port]?
        /// `Always` makes an init container a sidecar.
        package var restartPolicy: String?
    }

    package struct Port: Decodable, Hashable, Sendable {
        package var name: String?
        package var containerPort: Int
        /// `TCP` where absent.
        package var `protocol`: String?

        package var isUDP: Bool { self.`protocol` == "UDP" }
    }

    package struct Status: Decodable, Hashable, Sendable {
        package var phase: String?
        package var podIP: String?
        package var conditions: [Condition]?
        package var containerStatuses: [ContainerStatus]?
        package var initContainerStatuses: [ContainerStatus]?
    }

    package struct Condition: Decodable, Hashable, Sendable {
        package var type: String
        package var status: String
        /// RFC 3339.
        package var lastTransitionTime: String?
    }

    package struct ContainerStatus: Decodable, Hashable, Sendable {
        package var name: String?
        /// Such as `containerd://9f2c…`.
        package var containerID: String?
        package var restartCount: Int?
    }

    package var metadata: Metadata
    package var spec: Spec?
    package var status: Status?

    package var isRunning: Bool { status?.phase == "Running" }

    package var isReady: Bool {
        status?.conditions?.contains { $0.type == "Ready" && $0.status == "True" } ?? false
    }

    package var isBeingDeleted: Bool { metadata.deletionTimestamp != nil }

    /// The declared ports of all containers; those of init containers follow.
    package var ports: [Port] {
        ((spec?.containers ?? []) + (spec?.initContainers ?? [])).flatMap { $0.ports ?? [] }
    }

    /// What runs the containers; nil until the first one exists.
    package var runtime: ContainerRuntime? {
        for status in status?.containerStatuses ?? [] {
            if let id = status.containerID, let runtime = ContainerRuntime(containerID: id) { return runtime }
        }
        return nil
    }
}

/// The program on the node that serves port-forwards, as `status.containerStatuses[].containerID` tells.
package enum ContainerRuntime: Hashable, Sendable {
    case containerd
    case criO
    case docker
    case other(String)

    package init?(containerID: String) {
        guard let end = containerID.firstRange(of: "://") else { return nil }
        switch containerID[..<end.lowerBound] {
        case "": return nil
        case "containerd": self = .containerd
        case "cri-o": self = .criO
        case "docker": self = .docker
        case let name: self = .other(String(name))
        }
    }
}

/// How the API server says that a request failed (meta/v1 Status).
package struct Status: Decodable, Hashable, Sendable {
    package struct Details: Decodable, Hashable, Sendable {
        package var name: String?
        package var kind: String?
        package var group: String?
        package var retryAfterSeconds: Int?
    }

    package var kind: String?
    package var status: String?
    package var message: String?
    package var reason: String?
    package var code: Int?
    package var details: Details?
}

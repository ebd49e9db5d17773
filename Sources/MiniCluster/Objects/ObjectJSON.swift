/// The parts of the API's objects that are alike whatever the type.
enum ObjectJSON {
    /// When everything of the inventory was made.
    static let started = Host.timestamp()

    static func labels(_ labels: [(String, String)]) -> JSON { .strings(labels) }

    /// - Parameter members: what stands behind the name and the namespace.
    static func metadata(
        _ name: String,
        namespace: String,
        uid: String,
        created: String = started,
        labels: [(String, String)] = [],
        _ members: [(String, JSON)] = []
    ) -> JSON {
        var all: [(String, JSON)] = [("name", .string(name))]
        if !namespace.isEmpty { all.append(("namespace", .string(namespace))) }
        all.append(("uid", .string(uid)))
        all.append(("creationTimestamp", .string(created)))
        if !labels.isEmpty { all.append(("labels", .strings(labels))) }
        return .object(all + members)
    }

    /// An object of a type, with its metadata and what follows.
    static func object(_ type: APIType, metadata: JSON, _ members: [(String, JSON)] = []) -> JSON {
        .object(
            [
                ("kind", .string(type.kind)), ("apiVersion", .string(type.groupVersion)),
                ("metadata", metadata),
            ] + members
        )
    }

    /// - Parameter token: what leads to the next page; empty: nothing.
    static func list(_ type: APIType, _ items: [APIObject], resourceVersion: Int, token: String = "") -> JSON
    {
        let version: [(String, String)] = [("resourceVersion", String(resourceVersion))]
        return [
            "kind": .string(type.kind + "List"), "apiVersion": .string(type.groupVersion),
            "metadata": .strings(version + (token.isEmpty ? [] : [("continue", token)])),
            "items": .array(items.map(\.json)),
        ]
    }

    /// A UUID that an object of this type and name always has.
    static func uid(_ type: APIType, _ namespace: String, _ name: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(type.resource)/\(namespace)/\(name)".utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        let digits = String(hash, radix: 16)
        let padded = String(repeating: "0", count: 16 - digits.count) + digits
        return "\(padded.prefix(8))-0000-4000-8000-0000\(padded.suffix(8))"
    }
}

/// Services as the API shows them (core/v1).
enum ServiceObject {
    static func object(of service: ServiceDeclaration) -> APIObject {
        var spec: [(String, JSON)] = []
        if !service.ports.isEmpty { spec.append(("ports", .array(service.ports.map { port($0) }))) }
        if !service.selector.isEmpty { spec.append(("selector", .strings(service.selector))) }
        if service.publishesNotReady { spec.append(("publishNotReadyAddresses", true)) }
        let address: JSON = service.isHeadless ? "None" : "10.96.0.20"
        spec += [
            ("clusterIP", address), ("clusterIPs", [address]), ("type", "ClusterIP"),
            ("sessionAffinity", "None"), ("ipFamilies", ["IPv4"]), ("ipFamilyPolicy", "SingleStack"),
            ("internalTrafficPolicy", "Cluster"),
        ]
        let metadata = ObjectJSON.metadata(
            service.name,
            namespace: service.namespace,
            uid: ObjectJSON.uid(.services, service.namespace, service.name),
            labels: service.selector,
            [("resourceVersion", "257")]
        )
        return APIObject(
            type: .services,
            namespace: service.namespace,
            name: service.name,
            labels: service.selector,
            json: ObjectJSON.object(
                .services,
                metadata: metadata,
                [("spec", .object(spec)), ("status", ["loadBalancer": [:]])]
            )
        )
    }

    private static func port(_ port: ServiceDeclaration.Port) -> JSON {
        var members: [(String, JSON)] = port.name.map { [("name", .string($0))] } ?? []
        members += [("protocol", .string(port.transport)), ("port", .number(port.number))]
        switch port.target {
        case .number(let number): members.append(("targetPort", .number(number)))
        case .name(let name): members.append(("targetPort", .string(name)))
        case .absent: break
        }
        return .object(members)
    }
}

/// Controllers of pods as the API shows them (core/v1, apps/v1, batch/v1).
enum WorkloadObject {
    static func object(of workload: WorkloadDeclaration) -> APIObject {
        let selector: JSON
        if workload.type == .replicationControllers {
            selector = .strings(workload.labels)
        } else {
            var members: [(String, JSON)] = [("matchLabels", .strings(workload.labels))]
            if !workload.requirements.isEmpty {
                members.append(("matchExpressions", .array(workload.requirements.map { requirement($0) })))
            }
            selector = .object(members)
        }
        let metadata = ObjectJSON.metadata(
            workload.name,
            namespace: workload.namespace,
            uid: ObjectJSON.uid(workload.type, workload.namespace, workload.name),
            labels: workload.labels,
            [("resourceVersion", "258"), ("generation", 1)]
        )
        var spec: [(String, JSON)] = [
            ("selector", selector),
            (
                "template",
                [
                    "metadata": ["labels": .strings(workload.labels)],
                    "spec": ["containers": [["name": "c", "image": "localhost/demo:1"]]],
                ]
            ),
        ]
        if workload.type != .jobs, workload.type != .daemonSets {
            spec.insert(("replicas", .number(workload.replicas)), at: 0)
        }
        return APIObject(
            type: workload.type,
            namespace: workload.namespace,
            name: workload.name,
            labels: workload.labels,
            json: ObjectJSON.object(
                workload.type,
                metadata: metadata,
                [("spec", .object(spec)), ("status", [:])]
            )
        )
    }

    private static func requirement(_ requirement: WorkloadDeclaration.Requirement) -> JSON {
        [
            "key": .string(requirement.key), "operator": .string(requirement.operator),
            "values": .array(requirement.values.map { .string($0) }),
        ]
    }
}

/// Objects of which only the name matters.
enum PlainObject {
    static func object(of plain: PlainDeclaration) -> APIObject {
        let metadata = ObjectJSON.metadata(
            plain.name,
            namespace: plain.namespace,
            uid: ObjectJSON.uid(plain.type, plain.namespace, plain.name),
            [("resourceVersion", "200")]
        )
        return APIObject(
            type: plain.type,
            namespace: plain.namespace,
            name: plain.name,
            labels: [],
            json: ObjectJSON.object(plain.type, metadata: metadata)
        )
    }
}

/// Where the pods of a service are (discovery.k8s.io/v1).
enum EndpointSliceObject {
    static func object(of service: ServiceDeclaration, pods: [Pod], resourceVersion: Int) -> APIObject {
        let name = "\(service.name)-nh42f"
        let members = pods.filter { pod in
            service.leads(to: pod) && !pod.address.isEmpty
                && (pod.phase == .running || pod.phase == .pending)
        }
        let keeper = service.selector.isEmpty ? "by-hand.example.com" : "endpointslice-controller.k8s.io"
        let labels = [
            ("endpointslice.kubernetes.io/managed-by", keeper),
            ("kubernetes.io/service-name", service.name),
        ]
        let metadata = ObjectJSON.metadata(
            name,
            namespace: service.namespace,
            uid: ObjectJSON.uid(.endpointSlices, service.namespace, name),
            labels: labels,
            [("resourceVersion", .string(String(resourceVersion)))]
        )
        return APIObject(
            type: .endpointSlices,
            namespace: service.namespace,
            name: name,
            labels: labels,
            json: ObjectJSON.object(
                .endpointSlices,
                metadata: metadata,
                [
                    ("addressType", "IPv4"), ("endpoints", .array(members.map { endpoint($0, of: service) })),
                    ("ports", .array(ports(of: service, members))),
                ]
            )
        )
    }

    private static func endpoint(_ pod: Pod, of service: ServiceDeclaration) -> JSON {
        [
            "addresses": [.string(pod.address)],
            "conditions": [
                "ready": .bool(service.publishesNotReady || pod.isReady && !pod.isBeingDeleted),
                "serving": .bool(pod.isReady),
                "terminating": .bool(pod.isBeingDeleted),
            ],
            "targetRef": [
                "kind": "Pod", "namespace": .string(pod.namespace), "name": .string(pod.name),
                "uid": .string(pod.uid),
            ],
            "nodeName": "node1",
        ]
    }

    /// The ports at the pods; a name that no pod has is left out, as the real controller does.
    private static func ports(of service: ServiceDeclaration, _ pods: [Pod]) -> [JSON] {
        service.ports.compactMap { port in
            let number: Int
            switch port.target {
            case .number(let target): number = target
            case .absent: number = port.number
            case .name(let name):
                let declared = pods.lazy.compactMap { pod in pod.ports.first { $0.name == name } }.first
                guard let declared else { return nil }
                number = declared.number
            }
            return [
                "name": .string(port.name ?? ""), "protocol": .string(port.transport),
                "port": .number(number),
            ]
        }
    }
}

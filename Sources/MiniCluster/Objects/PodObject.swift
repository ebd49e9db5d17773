/// Pods as the API shows them (core/v1).
enum PodObject {
    static func object(of pod: Pod) -> APIObject {
        var more: [(String, JSON)] = [("resourceVersion", .string(String(pod.resourceVersion)))]
        if let deleted = pod.deleted {
            more.append(("deletionTimestamp", .string(deleted)))
            more.append(("deletionGracePeriodSeconds", 30))
        }
        if let owner = pod.owner { more.append(("ownerReferences", [reference(to: owner, of: pod)])) }
        let metadata = ObjectJSON.metadata(
            pod.name,
            namespace: pod.namespace,
            uid: pod.uid,
            created: pod.created,
            labels: pod.labels,
            more
        )
        return APIObject(
            type: .pods,
            namespace: pod.namespace,
            name: pod.name,
            labels: pod.labels,
            fields: [
                "status.phase": pod.phase.rawValue, "spec.nodeName": pod.hasNode ? "node1" : "",
                "spec.restartPolicy": "Always",
            ],
            json: ObjectJSON.object(
                .pods,
                metadata: metadata,
                [("spec", .object(spec(pod))), ("status", .object(status(pod)))]
            )
        )
    }

    private static func reference(to owner: (type: APIType, name: String), of pod: Pod) -> JSON {
        [
            "apiVersion": .string(owner.type.groupVersion), "kind": .string(owner.type.kind),
            "name": .string(owner.name),
            "uid": .string(ObjectJSON.uid(owner.type, pod.namespace, owner.name)), "controller": true,
            "blockOwnerDeletion": true,
        ]
    }

    // MARK: Specification

    private static func spec(_ pod: Pod) -> [(String, JSON)] {
        var members: [(String, JSON)] = [("containers", [container("c", pod.ports)])]
        if !pod.initPorts.isEmpty { members.append(("initContainers", [container("setup", pod.initPorts)])) }
        members += [
            ("restartPolicy", "Always"), ("terminationGracePeriodSeconds", 2), ("dnsPolicy", "ClusterFirst"),
            ("serviceAccountName", "default"), ("securityContext", [:]),
            ("schedulerName", "default-scheduler"), ("enableServiceLinks", true),
        ]
        if pod.hasNode { members.append(("nodeName", "node1")) }
        return members
    }

    private static func container(_ name: String, _ ports: [PortDeclaration]) -> JSON {
        [
            "name": .string(name), "image": "localhost/demo:1", "ports": .array(ports.map { port($0) }),
            "resources": [:], "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File", "imagePullPolicy": "Never",
        ]
    }

    private static func port(_ port: PortDeclaration) -> JSON {
        let name: [(String, JSON)] = port.name.map { [("name", .string($0))] } ?? []
        return .object(
            name + [("containerPort", .number(port.number)), ("protocol", .string(port.transport))]
        )
    }

    // MARK: Status

    private static func status(_ pod: Pod) -> [(String, JSON)] {
        var members: [(String, JSON)] = [("phase", .string(pod.phase.rawValue))]
        let kinds = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"]
        var conditions = kinds.map { condition($0, isTrue: pod.isReady, since: pod.readySince) }
        conditions.append(condition("PodScheduled", isTrue: pod.hasNode, since: pod.created))
        members.append(("conditions", .array(conditions)))
        guard pod.phase != .pending else { return members + [("qosClass", "BestEffort")] }
        members += [
            ("hostIP", "127.0.0.1"), ("hostIPs", [["ip": "127.0.0.1"]]), ("podIP", .string(pod.address)),
            ("podIPs", [["ip": .string(pod.address)]]), ("startTime", .string(pod.created)),
            ("containerStatuses", [containerStatus(pod)]), ("qosClass", "BestEffort"),
        ]
        return members
    }

    private static func containerStatus(_ pod: Pod) -> JSON {
        let id = JSON.string("\(pod.runtimeName)://\(pod.containerID)")
        let state: JSON =
            pod.phase == .running
            ? ["running": ["startedAt": .string(pod.created)]]
            : [
                "terminated": [
                    "exitCode": pod.phase == .failed ? 137 : 0,
                    "reason": pod.phase == .failed ? "Error" : "Completed", "containerID": id,
                ]
            ]
        return [
            "name": "c", "state": state, "lastState": [:], "ready": .bool(pod.isReady),
            "restartCount": .number(pod.restarts), "image": "localhost/demo:1",
            "imageID": .string("sha256:\(pod.containerID)"), "containerID": id,
            "started": .bool(pod.phase == .running),
        ]
    }

    private static func condition(_ kind: String, isTrue: Bool, since: String) -> JSON {
        [
            "type": .string(kind), "status": isTrue ? "True" : "False", "lastProbeTime": .null,
            "lastTransitionTime": .string(since),
        ]
    }
}

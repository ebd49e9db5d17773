/// The objects of the Kubernetes API that this cluster has, as JSON.
struct APIObjects {
    /// The ports of a pod by name, as `spec.containers[].ports` tells them.
    private static let ports: [(name: String, number: Int)] = [
        ("echo", 7000), ("source", 7001), ("sink", 7002), ("counted-sink", 7003), ("half-close", 7004),
        ("reset", 7005), ("half-closed", 7006), ("stall", 7007), ("wait", 7008), ("greeting", 7009),
        ("http", 8080),
    ]

    /// When everything was made.
    let started: String
    /// Rises with each change, as a cluster's does.
    var resourceVersion = 1000

    func pod(_ pod: Pod) -> JSON {
        [
            "kind": "Pod", "apiVersion": "v1",
            "metadata": [
                "name": .string(pod.name), "namespace": "default", "uid": .string(pod.uid),
                "resourceVersion": .string(String(resourceVersion)), "creationTimestamp": .string(started),
                "labels": ["app": .string(pod.label)],
            ],
            "spec": .object(spec(pod)), "status": .object(status(pod)),
        ]
    }

    private func spec(_ pod: Pod) -> [(String, JSON)] {
        let ports = Self.ports.map { port in
            JSON.object([
                ("name", .string(port.name)), ("containerPort", .number(port.number)), ("protocol", "TCP"),
            ])
        }
        var members: [(String, JSON)] = [
            (
                "containers",
                [
                    [
                        "name": "c", "image": "localhost/demo:1", "ports": .array(ports), "resources": [:],
                        "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File", "imagePullPolicy": "Never",
                    ]
                ]
            ),
            ("restartPolicy", "Always"), ("terminationGracePeriodSeconds", 2), ("dnsPolicy", "ClusterFirst"),
            ("serviceAccountName", "default"), ("securityContext", [:]),
            ("schedulerName", "default-scheduler"), ("enableServiceLinks", true),
        ]
        if pod.phase != .pending { members.append(("nodeName", "node1")) }
        return members
    }

    private func status(_ pod: Pod) -> [(String, JSON)] {
        var members: [(String, JSON)] = [("phase", .string(pod.phase.rawValue))]
        let isReady = pod.phase == .running
        let kinds = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"]
        var conditions = kinds.map { condition($0, isTrue: isReady) }
        conditions.append(condition("PodScheduled", isTrue: pod.phase != .pending))
        members.append(("conditions", .array(conditions)))
        guard pod.phase != .pending else { return members + [("qosClass", "BestEffort")] }
        let state: JSON =
            isReady
            ? ["running": ["startedAt": .string(started)]]
            : [
                "terminated": [
                    "exitCode": pod.phase == .failed ? 137 : 0, "reason": "Error",
                    "containerID": .string("\(pod.runtimeName)://\(pod.containerID)"),
                ]
            ]
        members += [
            ("hostIP", "127.0.0.1"), ("hostIPs", [["ip": "127.0.0.1"]]), ("podIP", .string(pod.address)),
            ("podIPs", [["ip": .string(pod.address)]]), ("startTime", .string(started)),
            (
                "containerStatuses",
                [
                    [
                        "name": "c", "state": state, "lastState": [:], "ready": .bool(isReady),
                        "restartCount": 0, "image": "localhost/demo:1",
                        "imageID": .string("sha256:\(pod.containerID)"),
                        "containerID": .string("\(pod.runtimeName)://\(pod.containerID)"),
                        "started": .bool(isReady),
                    ]
                ]
            ), ("qosClass", "BestEffort"),
        ]
        return members
    }

    private func condition(_ kind: String, isTrue: Bool) -> JSON {
        [
            "type": .string(kind), "status": isTrue ? "True" : "False", "lastProbeTime": .null,
            "lastTransitionTime": .string(started),
        ]
    }

    /// The service `demo`: port 80 by the name `http`, port 7 by number.
    var service: JSON {
        [
            "kind": "Service", "apiVersion": "v1",
            "metadata": [
                "name": "demo", "namespace": "default", "uid": "555d9952-665b-4f1f-8ac8-86ffb48d9d96",
                "resourceVersion": "257", "creationTimestamp": .string(started), "labels": ["app": "demo"],
            ],
            "spec": [
                "ports": [
                    ["name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"],
                    ["name": "echo", "protocol": "TCP", "port": 7, "targetPort": 7000],
                ],
                "selector": ["app": "demo"], "clusterIP": "10.96.0.20", "clusterIPs": ["10.96.0.20"],
                "type": "ClusterIP", "sessionAffinity": "None",
            ],
            "status": ["loadBalancer": [:]],
        ]
    }

    func list(_ kind: String, _ items: [JSON]) -> JSON {
        [
            "kind": .string(kind), "apiVersion": "v1",
            "metadata": ["resourceVersion": .string(String(resourceVersion))], "items": .array(items),
        ]
    }

    /// What a client reads to learn what there is; nil: nothing at that path.
    ///
    /// The plain form: clients that ask for the aggregated one fall back to it.
    func discovery(_ path: String) -> JSON? {
        switch path {
        case "/version":
            [
                "major": "1", "minor": "32", "gitVersion": "v1.32.0", "gitCommit": "minicluster",
                "gitTreeState": "clean", "buildDate": .string(started), "goVersion": "none",
                "compiler": "swiftc", "platform": "linux/amd64",
            ]
        case "/api":
            [
                "kind": "APIVersions", "versions": ["v1"],
                "serverAddressByClientCIDRs": [
                    ["clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"]
                ],
            ]
        case "/apis": ["kind": "APIGroupList", "apiVersion": "v1", "groups": []]
        case "/api/v1":
            [
                "kind": "APIResourceList", "groupVersion": "v1",
                "resources": [
                    resource("pods", "pod", "Pod", shortName: "po", verbs: ["get", "list", "watch"]),
                    resource("pods/portforward", "", "PodPortForwardOptions", verbs: ["create", "get"]),
                    resource("services", "service", "Service", shortName: "svc", verbs: ["get", "list"]),
                ],
            ]
        default: nil
        }
    }

    private func resource(
        _ name: String,
        _ singular: String,
        _ kind: String,
        shortName: String? = nil,
        verbs: [String]
    ) -> JSON {
        var members: [(String, JSON)] = [
            ("name", .string(name)), ("singularName", .string(singular)), ("namespaced", true),
            ("kind", .string(kind)), ("verbs", .array(verbs.map { .string($0) })),
        ]
        if let shortName { members.append(("shortNames", [.string(shortName)])) }
        return .object(members)
    }
}

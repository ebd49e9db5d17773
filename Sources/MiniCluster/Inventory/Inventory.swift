/// What a cluster holds when it starts.
struct Inventory {
    var pods: [PodDeclaration]
    var services: [ServiceDeclaration]
    var workloads: [WorkloadDeclaration]
    var plain: [PlainDeclaration]

    /// A pod of each name, one that no node takes, and a service and a deployment for the first.
    static func small(podNames: [String]) -> Inventory {
        Inventory(
            pods: podNames.map {
                PodDeclaration(name: $0, labels: [("app", "demo")], ageSeconds: 0, readySeconds: 0)
            }
                + [
                    PodDeclaration(
                        name: "pending",
                        labels: [("app", "pending")],
                        life: .pending,
                        ageSeconds: 0
                    )
                ],
            services: [
                ServiceDeclaration(
                    name: "demo",
                    selector: [("app", "demo")],
                    ports: [.init("http", 80, .name("http")), .init("echo", 7, .number(7000))]
                )
            ],
            workloads: [
                WorkloadDeclaration(type: .deployments, name: "demo", labels: [("app", "demo")])
            ],
            plain: [
                PlainDeclaration(type: .namespaces, name: "default", namespace: ""),
                PlainDeclaration(type: .nodes, name: "node1", namespace: ""),
            ]
        )
    }

    /// What ``small(podNames:)`` holds, and one example of everything that a forward can be aimed at.
    static func whole(podNames: [String]) -> Inventory {
        var inventory = small(podNames: podNames)
        inventory.pods += examplePods
        inventory.services += exampleServices
        inventory.workloads += exampleWorkloads
        inventory.plain += examplePlain
        return inventory
    }

    // MARK: Examples

    /// In each set, which pod is taken is decided by another rule (kubectl `pkg/util/podutils`, ActivePods).
    private static let examplePods: [PodDeclaration] = [
        // Ready for longer.
        web("a", isReady: false, readySeconds: 0, ageSeconds: 9000),
        web("b", isReady: true, readySeconds: 100, ageSeconds: 8000),
        web("c", isReady: true, readySeconds: 2000, ageSeconds: 7000),
        // Fewer restarts.
        PodDeclaration(name: "db-0", labels: [("app", "db")], owner: (.statefulSets, "db"), restarts: 3),
        PodDeclaration(name: "db-1", labels: [("app", "db")], owner: (.statefulSets, "db")),
        // Older.
        PodDeclaration(
            name: "agent-new",
            labels: [("app", "agent"), ("tier", "node")],
            owner: (.daemonSets, "agent"),
            ageSeconds: 3600
        ),
        PodDeclaration(
            name: "agent-old",
            labels: [("app", "agent"), ("tier", "node")],
            owner: (.daemonSets, "agent"),
            ageSeconds: 7200
        ),
        // Taken by a node, and running.
        PodDeclaration(
            name: "legacy-1",
            labels: [("app", "legacy")],
            owner: (.replicationControllers, "legacy"),
            life: .pending
        ),
        PodDeclaration(
            name: "legacy-2",
            labels: [("app", "legacy")],
            owner: (.replicationControllers, "legacy"),
            life: .starting
        ),
        PodDeclaration(
            name: "legacy-3",
            labels: [("app", "legacy")],
            owner: (.replicationControllers, "legacy"),
            isReady: false
        ),
        // Not being deleted.
        PodDeclaration(
            name: "going-1",
            labels: [("app", "going")],
            owner: (.replicaSets, "going"),
            ageSeconds: 7200,
            deletedSeconds: 5
        ),
        PodDeclaration(name: "going-2", labels: [("app", "going")], owner: (.replicaSets, "going")),
        PodDeclaration(name: "run-x", labels: [("job-name", "run")], owner: (.jobs, "run")),
        PodDeclaration(
            name: "done-x",
            labels: [("job-name", "done")],
            owner: (.jobs, "done"),
            life: .succeeded,
            isReady: false
        ),
        PodDeclaration(
            name: "crashed",
            labels: [("app", "crashed")],
            life: .failed,
            isReady: false
        ),
        PodDeclaration(name: "starting", labels: [("app", "starting")], life: .starting, isReady: false),
        PodDeclaration(
            name: "dns",
            labels: [("app", "dns")],
            ports: [
                PortDeclaration("echo", 7000), PortDeclaration("dns", 53, "UDP"),
                PortDeclaration("dns-tcp", 53), PortDeclaration("mdns", 5353, "UDP"),
                PortDeclaration("sigtran", 2905, "SCTP"), PortDeclaration(nil, 8080),
            ],
            initPorts: [PortDeclaration("setup", 7009)]
        ),
        PodDeclaration(name: "far", namespace: "other", labels: [("app", "far")]),
    ]

    private static func web(
        _ suffix: String,
        isReady: Bool,
        readySeconds: Int,
        ageSeconds: Int
    ) -> PodDeclaration {
        PodDeclaration(
            name: "web-5d8-\(suffix)",
            labels: [("app", "web"), ("pod-template-hash", "5d8")],
            owner: (.replicaSets, "web-5d8"),
            isReady: isReady,
            ageSeconds: ageSeconds,
            readySeconds: readySeconds
        )
    }

    private static let exampleServices: [ServiceDeclaration] = [
        ServiceDeclaration(
            name: "web",
            selector: [("app", "web")],
            ports: [
                .init("http", 80, .name("http")), .init("echo", 7, .number(7000)),
                .init("greeting", 7009, .absent), .init("lost", 81, .name("nowhere")),
            ]
        ),
        ServiceDeclaration(
            name: "plain",
            selector: [("app", "db")],
            ports: [.init(nil, 9000, .number(7000))]
        ),
        ServiceDeclaration(
            name: "headless",
            selector: [("app", "db")],
            isHeadless: true,
            ports: [.init("echo", 7000, .number(7009)), .init("http", 80, .name("http"))]
        ),
        ServiceDeclaration(
            name: "dns",
            selector: [("app", "dns")],
            ports: [
                .init("dns", 53, .number(53), "UDP"), .init("dns-tcp", 53, .number(7000)),
                .init("mdns", 5353, .number(5353), "UDP"), .init("echo", 7, .name("echo")),
                .init("setup", 8, .name("setup")),
            ]
        ),
        // Pods that run, ready or not.
        ServiceDeclaration(
            name: "eager",
            selector: [("app", "demo")],
            publishesNotReady: true,
            ports: [.init("echo", 7, .number(7000))]
        ),
        // Whoever keeps its endpoint slice names these, when they are there.
        ServiceDeclaration(
            name: "adopted",
            selector: [],
            podNames: ["demo", "second", "third"],
            ports: [.init("echo", 7, .number(7000)), .init("web", 80, .name("http"))]
        ),
        ServiceDeclaration(name: "external", selector: [], ports: [.init("http", 80, .number(8080))]),
        ServiceDeclaration(
            name: "nobody",
            selector: [("app", "nobody")],
            ports: [.init("http", 80, .number(8080))]
        ),
        ServiceDeclaration(name: "portless", selector: [("app", "db")], isHeadless: true, ports: []),
        ServiceDeclaration(
            name: "far",
            namespace: "other",
            selector: [("app", "far")],
            ports: [.init("echo", 7, .number(7000))]
        ),
    ]

    private static let exampleWorkloads: [WorkloadDeclaration] = [
        WorkloadDeclaration(type: .deployments, name: "web", labels: [("app", "web")], replicas: 3),
        WorkloadDeclaration(
            type: .replicaSets,
            name: "web-5d8",
            labels: [("app", "web"), ("pod-template-hash", "5d8")],
            replicas: 3
        ),
        WorkloadDeclaration(type: .statefulSets, name: "db", labels: [("app", "db")], replicas: 2),
        WorkloadDeclaration(
            type: .daemonSets,
            name: "agent",
            labels: [("tier", "node")],
            requirements: [.init(key: "app", operator: "In", values: ["agent", "helper"])]
        ),
        WorkloadDeclaration(
            type: .replicationControllers,
            name: "legacy",
            labels: [("app", "legacy")],
            replicas: 3
        ),
        WorkloadDeclaration(type: .replicaSets, name: "going", labels: [("app", "going")]),
        WorkloadDeclaration(type: .jobs, name: "run", labels: [("job-name", "run")]),
        WorkloadDeclaration(type: .jobs, name: "done", labels: [("job-name", "done")]),
        WorkloadDeclaration(type: .deployments, name: "nobody", labels: [("app", "nobody")], replicas: 0),
        WorkloadDeclaration(
            type: .deployments,
            name: "broken",
            labels: [("app", "web")],
            requirements: [.init(key: "app", operator: "Near", values: ["web"])]
        ),
        WorkloadDeclaration(type: .deployments, name: "far", namespace: "other", labels: [("app", "far")]),
    ]

    private static let examplePlain: [PlainDeclaration] = [
        PlainDeclaration(type: .namespaces, name: "other", namespace: ""),
        PlainDeclaration(type: .configMaps, name: "settings"),
        PlainDeclaration(type: .secrets, name: "password"),
        PlainDeclaration(type: .endpoints, name: "web"),
        PlainDeclaration(type: .serviceAccounts, name: "default"),
        PlainDeclaration(type: .cronJobs, name: "nightly"),
        PlainDeclaration(type: .ingresses, name: "web"),
        PlainDeclaration(type: .gateways, name: "edge"),
        PlainDeclaration(type: .widgets, name: "gadget"),
    ]
}

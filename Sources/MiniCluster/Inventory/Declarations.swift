// The words in which ``Inventory`` says what there is; `Objects` makes the API's JSON of them.

/// A pod: what the API shows of it, and whether a process stands behind it.
struct PodDeclaration {
    /// A stage of life, as far as a forward can tell.
    enum Life {
        /// No node has taken it.
        case pending
        /// A node has, its containers do not run yet.
        case starting
        /// A process of its own answers.
        case running
        case succeeded
        case failed
    }

    var name: String
    var namespace = "default"
    var labels: [(String, String)]
    /// The object that made it, such as `ReplicaSet/web-5d8`.
    var owner: (type: APIType, name: String)?
    var life = Life.running
    var isReady = true
    /// For how long it has been there, in seconds.
    var ageSeconds = 3600
    /// For how long it has been ready, in seconds.
    var readySeconds = 3500
    var restarts = 0
    /// It is being deleted, and has been for so long.
    var deletedSeconds: Int?
    var ports = PortDeclaration.ofPods
    /// Of an init container, which is there if it has some.
    var initPorts: [PortDeclaration] = []
}

/// A port that a container declares.
struct PortDeclaration {
    let name: String?
    let number: Int
    var transport = "TCP"

    init(_ name: String?, _ number: Int, _ transport: String = "TCP") {
        self.name = name
        self.number = number
        self.transport = transport
    }

    /// What ``PodServer`` listens on.
    static let ofPods = [
        PortDeclaration("echo", 7000), PortDeclaration("source", 7001), PortDeclaration("sink", 7002),
        PortDeclaration("counted-sink", 7003), PortDeclaration("half-close", 7004),
        PortDeclaration("reset", 7005),
        PortDeclaration("half-closed", 7006), PortDeclaration("stall", 7007), PortDeclaration("wait", 7008),
        PortDeclaration("greeting", 7009), PortDeclaration("http", 8080),
    ]
}

/// A service: its ports and the labels of its pods.
struct ServiceDeclaration {
    /// A port, and where at the pods it leads.
    struct Port {
        enum Target {
            case number(Int)
            case name(String)
            /// The API server always fills it in; an old object may lack it.
            case absent
        }

        let name: String?
        let number: Int
        let target: Target
        var transport = "TCP"

        init(_ name: String?, _ number: Int, _ target: Target, _ transport: String = "TCP") {
            self.name = name
            self.number = number
            self.target = target
            self.transport = transport
        }
    }

    var name: String
    var namespace = "default"
    /// Empty: none, so that somebody else says where the service leads.
    var selector: [(String, String)]
    /// The pods that its endpoint slices name where it has no selector.
    var podNames: [String] = []
    var isHeadless = false
    /// Whether it leads to pods that run, but are not ready.
    var publishesNotReady = false
    var ports: [Port]

    /// Whether a pod is behind it.
    func leads(to pod: Pod) -> Bool {
        pod.namespace == namespace
            && (selector.isEmpty
                ? podNames.contains(pod.name) : LabelQuery(selector).accepts(pod.labels))
    }

    /// Whether anybody keeps endpoint slices for it.
    var hasSlices: Bool { !selector.isEmpty || !podNames.isEmpty }
}

/// A controller of pods, of whichever type.
struct WorkloadDeclaration {
    /// A condition on a label with several values (meta/v1 LabelSelectorRequirement).
    struct Requirement {
        let key: String
        let `operator`: String
        let values: [String]
    }

    var type: APIType
    var name: String
    var namespace = "default"
    var labels: [(String, String)]
    var requirements: [Requirement] = []
    var replicas = 1
}

/// An object that leads to no pod: only its name matters here.
struct PlainDeclaration {
    let type: APIType
    let name: String
    var namespace = "default"
}

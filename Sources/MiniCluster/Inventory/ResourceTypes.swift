/// A type of objects that the API server knows.
struct APIType: Hashable {
    /// Such as `deployments`.
    let plural: String
    /// Such as `Deployment`; in lower case, the singular.
    let kind: String
    /// Empty: the core group.
    let group: String
    let version: String
    let shortNames: [String]
    let isNamespaced: Bool

    fileprivate init(
        _ plural: String,
        _ kind: String,
        _ shortNames: [String] = [],
        group: String = "",
        version: String = "v1",
        isNamespaced: Bool = true
    ) {
        self.plural = plural
        self.kind = kind
        self.group = group
        self.version = version
        self.shortNames = shortNames
        self.isNamespaced = isNamespaced
    }

    /// Such as `apps/v1`.
    var groupVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// As messages name it: `pods`, `deployments.apps`.
    var resource: String { group.isEmpty ? plural : "\(plural).\(group)" }
}

extension APIType {
    static let pods = APIType("pods", "Pod", ["po"])
    static let services = APIType("services", "Service", ["svc"])
    static let replicationControllers = APIType("replicationcontrollers", "ReplicationController", ["rc"])
    static let deployments = APIType("deployments", "Deployment", ["deploy"], group: "apps")
    static let replicaSets = APIType("replicasets", "ReplicaSet", ["rs"], group: "apps")
    static let statefulSets = APIType("statefulsets", "StatefulSet", ["sts"], group: "apps")
    static let daemonSets = APIType("daemonsets", "DaemonSet", ["ds"], group: "apps")
    static let jobs = APIType("jobs", "Job", group: "batch")
    static let endpointSlices = APIType("endpointslices", "EndpointSlice", group: "discovery.k8s.io")
    static let namespaces = APIType("namespaces", "Namespace", ["ns"], isNamespaced: false)
    static let configMaps = APIType("configmaps", "ConfigMap", ["cm"])
    static let secrets = APIType("secrets", "Secret")
    static let endpoints = APIType("endpoints", "Endpoints", ["ep"])
    static let nodes = APIType("nodes", "Node", ["no"], isNamespaced: false)
    static let serviceAccounts = APIType("serviceaccounts", "ServiceAccount", ["sa"])
    static let cronJobs = APIType("cronjobs", "CronJob", ["cj"], group: "batch")
    static let ingresses = APIType("ingresses", "Ingress", ["ing"], group: "networking.k8s.io")
    /// Custom resources, which no client has compiled in.
    static let widgets = APIType("widgets", "Widget", ["wd"], group: "example.com", version: "v1alpha1")
    static let gateways = APIType("gateways", "Gateway", ["gtw"], group: "gateway.networking.k8s.io")

    /// In the order in which a real API server lists the groups.
    static let all: [APIType] = [
        pods, services, replicationControllers, namespaces, configMaps, secrets, endpoints, nodes,
        serviceAccounts, deployments, replicaSets, statefulSets, daemonSets, jobs, cronJobs, ingresses,
        endpointSlices, gateways, widgets,
    ]

    /// The groups with their versions' types, in the order of ``all``.
    static let groups: [(name: String, version: String, types: [APIType])] = {
        var groups: [(name: String, version: String, types: [APIType])] = []
        for type in all {
            if let index = groups.firstIndex(where: { $0.name == type.group }) {
                groups[index].types.append(type)
            } else {
                groups.append((type.group, type.version, [type]))
            }
        }
        return groups
    }()
}

/// The resource types that a TYPE/NAME argument can name.
///
/// kubectl asks the server's discovery. The kinds that lead to pods are eight, all built in and of one version
/// since years, so a table answers for them without a round trip; the other built-in types are here for the error.
struct ResourceType: Hashable, Sendable {
    let plural: String
    /// Such as `ReplicaSet`; in lower case, the singular.
    let kind: String
    let shortNames: [String]
    /// Empty: the core group.
    let group: String
    let version: String

    init(
        _ plural: String,
        _ kind: String,
        _ shortNames: [String] = [],
        group: String = "",
        version: String = "v1"
    ) {
        self.plural = plural
        self.kind = kind
        self.shortNames = shortNames
        self.group = group
        self.version = version
    }

    /// Whether `name` means this type: its plural or kind in any case, or a short name as it is.
    ///
    /// Source: apimachinery `api/meta/restmapper.go` (coerceResourceForMatching), client-go `restmapper/shortcut.go`.
    private func isNamed(_ name: Substring) -> Bool {
        let lowerCased = name.lowercased()
        return lowerCased == plural || lowerCased == kind.lowercased() || shortNames.contains(String(name))
    }

    /// Whether `text` means this type: NAME, NAME.GROUP (the beginning of a group is enough) or NAME.VERSION.GROUP.
    func isMeant(by text: Substring) -> Bool {
        let pieces = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard isNamed(pieces[0]) else { return false }
        // With a version the group must be exact, or absent.
        if pieces.count == 3, pieces[1] == version, pieces[2].isEmpty || pieces[2] == group { return true }
        guard pieces.count > 1 else { return true }
        let wanted = text[pieces[1].startIndex...]
        return group.hasPrefix(wanted)
    }
}

extension ResourceType {
    /// Built-in types that a pod is not found by, as an API server of Kubernetes 1.36 lists them.
    static let withoutPods: [ResourceType] = [
        ResourceType("bindings", "Binding"),
        ResourceType("componentstatuses", "ComponentStatus", ["cs"]),
        ResourceType("configmaps", "ConfigMap", ["cm"]),
        ResourceType("endpoints", "Endpoints", ["ep"]),
        ResourceType("events", "Event", ["ev"]),
        ResourceType("limitranges", "LimitRange", ["limits"]),
        ResourceType("namespaces", "Namespace", ["ns"]),
        ResourceType("nodes", "Node", ["no"]),
        ResourceType("persistentvolumeclaims", "PersistentVolumeClaim", ["pvc"]),
        ResourceType("persistentvolumes", "PersistentVolume", ["pv"]),
        ResourceType("podtemplates", "PodTemplate"),
        ResourceType("resourcequotas", "ResourceQuota", ["quota"]),
        ResourceType("secrets", "Secret"),
        ResourceType("serviceaccounts", "ServiceAccount", ["sa"]),
        ResourceType("controllerrevisions", "ControllerRevision", group: "apps"),
        ResourceType("events", "Event", ["ev"], group: "events.k8s.io"),
        ResourceType(
            "horizontalpodautoscalers",
            "HorizontalPodAutoscaler",
            ["hpa"],
            group: "autoscaling",
            version: "v2"
        ),
        ResourceType("cronjobs", "CronJob", ["cj"], group: "batch"),
        ResourceType(
            "certificatesigningrequests",
            "CertificateSigningRequest",
            ["csr"],
            group: "certificates.k8s.io"
        ),
        ResourceType("ingressclasses", "IngressClass", group: "networking.k8s.io"),
        ResourceType("ingresses", "Ingress", ["ing"], group: "networking.k8s.io"),
        ResourceType("ipaddresses", "IPAddress", ["ip"], group: "networking.k8s.io"),
        ResourceType("networkpolicies", "NetworkPolicy", ["netpol"], group: "networking.k8s.io"),
        ResourceType("servicecidrs", "ServiceCIDR", group: "networking.k8s.io"),
        ResourceType("poddisruptionbudgets", "PodDisruptionBudget", ["pdb"], group: "policy"),
        ResourceType("clusterrolebindings", "ClusterRoleBinding", group: "rbac.authorization.k8s.io"),
        ResourceType("clusterroles", "ClusterRole", group: "rbac.authorization.k8s.io"),
        ResourceType("rolebindings", "RoleBinding", group: "rbac.authorization.k8s.io"),
        ResourceType("roles", "Role", group: "rbac.authorization.k8s.io"),
        ResourceType("csidrivers", "CSIDriver", group: "storage.k8s.io"),
        ResourceType("csinodes", "CSINode", group: "storage.k8s.io"),
        ResourceType("csistoragecapacities", "CSIStorageCapacity", group: "storage.k8s.io"),
        ResourceType("storageclasses", "StorageClass", ["sc"], group: "storage.k8s.io"),
        ResourceType("volumeattachments", "VolumeAttachment", group: "storage.k8s.io"),
        ResourceType("volumeattributesclasses", "VolumeAttributesClass", ["vac"], group: "storage.k8s.io"),
        ResourceType(
            "mutatingadmissionpolicies",
            "MutatingAdmissionPolicy",
            group: "admissionregistration.k8s.io"
        ),
        ResourceType(
            "mutatingadmissionpolicybindings",
            "MutatingAdmissionPolicyBinding",
            group: "admissionregistration.k8s.io"
        ),
        ResourceType(
            "mutatingwebhookconfigurations",
            "MutatingWebhookConfiguration",
            group: "admissionregistration.k8s.io"
        ),
        ResourceType(
            "validatingadmissionpolicies",
            "ValidatingAdmissionPolicy",
            group: "admissionregistration.k8s.io"
        ),
        ResourceType(
            "validatingadmissionpolicybindings",
            "ValidatingAdmissionPolicyBinding",
            group: "admissionregistration.k8s.io"
        ),
        ResourceType(
            "validatingwebhookconfigurations",
            "ValidatingWebhookConfiguration",
            group: "admissionregistration.k8s.io"
        ),
        ResourceType("priorityclasses", "PriorityClass", ["pc"], group: "scheduling.k8s.io"),
        ResourceType("leases", "Lease", group: "coordination.k8s.io"),
        ResourceType("runtimeclasses", "RuntimeClass", group: "node.k8s.io"),
        ResourceType("endpointslices", "EndpointSlice", group: "discovery.k8s.io"),
        ResourceType("flowschemas", "FlowSchema", group: "flowcontrol.apiserver.k8s.io"),
        ResourceType(
            "prioritylevelconfigurations",
            "PriorityLevelConfiguration",
            group: "flowcontrol.apiserver.k8s.io"
        ),
    ]
}

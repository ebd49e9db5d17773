import FastForward

/// What a client reads to learn which types there are, in both forms.
enum Discovery {
    /// What a client says that takes all of discovery in two answers (since Kubernetes 1.26).
    static let aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

    private static let verbs: JSON = [
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
    ]

    /// The answer at `path`; nil: there is nothing of discovery there.
    static func answer(at path: String, accept: String) -> HTTPAnswer? {
        let parts = path.split(separator: "/").map(String.init)
        if path == "/api" || path == "/apis", accept.contains("as=APIGroupDiscoveryList") {
            var answer = HTTPAnswer.json(aggregated(isCore: path == "/api"))
            answer.fields.set("Content-Type", aggregatedType)
            answer.fields.set("Vary", "Accept")
            return answer
        }
        let json: JSON?
        switch (parts.first, parts.count) {
        case ("version", 1): json = version
        case ("api", 1): json = coreVersions
        case ("apis", 1): json = groups
        case ("api", 2): json = resources("", parts[1])
        case ("apis", 2): json = APIType.groups.first { $0.name == parts[1] }.map { group($0, isAlone: true) }
        case ("apis", 3): json = resources(parts[1], parts[2])
        case (_, _): json = nil
        }
        return json.map { .json($0) }
    }

    private static let version: JSON = [
        "major": "1", "minor": "32", "gitVersion": "v1.32.0", "gitCommit": "minicluster",
        "gitTreeState": "clean", "buildDate": .string(ObjectJSON.started), "goVersion": "none",
        "compiler": "swiftc", "platform": "linux/amd64",
    ]

    // MARK: One answer for each group

    private static let coreVersions: JSON = [
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [["clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"]],
    ]

    private static let groups: JSON = [
        "kind": "APIGroupList", "apiVersion": "v1",
        "groups": .array(APIType.groups.filter { !$0.name.isEmpty }.map { group($0, isAlone: false) }),
    ]

    private static func group(
        _ group: (name: String, version: String, types: [APIType]),
        isAlone: Bool
    ) -> JSON {
        let version: JSON = [
            "groupVersion": .string("\(group.name)/\(group.version)"), "version": .string(group.version),
        ]
        let kind: [(String, JSON)] = isAlone ? [("kind", "APIGroup"), ("apiVersion", "v1")] : []
        return .object(
            kind + [
                ("name", .string(group.name)), ("versions", [version]), ("preferredVersion", version),
            ]
        )
    }

    private static func resources(_ name: String, _ version: String) -> JSON? {
        guard let group = APIType.groups.first(where: { $0.name == name && $0.version == version }) else {
            return nil
        }
        var resources: [JSON] = []
        for type in group.types {
            var members: [(String, JSON)] = [
                ("name", .string(type.plural)), ("singularName", .string(type.kind.lowercased())),
                ("namespaced", .bool(type.isNamespaced)), ("kind", .string(type.kind)), ("verbs", verbs),
            ]
            if !type.shortNames.isEmpty { members.append(("shortNames", shortNames(type))) }
            resources.append(.object(members))
            if type == .pods {
                resources.append([
                    "name": "pods/portforward", "singularName": "", "namespaced": true,
                    "kind": "PodPortForwardOptions", "verbs": ["create", "get"],
                ])
            }
        }
        return [
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": .string(name.isEmpty ? version : "\(name)/\(version)"),
            "resources": .array(resources),
        ]
    }

    private static func shortNames(_ type: APIType) -> JSON { .array(type.shortNames.map { .string($0) }) }

    // MARK: Everything at once

    private static func aggregated(isCore: Bool) -> JSON {
        let items = APIType.groups.filter { $0.name.isEmpty == isCore }.map { group -> JSON in
            [
                "metadata": isCore ? [:] : ["name": .string(group.name)],
                "versions": [
                    [
                        "version": .string(group.version),
                        "resources": .array(group.types.map { aggregated($0) }), "freshness": "Current",
                    ]
                ],
            ]
        }
        return [
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": [:],
            "items": .array(items),
        ]
    }

    private static func aggregated(_ type: APIType) -> JSON {
        // Built-in types leave group and version to what surrounds them; custom ones repeat them.
        let isCustom = type == .widgets || type == .gateways
        var members: [(String, JSON)] = [
            ("resource", .string(type.plural)),
            (
                "responseKind",
                [
                    "group": .string(isCustom ? type.group : ""),
                    "version": .string(isCustom ? type.version : ""),
                    "kind": .string(type.kind),
                ]
            ), ("scope", type.isNamespaced ? "Namespaced" : "Cluster"),
            ("singularResource", .string(type.kind.lowercased())), ("verbs", verbs),
        ]
        if !type.shortNames.isEmpty { members.append(("shortNames", shortNames(type))) }
        if type == .pods {
            members.append(
                (
                    "subresources",
                    [
                        [
                            "subresource": "portforward",
                            "responseKind": ["group": "", "version": "", "kind": "PodPortForwardOptions"],
                            "verbs": ["create", "get"],
                        ]
                    ]
                )
            )
        }
        return .object(members)
    }
}

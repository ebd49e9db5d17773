// Theory of operation: the server is asked for the core group's types and for those of all other groups. One that can
// (since Kubernetes 1.26) gives all types of a request's groups in its answer; an older one gives the groups' versions,
// each of which is asked for in turn. A type of the wanted name ends the search; a type with the short name does so
// only when everything was seen, for a name goes before a short name.

/// Finds out by the API server's discovery which type a TYPE/NAME argument means.
///
/// Only for types that ``TargetKind`` does not know: the kinds that lead to pods need no discovery.
package struct TypeSearch: Sendable {
    package enum Action: Equatable, Sendable {
        /// Ask for this path below the server's, with ``accept``; then ``answered(_:)``.
        case get([String])
        case found(ResourceType)
        /// There is no such type.
        case failed
    }

    /// The form that holds everything first, then the plain one.
    package static let accept =
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
        + "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
    /// How many versions of groups an older server is asked for; large clusters have about a hundred.
    private static let pathsMax = 512

    private let text: String
    private var paths = [["api"], ["apis"]]
    private var nextPath = 0
    private var shortNamed: ResourceType?
    /// What is wrong with the last answer; nil: it could be read, or there was none.
    package private(set) var problem: APIObjectError?

    /// - Parameter text: the TYPE as it was typed.
    package init(for text: String) {
        self.text = text
    }

    /// The first thing to do.
    package mutating func start() -> Action { next() }

    /// Takes what the server answered; nil: something else than asked for, as it does where the user may not know.
    package mutating func answered(_ body: [UInt8]?) -> Action {
        problem = nil
        guard let body else { return next() }
        let answer: DiscoveryAnswer
        do throws(APIObjectError) {
            answer = try APIObjects.decode(DiscoveryAnswer.self, from: body)
        } catch {
            problem = error
            return next()
        }
        let asked = paths[nextPath - 1]
        if answer.kind == "APIVersions" {
            paths += (answer.versions ?? []).compactMap { $0.name }.map { ["api", $0] }
        }
        for group in answer.groups ?? [] {
            paths += group.versions.map { ["apis"] + $0.groupVersion.split(separator: "/").map(String.init) }
        }
        let types = answer.types(askedFor: asked)
        if let type = types.first(where: { $0.match(text[...]) == .name }) { return .found(type) }
        shortNamed = shortNamed ?? types.first { $0.match(text[...]) == .shortName }
        return next()
    }

    private mutating func next() -> Action {
        while nextPath < min(paths.count, Self.pathsMax) {
            nextPath += 1
            let path = paths[nextPath - 1]
            // Names of the server's: one that is no segment names nothing.
            if path.allSatisfy({ !$0.isEmpty && PathSegment.problem(of: $0) == nil }) { return .get(path) }
        }
        return shortNamed.map { .found($0) } ?? .failed
    }
}

/// All forms of discovery in one: APIGroupDiscoveryList, APIVersions, APIGroupList, APIResourceList.
private struct DiscoveryAnswer: Decodable {
    struct Item: Decodable {
        struct Metadata: Decodable {
            var name: String?
        }

        struct Version: Decodable {
            var version: String
            var resources: [Resource]?
        }

        var metadata: Metadata?
        var versions: [Version]
    }

    /// A type in the aggregated form.
    struct Resource: Decodable {
        struct Kind: Decodable {
            var kind: String
        }

        var resource: String
        var responseKind: Kind?
        var scope: String?
        var singularResource: String?
        var shortNames: [String]?
    }

    struct Group: Decodable {
        struct Version: Decodable {
            var groupVersion: String
        }

        var versions: [Version]
    }

    /// A type in the plain form.
    struct PlainResource: Decodable {
        var name: String
        var singularName: String?
        var namespaced: Bool?
        var kind: String
        var shortNames: [String]?
    }

    /// The core group's versions are names; those of others come in ``groups``.
    struct VersionName: Decodable {
        var name: String?

        init(from decoder: any Decoder) throws {
            name = try? decoder.singleValueContainer().decode(String.self)
        }
    }

    var kind: String?
    var items: [Item]?
    var versions: [VersionName]?
    var groups: [Group]?
    var resources: [PlainResource]?

    /// - Parameter path: where this was asked for; it tells the group of the plain form.
    func types(askedFor path: [String]) -> [ResourceType] {
        var types: [ResourceType] = []
        for item in items ?? [] {
            for version in item.versions {
                for resource in version.resources ?? [] {
                    types.append(
                        ResourceType(
                            resource.resource,
                            resource.responseKind?.kind ?? "",
                            resource.shortNames ?? [],
                            singular: resource.singularResource,
                            group: item.metadata?.name ?? "",
                            version: version.version,
                            isNamespaced: resource.scope != "Cluster"
                        )
                    )
                }
            }
        }
        for resource in resources ?? [] where !resource.name.contains("/") {
            types.append(
                ResourceType(
                    resource.name,
                    resource.kind,
                    resource.shortNames ?? [],
                    singular: resource.singularName,
                    group: path.count > 2 ? path[1] : "",
                    version: path.last ?? "",
                    isNamespaced: resource.namespaced ?? true
                )
            )
        }
        // A type that no path can be made of names nothing.
        return types.filter { type in
            !type.plural.isEmpty && !type.version.isEmpty
                && [type.plural, type.version, type.group].allSatisfy { PathSegment.problem(of: $0) == nil }
        }
    }
}

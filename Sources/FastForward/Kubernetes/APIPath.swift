/// What may stand between two slashes of a request to the API server.
package enum PathSegment {
    /// Why `name` may not be a path segment, in kubectl's words; nil where it may.
    ///
    /// Source: apimachinery `api/validation/path/name.go`, IsValidPathSegmentName. A dot segment would name
    /// another resource.
    package static func problem(of name: String) -> String? {
        if name == "." || name == ".." { return "may not be '\(name)'" }
        if name.utf8.contains(UInt8(ascii: "/")) { return "may not contain '/'" }
        if name.utf8.contains(UInt8(ascii: "%")) { return "may not contain '%'" }
        return nil
    }
}

/// The request targets of an API server: its base path, the resource, the query.
///
/// Names are percent-encoded here; ``PathSegment`` decides earlier, with an error for the user, which names are
/// possible at all.
package struct APIPath: Hashable, Sendable, CustomStringConvertible {
    /// The request target as it stands in the request line.
    package let description: String

    /// One pod.
    package static func pod(_ name: String, namespace: String, at server: ServerURL) -> APIPath {
        APIPath(server, ["api", "v1", "namespaces", namespace, "pods", name])
    }

    /// The pods of a namespace, those that `labelSelector` chooses where it is given.
    package static func pods(
        namespace: String,
        labelSelector: String? = nil,
        fieldSelector: String = "",
        _ query: CollectionQuery,
        at server: ServerURL
    ) -> APIPath {
        var selectors = labelSelector.map { [("labelSelector", $0)] } ?? []
        if !fieldSelector.isEmpty { selectors.append(("fieldSelector", fieldSelector)) }
        return APIPath(
            server,
            ["api", "v1", "namespaces", namespace, "pods"],
            query: selectors + query.parameters
        )
    }

    /// The endpoint slices of a service.
    package static func endpointSlices(
        of service: String,
        namespace: String,
        _ query: CollectionQuery,
        at server: ServerURL
    ) -> APIPath {
        APIPath(
            server,
            ["apis", "discovery.k8s.io", "v1", "namespaces", namespace, "endpointslices"],
            query: [("labelSelector", "\(EndpointSlice.serviceLabel)=\(service)")] + query.parameters
        )
    }

    /// One object.
    package static func object(
        _ type: ResourceType,
        _ name: String,
        namespace: String,
        at server: ServerURL
    ) -> APIPath {
        APIPath(server, collection(of: type, namespace: namespace) + [name])
    }

    /// All objects of a type, in a namespace.
    package static func objects(
        _ type: ResourceType,
        namespace: String,
        at server: ServerURL
    ) -> APIPath {
        APIPath(server, collection(of: type, namespace: namespace))
    }

    /// All namespaces.
    package static func namespaces(at server: ServerURL) -> APIPath {
        APIPath(server, ["api", "v1", "namespaces"])
    }

    /// One namespace, as an object.
    package static func namespace(_ name: String, at server: ServerURL) -> APIPath {
        APIPath(server, ["api", "v1", "namespaces", name])
    }

    /// A part of discovery.
    package static func discovery(_ segments: [String], at server: ServerURL) -> APIPath {
        APIPath(server, segments)
    }

    private static func collection(of type: ResourceType, namespace: String) -> [String] {
        let root = type.group.isEmpty ? ["api", type.version] : ["apis", type.group, type.version]
        return root + (type.isNamespaced ? ["namespaces", namespace] : []) + [type.plural]
    }

    /// The port-forward of a pod; `ports` only for WebSocket channels.
    package static func portForward(
        pod: String,
        namespace: String,
        ports: [UInt16] = [],
        at server: ServerURL
    ) -> APIPath {
        APIPath(
            server,
            ["api", "v1", "namespaces", namespace, "pods", pod, "portforward"],
            query: ports.map { ("ports", "\($0)") }
        )
    }

    private init(_ server: ServerURL, _ segments: [String], query: [(String, String)] = []) {
        var text = server.basePath
        for segment in segments {
            precondition(
                !segment.isEmpty && PathSegment.problem(of: segment) == nil,
                "names are checked before a path is built of them"
            )
            text += "/" + PercentEncoding.encode(segment)
        }
        for (index, (name, value)) in query.enumerated() {
            text +=
                (index == 0 ? "?" : "&") + PercentEncoding.encode(name) + "=" + PercentEncoding.encode(value)
        }
        description = text
    }
}

/// The path of a request for objects: `/api/v1/namespaces/default/pods/demo/portforward`.
struct ResourcePath {
    let type: APIType
    /// Empty: every namespace, or none.
    let namespace: String
    /// Empty: all objects of the type.
    let name: String
    /// Empty: the object itself.
    let subresource: String

    /// nil: nothing of ours is there.
    init?(_ path: String) {
        var parts = path.split(separator: "/").map(String.init)[...]
        let group: String
        switch parts.popFirst() {
        case "api": group = ""
        case "apis":
            guard let name = parts.popFirst() else { return nil }
            group = name
        case _: return nil
        }
        guard let version = parts.popFirst() else { return nil }
        // Namespaces are objects too.
        if parts.first == "namespaces", parts.count > 2 {
            namespace = parts[parts.startIndex + 1]
            parts = parts.dropFirst(2)
        } else {
            namespace = ""
        }
        guard let plural = parts.popFirst(), parts.count <= 2,
            let type = APIType.all.first(where: {
                $0.plural == plural && $0.group == group && $0.version == version
            }), type.isNamespaced || namespace.isEmpty
        else { return nil }
        self.type = type
        name = parts.popFirst() ?? ""
        subresource = parts.popFirst() ?? ""
    }

    /// Such as `pods/portforward`.
    var resource: String { subresource.isEmpty ? type.plural : "\(type.plural)/\(subresource)" }
}

/// An object as the API shows it, with what selectors ask about.
struct APIObject {
    let type: APIType
    let namespace: String
    let name: String
    let labels: [(String, String)]
    /// Beside `metadata.name` and `metadata.namespace`, by the path that a field selector names.
    var fields: [String: String] = [:]
    let json: JSON

    /// What a field selector can ask about.
    var selectableFields: [String: String] {
        var fields = fields
        fields["metadata.name"] = name
        fields["metadata.namespace"] = namespace
        return fields
    }
}

/// A change of an object, as a watch tells it.
struct APIChange {
    enum Kind: String {
        case added = "ADDED"
        case modified = "MODIFIED"
        case deleted = "DELETED"
    }

    let kind: Kind
    let version: Int
    let object: APIObject
}

/// A question for objects of one type: where, and which.
struct ObjectQuery {
    let type: APIType
    /// Empty: in every namespace.
    let namespace: String
    let labels: LabelQuery
    let fields: FieldQuery

    func accepts(_ object: APIObject) -> Bool {
        object.type == type && (namespace.isEmpty || object.namespace == namespace)
            && labels.accepts(object.labels) && fields.accepts(object.selectableFields)
    }
}

/// A mapping of a YAML document that is read field by field, with its place for errors.
///
/// What a start has to read is read so, and not by `Decodable`: for each type that is decoded the Swift run time looks
/// through all conformances of the program.
struct YAMLFields {
    /// One of the fields, or an element of a list in one.
    struct Field {
        let node: YAMLNode
        /// From the document on, such as `clusters[0].cluster`; empty for the document itself.
        let place: String

        /// The error for a value that is not what it has to be.
        private func mismatch(_ wanted: String, isText: Bool = false) -> YAMLError {
            let place = place.isEmpty ? "the document" : place
            var problem = "\(place) must be \(wanted), not \(node.typeName)"
            if case .scalar = node.value, isText, !node.isNull { problem += " (put it in quotes)" }
            return YAMLError(line: node.line, problem: problem)
        }

        func text() throws(YAMLError) -> String {
            switch node.value {
            case .scalar(let text, .string), .scalar(let text, .merge): return text
            case .scalar, .sequence, .mapping: throw mismatch("text", isText: true)
            }
        }

        func bool() throws(YAMLError) -> Bool {
            guard case .scalar(_, .bool(let flag)) = node.value else { throw mismatch("true or false") }
            return flag
        }

        func fields() throws(YAMLError) -> YAMLFields {
            guard case .mapping = node.value else { throw mismatch("a mapping") }
            return YAMLFields(field: self)
        }

        /// What `read` makes of each element, in order.
        func list<Element>(
            _ read: (Field) throws(YAMLError) -> Element
        ) throws(YAMLError) -> [Element] {
            guard case .sequence(let nodes) = node.value else { throw mismatch("a list") }
            var elements: [Element] = []
            elements.reserveCapacity(nodes.count)
            for (index, node) in nodes.enumerated() {
                elements.append(try read(Field(node: node, place: "\(place)[\(index)]")))
            }
            return elements
        }

        /// What `read` makes of each value of a mapping.
        func table<Value>(
            _ read: (Field) throws(YAMLError) -> Value
        ) throws(YAMLError) -> [String: Value] {
            guard case .mapping(let entries) = node.value else { throw mismatch("a mapping") }
            var table: [String: Value] = [:]
            for entry in entries {
                table[entry.key] = try read(Field(node: entry.value, place: place + "." + entry.key))
            }
            return table
        }
    }

    private let field: Field

    private init(field: Field) { self.field = field }

    /// The fields of a whole document.
    init(document: YAMLNode) throws(YAMLError) {
        self = try Field(node: document, place: "").fields()
    }

    /// The field of this name; nil where there is none, or null.
    subscript(name: String) -> Field? {
        guard let node = field.node[name], !node.isNull else { return nil }
        return Field(node: node, place: place(of: name))
    }

    /// The text of a field that must be there.
    func requiredText(_ name: String) throws(YAMLError) -> String {
        guard let node = field.node[name] else {
            throw YAMLError(line: field.node.line, problem: "\(field.place) lacks \(name)")
        }
        return try Field(node: node, place: place(of: name)).text()
    }

    func text(_ name: String) throws(YAMLError) -> String? { try self[name]?.text() }

    func secret(_ name: String) throws(YAMLError) -> Redacted<String>? {
        guard let text = try text(name) else { return nil }
        return Redacted(text)
    }

    func bool(_ name: String) throws(YAMLError) -> Bool? { try self[name]?.bool() }

    func texts(_ name: String) throws(YAMLError) -> [String]? {
        try self[name]?.list { (field) throws(YAMLError) in try field.text() }
    }

    private func place(of name: String) -> String {
        field.place.isEmpty ? name : field.place + "." + name
    }
}

extension JSONValue {
    /// The value that a YAML document has, as JSON has it.
    ///
    /// Recursion is bounded by ``YAMLLimits/depthMax``.
    init(_ node: YAMLNode) {
        switch node.value {
        case .scalar(let text, let type):
            switch type {
            case .null: self = .null
            case .bool(let flag): self = .bool(flag)
            case .number(let number): self = Double(number).map { .number($0) } ?? .string(text)
            case .string, .merge: self = .string(text)
            }
        case .sequence(let elements): self = .array(elements.map { JSONValue($0) })
        case .mapping(let entries):
            var members: [String: JSONValue] = [:]
            for entry in entries { members[entry.key] = JSONValue(entry.value) }
            self = .object(members)
        }
    }
}

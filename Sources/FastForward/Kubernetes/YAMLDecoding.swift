#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

// From the tree to `Decodable` types by way of JSON text, as kubectl does it (sigs.k8s.io/yaml). An error of the
// JSON decoder names a path; the tree knows the line of that path.

extension YAMLNode {
    /// Decodes this value as `type`.
    ///
    /// Throws ``YAMLError`` with the line and the path of what does not fit; never the value itself, which may be
    /// a secret.
    func decode<Result: Decodable>(_ type: Result.Type) throws(YAMLError) -> Result {
        do {
            return try JSONDecoder().decode(type, from: Data(json))
        } catch let error as DecodingError {
            throw self.error(for: error)
        } catch {
            throw YAMLError(line: line, problem: "unreadable value")
        }
    }

    /// This value as JSON text.
    var json: [UInt8] {
        var output: [UInt8] = []
        write(to: &output)
        return output
    }

    /// Recursion is bounded by ``YAMLLimits/depthMax``.
    private func write(to output: inout [UInt8]) {
        switch value {
        case .scalar(let text, let type):
            switch type {
            case .null: output += "null".utf8
            case .bool(let flag): output += (flag ? "true" : "false").utf8
            case .number(let number): output += number.utf8
            case .string, .merge: Self.writeString(text, to: &output)
            }
        case .sequence(let elements):
            output.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                element.write(to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .mapping(let entries):
            output.append(UInt8(ascii: "{"))
            for (index, entry) in entries.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                Self.writeString(entry.key, to: &output)
                output.append(UInt8(ascii: ":"))
                entry.value.write(to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    /// RFC 8259 §7: the quote, the backslash and U+0000 to U+001F are escaped.
    private static func writeString(_ text: String, to output: inout [UInt8]) {
        let hexDigits = Array("0123456789abcdef".utf8)
        output.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                output.append(UInt8(ascii: "\\"))
                output.append(byte)
            case 0..<0x20:
                output += "\\u00".utf8
                output.append(hexDigits[Int(byte >> 4)])
                output.append(hexDigits[Int(byte & 15)])
            case _:
                output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    private func error(for error: DecodingError) -> YAMLError {
        switch error {
        case .typeMismatch(let expected, let context), .valueNotFound(let expected, let context):
            let (place, node) = find(context.codingPath)
            let isQuotable = expected == String.self && node.isScalar && !node.isNull
            let problem = "\(place) must be \(Self.name(of: expected)), not \(node.typeName)"
            return YAMLError(line: node.line, problem: isQuotable ? problem + " (put it in quotes)" : problem)
        case .keyNotFound(let key, let context):
            let (place, node) = find(context.codingPath)
            return YAMLError(line: node.line, problem: "\(place) lacks \(key.stringValue)")
        case .dataCorrupted(let context):
            let (place, node) = find(context.codingPath)
            return YAMLError(line: node.line, problem: "\(place) is not valid")
        @unknown default:
            return YAMLError(line: line, problem: "unreadable value")
        }
    }

    private var isScalar: Bool {
        guard case .scalar = value else { return false }
        return true
    }

    /// The path as text (`clusters[0].cluster.server`) and the value there, or the last one on the way.
    private func find(_ path: [any CodingKey]) -> (String, YAMLNode) {
        var text = ""
        var node = self
        for key in path {
            if let index = key.intValue {
                text += "[\(index)]"
                node = node[index] ?? node
            } else {
                text += (text.isEmpty ? "" : ".") + key.stringValue
                node = node[key.stringValue] ?? node
            }
        }
        return (text.isEmpty ? "the document" : text, node)
    }

    private static func name(of type: Any.Type) -> String {
        if type == String.self { return "text" }
        if type == Bool.self { return "true or false" }
        if type is any FixedWidthInteger.Type || type == Double.self { return "a number" }
        if String(describing: type).hasPrefix("Array") { return "a list" }
        return "a mapping"
    }
}

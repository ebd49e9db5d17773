/// The fields of a head or a request: names and values in the order of the wire.
///
/// Names compare without regard to ASCII case (RFC 9110 §5.1); they are kept as they were written. Look-up is
/// O(number of fields). Two lists are equal only if names are spelled alike.
package struct HTTPFields: Equatable, Sendable {
    package struct Field: Equatable, Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package private(set) var all: [Field] = []

    package init() {}

    /// Adds a field behind the others, whether or not one of this name is there.
    package mutating func append(_ name: String, _ value: String) {
        all.append(Field(name: name, value: value))
    }

    /// Adds the fields of another list behind these.
    package mutating func append(contentsOf other: HTTPFields) {
        all.append(contentsOf: other.all)
    }

    /// Makes `value` the only one of this name; `nil` leaves none.
    package mutating func set(_ name: String, _ value: String?) {
        all.removeAll { $0.name.isEqualIgnoringASCIICase(to: name) }
        if let value { append(name, value) }
    }

    /// The first value of this name.
    package subscript(name: String) -> String? {
        all.first { $0.name.isEqualIgnoringASCIICase(to: name) }?.value
    }

    /// Every value of this name, in order.
    package func values(of name: String) -> [String] {
        all.filter { $0.name.isEqualIgnoringASCIICase(to: name) }.map(\.value)
    }

    /// The elements of a comma-separated list that may be spread over several fields (RFC 9110 §5.6.1).
    ///
    /// White space around elements and empty elements are dropped. Quoted strings are not understood: no field
    /// that is read so has them.
    package func elements(of name: String) -> [String] {
        values(of: name).flatMap { value in
            value.utf8.split(separator: UInt8(ascii: ",")).compactMap { element in
                let trimmed = Substring(element).trimmingHTTPWhitespace()
                return trimmed.isEmpty ? nil : String(trimmed)
            }
        }
    }

    /// Whether the comma-separated list `name` holds `element`, without regard to ASCII case.
    ///
    /// `Connection: keep-alive, Upgrade` contains `upgrade`.
    package func contains(_ element: String, in name: String) -> Bool {
        elements(of: name).contains { $0.isEqualIgnoringASCIICase(to: element) }
    }
}

extension HTTPFields: ExpressibleByDictionaryLiteral {
    /// The literal's order and repeated names are kept.
    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }
}

extension HTTPFields: CustomStringConvertible {
    /// The fields, one a line, without the credentials: what is logged by mistake harms nobody.
    package var description: String {
        all.map { field in
            let isSecret = ["Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"].contains {
                $0.isEqualIgnoringASCIICase(to: field.name)
            }
            return "\(field.name): \(isSecret ? "…" : field.value)"
        }.joined(separator: "\n")
    }
}

extension StringProtocol {
    /// Whether both are the same but for the case of ASCII letters.
    func isEqualIgnoringASCIICase(to other: some StringProtocol) -> Bool {
        utf8.elementsEqual(other.utf8) { $0 == $1 || $0.asciiLowercased == $1.asciiLowercased }
    }
}

extension Substring {
    /// Without the spaces and tabs at both ends (OWS, RFC 9110 §5.6.3).
    fileprivate func trimmingHTTPWhitespace() -> Substring {
        var text = utf8
        while let byte = text.first, byte.isHTTPWhitespace { text.removeFirst() }
        while let byte = text.last, byte.isHTTPWhitespace { text.removeLast() }
        return Substring(text)
    }
}

/// What a header block is made of: a text whose length is known before.
package protocol SPDYHeaderText {
    /// The length of the text form, in bytes.
    var textBytes: Int { get }
    /// Appends the text form: exactly ``textBytes``.
    func appendText(to buffer: inout ByteBuffer)
}

/// The headers that open a stream: names with one or more values, in order (§2.6.10).
///
/// The text form, before compression:
///
///     count (32)   then, count times:   length (32) | name   length (32) | value, or values with NUL between
package struct SPDYHeaders: Equatable, Sendable, ExpressibleByDictionaryLiteral, SPDYHeaderText {
    /// How many headers a block may have.
    ///
    /// Kubernetes sends three. A hundred is what HTTP servers commonly allow.
    package static let headerCountMax = 100

    /// One name with its values.
    package struct Field: Equatable, Sendable {
        package let name: String
        package let values: [String]
    }

    package private(set) var fields: [Field] = []

    package init() {}

    /// Headers with one value each.
    ///
    /// - Parameter elements: names in lower case, each once.
    package init(dictionaryLiteral elements: (String, String)...) {
        fields.reserveCapacity(elements.count)
        for (name, value) in elements { append(name, [value]) }
    }

    /// Adds a header behind the others.
    ///
    /// - Parameters:
    ///   - name: in lower case, not empty, and not there yet.
    ///   - values: at least one; none with a NUL in it; where there are several, none is empty.
    package mutating func append(_ name: String, _ values: [String]) {
        precondition(!name.isEmpty, "a header needs a name")
        precondition(!name.utf8.contains(where: isUpperCase), "SPDY wants header names in lower case")
        precondition(self[name] == nil, "a header stands in a block once; give it several values")
        precondition(!values.isEmpty, "a header has a value, which may be empty")
        precondition(
            values.allSatisfy { !$0.utf8.contains(0) && (values.count == 1 || !$0.isEmpty) },
            "NUL separates values, so none contains it and none of several is empty"
        )
        precondition(fields.count < Self.headerCountMax, "too many headers")
        fields.append(Field(name: name, values: values))
    }

    /// The first value of a header; nil where there is no such header.
    package subscript(name: String) -> String? {
        fields.first { $0.name == name }?.values.first
    }

    // MARK: The text form

    /// The length of the text form, in bytes.
    package var textBytes: Int {
        fields.reduce(4) { total, field in
            let valueBytes = field.values.reduce(field.values.count - 1) { $0 + $1.utf8.count }
            return total + 4 + field.name.utf8.count + 4 + valueBytes
        }
    }

    /// Appends the text form: exactly ``textBytes``.
    package func appendText(to buffer: inout ByteBuffer) {
        buffer.append(bigEndian: UInt32(fields.count))
        for field in fields {
            buffer.append(bigEndian: UInt32(field.name.utf8.count))
            buffer.append(field.name)
            let valueBytes = field.values.reduce(field.values.count - 1) { $0 + $1.utf8.count }
            buffer.append(bigEndian: UInt32(valueBytes))
            for (index, value) in field.values.enumerated() {
                if index > 0 { buffer.append(0) }
                buffer.append(value)
            }
        }
    }

    /// Reads the text form.
    ///
    /// - Parameter text: a whole block, inflated.
    init(decoding text: RawSpan) throws(HeaderBlockFault) {
        var reader = try HeaderTextReader(text)
        while let (name, value) = try reader.next(text) {
            let index = fields.count
            guard !name.isEmpty else { throw .emptyName(index: index) }
            for offset in name where isUpperCase(text.byte(at: offset)) { throw .upperCaseName(index: index) }
            let field = Field(
                name: String(lossy: text.extracting(name)),
                values: try Self.values(in: text, value, index: index)
            )
            guard self[field.name] == nil else { throw .duplicateName(index: index) }
            fields.append(field)
        }
    }

    /// Checks that the counts and lengths of a text form fit, for a block that nobody wants.
    static func validate(_ text: RawSpan) throws(HeaderBlockFault) {
        var reader = try HeaderTextReader(text)
        while try reader.next(text) != nil {}
    }

    private static func values(
        in text: RawSpan,
        _ range: Range<Int>,
        index: Int
    ) throws(HeaderBlockFault) -> [String] {
        var values: [String] = []
        var start = range.lowerBound
        for offset in range where text.byte(at: offset) == 0 {
            guard offset > start else { throw .emptyValue(index: index) }
            values.append(String(lossy: text.extracting(start..<offset)))
            start = offset + 1
        }
        guard values.isEmpty || start < range.upperBound else { throw .emptyValue(index: index) }
        values.append(String(lossy: text.extracting(start..<range.upperBound)))
        return values
    }
}

private func isUpperCase(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
}

/// Walks over the headers of a text form and checks every count and length against what is there.
private struct HeaderTextReader {
    private var headersLeft: UInt32
    private var cursor = 4

    init(_ text: RawSpan) throws(HeaderBlockFault) {
        guard text.byteCount >= 4 else { throw .truncated }
        headersLeft = text.bigEndian(UInt32.self, at: 0)
        guard headersLeft <= SPDYHeaders.headerCountMax else { throw .tooManyHeaders(count: headersLeft) }
    }

    /// The places of the next name and its value; nil behind the last one.
    mutating func next(_ text: RawSpan) throws(HeaderBlockFault) -> (name: Range<Int>, value: Range<Int>)? {
        guard headersLeft > 0 else {
            guard cursor == text.byteCount else { throw .trailingBytes(text.byteCount - cursor) }
            return nil
        }
        headersLeft -= 1
        let name = try takeCounted(text)
        let value = try takeCounted(text)
        return (name, value)
    }

    private mutating func takeCounted(_ text: RawSpan) throws(HeaderBlockFault) -> Range<Int> {
        guard text.byteCount - cursor >= 4 else { throw .truncated }
        let count = Int(text.bigEndian(UInt32.self, at: cursor))
        cursor += 4
        guard text.byteCount - cursor >= count else { throw .truncated }
        defer { cursor += count }
        return cursor..<cursor + count
    }
}

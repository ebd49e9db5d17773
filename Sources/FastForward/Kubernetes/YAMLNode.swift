/// Why a YAML text was refused, and where.
package struct YAMLError: Error, Equatable, CustomStringConvertible {
    /// From 1; nil where the text as a whole is meant.
    package let line: Int?
    package let problem: String

    package var description: String {
        guard let line else { return problem }
        return "line \(line): \(problem)"
    }
}

/// A value in a YAML document, with the line that it stands on.
struct YAMLNode {
    enum Value {
        case scalar(text: String, YAMLScalarType)
        case sequence([YAMLNode])
        case mapping([YAMLEntry])
    }

    let value: Value
    /// From 1.
    let line: Int
    /// Levels of sequences and mappings below and including this one; 0 for a scalar.
    let height: Int
    /// What this value costs written out in full, every alias expanded, in bytes (``YAMLLimits``).
    let expandedBytes: Int

    /// The value of `key`, where this is a mapping that has it.
    subscript(key: String) -> YAMLNode? {
        guard case .mapping(let entries) = value else { return nil }
        return entries.first { $0.key == key }?.value
    }

    /// The element at `index`, where this is a sequence that reaches so far.
    subscript(index: Int) -> YAMLNode? {
        guard case .sequence(let elements) = value, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// What this is, for an error text.
    var typeName: String {
        switch value {
        case .sequence: return "a list"
        case .mapping: return "a mapping"
        case .scalar(_, let type):
            switch type {
            case .null: return "null"
            case .bool: return "a boolean"
            case .number: return "a number"
            case .string, .merge: return "text"
            }
        }
    }

    /// Whether this is an absent value: nothing, `~` or `null`.
    var isNull: Bool {
        guard case .scalar(_, .null) = value else { return false }
        return true
    }
}

/// A key and its value in a mapping.
struct YAMLEntry {
    let key: String
    var value: YAMLNode
}

/// What a scalar without quotes means, by the rules of YAML 1.1 as kubectl applies them.
///
/// Source: go-yaml v2 resolve.go, by way of sigs.k8s.io/yaml. So `yes`, `on` and `y` are booleans, and `012` is
/// a number; dates stay text. Numbers that JSON lacks (`.inf`, `.nan`) stay text too.
enum YAMLScalarType: Equatable {
    case null
    case bool(Bool)
    /// As JSON writes it.
    case number(String)
    case string
    /// The key `<<`.
    case merge

    init(plain text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": self = .bool(true)
        case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": self = .bool(false)
        case "<<": self = .merge
        default:
            if let number = Self.number(text) { self = .number(number) } else { self = .string }
        }
    }

    private static func number(_ text: String) -> String? {
        guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first), text.utf8.count <= 400 else {
            return nil
        }
        let digits = text.replacing("_", with: "")
        if let integer = integer(digits) { return integer }
        guard isDecimal(digits),
            let value = Double(digits.hasPrefix("+") ? String(digits.dropFirst()) : digits),
            value.isFinite
        else { return nil }
        return "\(value)"
    }

    /// An integer of at most 64 bits with an optional sign and a prefix that tells its base (go-yaml v2 resolve.go).
    private static func integer(_ text: String) -> String? {
        var digits = text[...]
        let isNegative = digits.hasPrefix("-")
        if isNegative || digits.hasPrefix("+") { digits = digits.dropFirst() }
        var radix = 10
        let prefixes = [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8), ("0", 8)]
        if digits != "0", let (prefix, base) = prefixes.first(where: { digits.hasPrefix($0.0) }) {
            radix = base
            digits = digits.dropFirst(prefix.count)
        }
        // A second sign is none of Go's.
        guard digits.utf8.first?.isASCIIHexDigit == true, let magnitude = UInt64(digits, radix: radix) else {
            return nil
        }
        return isNegative ? "-\(magnitude)" : "\(magnitude)"
    }

    /// Whether `text` has the form `[-+]? (\.d+ | d+(\.d*)?) ([eE][-+]?d+)?` (go-yaml v2 resolve.go).
    private static func isDecimal(_ text: String) -> Bool {
        var rest = text.utf8[...]
        func digits(_ rest: inout Substring.UTF8View.SubSequence) -> Int {
            let count = rest.prefix { (0x30...0x39).contains($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        func skip(_ characters: String, _ rest: inout Substring.UTF8View.SubSequence) -> Bool {
            guard let first = rest.first, characters.utf8.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        _ = skip("+-", &rest)
        let whole = digits(&rest)
        let fraction = skip(".", &rest) ? digits(&rest) : 0
        guard whole + fraction > 0 else { return false }
        if skip("eE", &rest) {
            _ = skip("+-", &rest)
            guard digits(&rest) > 0 else { return false }
        }
        return rest.isEmpty
    }
}

/// The query parameter `labelSelector`: conditions on labels that must all be met.
///
/// Source: apimachinery `labels/selector.go`: `a`, `!a`, `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`.
struct LabelQuery {
    private enum Condition {
        case exists
        case isAbsent
        case isIn([String])
        /// True too where the label is absent.
        case isNotIn([String])
    }

    private var conditions: [(key: String, condition: Condition)] = []

    /// nil: the text is no selector.
    init?(_ text: String) {
        for piece in Self.pieces(of: text) {
            guard let condition = Self.condition(piece) else { return nil }
            conditions.append(condition)
        }
    }

    /// Everything that has these labels.
    init(_ labels: [(String, String)]) {
        conditions = labels.map { ($0.0, .isIn([$0.1])) }
    }

    func accepts(_ labels: [(String, String)]) -> Bool {
        conditions.allSatisfy { key, condition in
            let value = labels.first { $0.0 == key }?.1
            return switch condition {
            case .exists: value != nil
            case .isAbsent: value == nil
            case .isIn(let values): value.map { values.contains($0) } ?? false
            case .isNotIn(let values): value.map { !values.contains($0) } ?? true
            }
        }
    }

    /// Splits at the commas that stand in no parentheses.
    private static func pieces(of text: String) -> [Substring] {
        var pieces: [Substring] = []
        var start = text.startIndex
        var depth = 0
        for index in text.indices {
            switch text[index] {
            case "(": depth += 1
            case ")": depth -= 1
            case "," where depth == 0:
                pieces.append(text[start..<index])
                start = text.index(after: index)
            case _: break
            }
        }
        pieces.append(text[start...])
        return pieces.filter { !$0.isEmpty }
    }

    private static func condition(_ text: Substring) -> (key: String, condition: Condition)? {
        let words = text.split(separator: " ", maxSplits: 2)
        if words.count == 3, words[1] == "in" || words[1] == "notin", words[2].hasPrefix("("),
            words[2].hasSuffix(")")
        {
            let values = words[2].dropFirst().dropLast().split(separator: ",").map { withoutSpaces($0) }
            return (String(words[0]), words[1] == "in" ? .isIn(values) : .isNotIn(values))
        }
        if let (key, value, isEqual) = splitComparison(text) {
            return (key, isEqual ? .isIn([value]) : .isNotIn([value]))
        }
        let key = withoutSpaces(text)
        guard !key.isEmpty, !key.contains("(") else { return nil }
        return key.hasPrefix("!") ? (String(key.dropFirst()), .isAbsent) : (key, .exists)
    }
}

/// The query parameter `fieldSelector`: a few fields that must have these values, or not.
struct FieldQuery {
    /// Accepts everything.
    static let any = FieldQuery()

    private var conditions: [(field: String, value: String, isEqual: Bool)] = []

    private init() {}

    /// nil: the text is no selector.
    init?(_ text: String) {
        for piece in text.split(separator: ",") {
            guard let (field, value, isEqual) = splitComparison(piece) else { return nil }
            conditions.append((field, value, isEqual))
        }
    }

    func accepts(_ fields: [String: String]) -> Bool {
        conditions.allSatisfy { ((fields[$0.field] ?? "") == $0.value) == $0.isEqual }
    }
}

/// The sides of `a=b`, `a==b` or `a!=b`; nil: it is none of them.
private func splitComparison(_ text: Substring) -> (key: String, value: String, isEqual: Bool)? {
    for (sign, isEqual) in [("!=", false), ("==", true), ("=", true)] {
        guard let range = text.firstRange(of: sign) else { continue }
        let key = withoutSpaces(text[..<range.lowerBound])
        return key.isEmpty ? nil : (key, withoutSpaces(text[range.upperBound...]), isEqual)
    }
    return nil
}

private func withoutSpaces(_ text: Substring) -> String { String(text.filter { $0 != " " }) }

/// A file of the project: where it is, and what it says.
struct SourceText {
    /// From the project's root, with slashes: `Sources/FastForward/Loop/Transport.swift`.
    let path: String
    let text: String
    /// The text with comments and string literals blanked, line by line as long as before: only this is code.
    let code: String

    init(path: String, text: String) {
        self.path = path
        self.text = text
        code = path.hasSuffix(".swift") ? SwiftBlanking.code(of: text) : text
    }

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    var codeLines: [Substring] { code.split(separator: "\n", omittingEmptySubsequences: false) }

    /// The folder below `Sources/`, such as `FastForward/Loop`, `ffwd`; nil elsewhere.
    var sourceFolder: String? {
        let parts = path.split(separator: "/")
        guard parts.first == "Sources", parts.count > 2 else { return nil }
        return parts[1] == "FastForward" && parts.count > 3 ? "FastForward/\(parts[2])" : String(parts[1])
    }

    func complaint(line: Int, _ sentence: String) -> String { "\(path):\(line): \(sentence)" }
}

/// Tells code from comments and string literals, well enough for rules about names.
///
/// Interpolations are code. Literals in extended delimiters (`#"…"#`) are blanked whole.
struct SwiftBlanking {
    /// Stands for a character of a literal; one of a comment becomes a space.
    static let literal: Character = "\u{1}"

    private let source: [Character]
    private var result: [Character] = []
    private var position = 0

    static func code(of text: String) -> String {
        var blanking = SwiftBlanking(source: Array(text))
        blanking.readCode(untilParenthesis: false)
        return String(blanking.result)
    }

    private init(source: [Character]) {
        self.source = source
        result.reserveCapacity(source.count)
    }

    private func stands(_ text: String) -> Bool {
        var index = position
        for character in text {
            guard index < source.count, source[index] == character else { return false }
            index += 1
        }
        return true
    }

    private mutating func keep(_ count: Int = 1) {
        result += source[position..<min(position + count, source.count)]
        position += count
    }

    private mutating func blank(_ count: Int = 1, with filling: Character) {
        for index in position..<min(position + count, source.count) {
            result.append(source[index] == "\n" ? "\n" : filling)
        }
        position += count
    }

    private mutating func readCode(untilParenthesis: Bool) {
        var depth = 0
        while position < source.count {
            if stands("//") {
                while position < source.count, source[position] != "\n" { blank(with: " ") }
            } else if stands("/*") {
                readBlockComment()
            } else if stands("\"") {
                readLiteral(hashes: 0)
            } else if stands("#\"") || stands("##\"") {
                readLiteral(hashes: stands("#\"") ? 1 : 2)
            } else if stands("(") {
                depth += 1
                keep()
            } else if stands(")") {
                keep()
                depth -= 1
                if untilParenthesis, depth == 0 { return }
            } else {
                keep()
            }
        }
    }

    private mutating func readBlockComment() {
        var depth = 0
        repeat {
            if stands("/*") {
                depth += 1
                blank(2, with: " ")
            } else if stands("*/") {
                depth -= 1
                blank(2, with: " ")
            } else {
                blank(with: " ")
            }
        } while depth > 0 && position < source.count
    }

    private mutating func readLiteral(hashes: Int) {
        let hash = String(repeating: "#", count: hashes)
        blank(hashes, with: Self.literal)
        let quotes = stands("\"\"\"") ? "\"\"\"" : "\""
        blank(quotes.count, with: Self.literal)
        while position < source.count {
            if stands(quotes + hash) {
                blank(quotes.count + hashes, with: Self.literal)
                return
            } else if hashes == 0, stands("\\(") {
                blank(with: Self.literal)
                readCode(untilParenthesis: true)
            } else if hashes == 0, stands("\\") {
                blank(2, with: Self.literal)
            } else {
                blank(with: Self.literal)
            }
        }
    }
}

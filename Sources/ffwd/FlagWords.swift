import FastForward

/// What is wrong with an option, in the words of kubectl's flag parser (github.com/spf13/pflag).
enum FlagError: Error, Equatable, CustomStringConvertible {
    case badSyntax(String)
    case unknown(String)
    /// A short one, in a word that may hold several.
    case unknownShorthand(Character, word: String)
    case missingValue(String)
    case missingShorthandValue(Character, word: String)
    case badValue(String, flag: String, problem: String)

    var description: String {
        let text =
            switch self {
            case .badSyntax(let word): "bad flag syntax: \(word)"
            case .unknown(let name): "unknown flag: \(name)"
            case .unknownShorthand(let letter, let word): "unknown shorthand flag: '\(letter)' in \(word)"
            case .missingValue(let name): "flag needs an argument: \(name)"
            case .missingShorthandValue(let letter, let word):
                "flag needs an argument: '\(letter)' in \(word)"
            case .badValue(let value, let flag, let problem):
                "invalid argument \(Self.quoted(value)) for \"\(flag)\" flag: \(problem)"
            }
        return text.escapedForTerminal()
    }

    fileprivate static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

/// A command line read as pflag reads it, and written as ArgumentParser wants it.
///
/// A word with a dash is a name; where its option takes a value, that is what stands behind `=` or else the next
/// word, whatever it is. A flag may be given a truth value, and the last word on it counts.
struct FlagWords {
    /// The command line again: options with their values in words of their own, no truth values.
    var words: [String] { flags.filter(\.value).keys.sorted() + others }

    private var flags: [String: Bool] = [:]
    private var others: [String] = []
    private let table: OptionTable
    private var rest: ArraySlice<String>

    /// ArgumentParser's own, which its description does not list.
    private static let builtIn = ["--help", "-h", "--version", "--help-hidden", "--experimental-dump-help"]

    init(_ arguments: [String], table: OptionTable) throws {
        self.table = table
        rest = arguments[...]
        do throws(FlagError) {
            while let word = rest.popFirst() {
                if word == "--" {
                    others.append(word)
                    others += rest
                    return
                }
                if word == "-" || !word.hasPrefix("-") || Self.builtIn.contains(word) {
                    others.append(word)
                } else if word.hasPrefix("--") {
                    try readLong(word)
                } else {
                    try readShort(word)
                }
            }
        } catch {
            throw UsageError.flag(error)
        }
    }

    private mutating func readLong(_ word: String) throws(FlagError) {
        let name = String(word.prefix { $0 != "=" })
        let value: String? = name == word ? nil : String(word.dropFirst(name.count + 1))
        guard name.count > 2, !name.hasPrefix("---") else { throw .badSyntax(word) }
        guard let option = table.option(named: name) else { throw .unknown(name) }
        guard option.takesValue else {
            return try set(option, as: name, to: value)
        }
        guard let value = value ?? rest.popFirst() else { throw .missingValue(name) }
        others += [name, value]
    }

    private mutating func readShort(_ word: String) throws(FlagError) {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            let name = "-\(letter)"
            let whole = "-\(letter)\(letters)"
            guard let option = table.option(named: name) else {
                guard letter != "h" else {
                    others.append("--help")
                    continue
                }
                throw .unknownShorthand(letter, word: whole)
            }
            let value: String? = letters.first == "=" ? String(letters.dropFirst()) : nil
            guard option.takesValue else {
                try set(option, as: name, to: value)
                if value != nil { return }
                continue
            }
            let joined = letters.isEmpty ? nil : String(letters)
            guard let value = value ?? joined ?? rest.popFirst() else {
                throw .missingShorthandValue(letter, word: whole)
            }
            others += [name, value]
            return
        }
    }

    /// - Parameter value: as in `--flag=value`, by the rules of Go's `strconv.ParseBool`; nil: true.
    private mutating func set(
        _ flag: OptionTable.Option,
        as name: String,
        to value: String?
    ) throws(FlagError) {
        let isSet: Bool
        switch value {
        case nil, "1", "t", "T", "true", "TRUE", "True": isSet = true
        case "0", "f", "F", "false", "FALSE", "False": isSet = false
        case .some(let text):
            let short = flag.names.first { !$0.hasPrefix("--") }
            throw .badValue(
                text,
                flag: short.map { "\($0), \(flag.name)" } ?? flag.name,
                problem: "strconv.ParseBool: parsing \(FlagError.quoted(text)): invalid syntax"
            )
        }
        flags[flag.name] = isSet
    }
}

/// A command line in the middle of its typing: what stands before the cursor.
struct CommandWords: Equatable {
    /// What the word at the cursor is.
    enum Current: Equatable {
        /// The beginning of an option's name, with its dashes.
        case optionName(String)
        /// The beginning of a value; `head` is what stands before it in the same word, such as `--namespace=`.
        case value(option: String, head: String, beginning: String)
        /// The beginning of a positional argument.
        case argument(String)
    }

    /// The values of the options so far, by the long names; a flag has an empty one.
    ///
    /// Of an option that is repeated, the last.
    private(set) var options: [String: String] = [:]
    private(set) var arguments: [String] = []
    private(set) var current = Current.argument("")

    /// Reads the words behind the command's name, of which the last is at the cursor (and may be empty).
    init(_ words: [String], table: OptionTable) {
        var isAwaited: OptionTable.Option?
        var endsOptions = false
        for word in words.dropLast() {
            if let option = isAwaited {
                options[option.name] = word
                isAwaited = nil
            } else if endsOptions || word == "-" || !word.hasPrefix("-") {
                arguments.append(word)
            } else if word == "--" {
                endsOptions = true
            } else {
                isAwaited = read(word, table)
            }
        }
        let last = words.last ?? ""
        if let option = isAwaited {
            current = .value(option: option.name, head: "", beginning: last)
        } else if endsOptions || !last.hasPrefix("-") {
            current = .argument(last)
        } else if last.hasPrefix("--"), let equals = last.firstIndex(of: "="),
            let option = table.option(named: String(last[..<equals])), option.takesValue
        {
            let value = last.index(after: equals)
            current = .value(
                option: option.name,
                head: String(last[..<value]),
                beginning: String(last[value...])
            )
        } else {
            current = .optionName(last)
        }
    }

    /// Reads a word that begins with a dash.
    ///
    /// - Returns: the option whose value the next word is.
    private mutating func read(_ word: String, _ table: OptionTable) -> OptionTable.Option? {
        if word.hasPrefix("--") {
            let pieces = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let option = table.option(named: String(pieces[0])) else { return nil }
            if pieces.count == 2 || !option.takesValue {
                options[option.name] = pieces.count == 2 ? String(pieces[1]) : ""
                return nil
            }
            return option
        }
        // `-n shop`, `-nshop` and `-n=shop`.
        guard let option = table.option(named: String(word.prefix(2))) else { return nil }
        let value = word.dropFirst(2)
        guard option.takesValue, value.isEmpty else {
            options[option.name] = String(value.first == "=" ? value.dropFirst() : value)
            return nil
        }
        return option
    }
}

extension CommandWords {
    /// Splits what a shell has of a line into words, the last of which may be empty; quotes and backslashes are taken
    /// off, and a quotation that is not ended yet is one word to the end.
    ///
    /// Variables and substitutions stay as they are typed: completion runs nothing.
    static func split(line: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isInWord = false
        var quote: Character?
        var isEscaped = false
        for character in line {
            if isEscaped {
                word.append(character)
                isEscaped = false
            } else if let open = quote {
                if character == open {
                    quote = nil
                } else if character == "\\", open == "\"" {
                    isEscaped = true
                } else {
                    word.append(character)
                }
            } else if character == "\\" {
                (isEscaped, isInWord) = (true, true)
            } else if character == "'" || character == "\"" {
                (quote, isInWord) = (character, true)
            } else if character.isWhitespace {
                if isInWord { words.append(word) }
                (word, isInWord) = ("", false)
            } else {
                word.append(character)
                isInWord = true
            }
        }
        return words + [word]
    }
}

/// A word that may stand at the cursor.
struct Choice: Equatable {
    let word: String
    /// What it is, for shells that show it; one line.
    var description = ""
}

/// What a shell is to do with the choices.
///
/// The numbers are those of cobra's `ShellCompDirective`, which kubectl speaks with its plugins.
struct CompletionDirective: OptionSet {
    let rawValue: Int

    /// No space behind the chosen word: it is not whole yet.
    static let noSpace = CompletionDirective(rawValue: 2)
    /// Files are no choices where there are no others.
    static let noFiles = CompletionDirective(rawValue: 4)
}

/// The answer to a shell.
struct Completions: Equatable {
    var choices: [Choice] = []
    var directive: CompletionDirective = .noFiles

    /// Nothing is known, but files are welcome.
    static let files = Completions(directive: [])

    /// The lines that cobra's shells and kubectl read: choices, described behind a tab, and the directive.
    var lines: [String] {
        choices.map { $0.description.isEmpty ? $0.word : "\($0.word)\t\($0.description)" }
            + [":\(directive.rawValue)"]
    }
}

import FastForward

/// What shells and kubectl call to complete a command line; hidden, as no person types it.
///
///     ffwd __complete WORD... BEGINNING       the words behind the command's name, and the one at the cursor
///     ffwd __complete_line LINE CURRENT       the line up to the cursor, and the part of a word that bash replaces
///
/// Both print a choice a line, described behind a tab, and at last `:` with a ``CompletionDirective``.
enum CompletionCommand {
    static let name = "__complete"
    static let lineName = "__complete_line"

    /// The answer to `arguments`, where they ask for completions.
    static func answer(
        to arguments: [String],
        of invocation: Invocation,
        environment: [String: String],
        currentDirectory: String
    ) -> Completions? {
        var words: [String]
        /// What bash keeps of the word at the cursor: it begins anew behind `:` and `=`.
        var kept = ""
        if invocation.completesForKubectl {
            words = arguments
        } else if arguments.first == name {
            words = Array(arguments.dropFirst())
        } else if arguments.first == lineName, arguments.count == 3 {
            words = Array(CommandWords.split(line: arguments[1]).dropFirst())
            if let last = words.last, last.hasSuffix(arguments[2]) {
                kept = String(last.dropLast(arguments[2].count))
            }
        } else {
            return nil
        }
        if words.isEmpty { words = [""] }
        let home = environment["HOME"] ?? ""
        words = words.dropLast().map { expandingHome($0, home) } + words.suffix(1)

        let table = OptionTable.ofCommand()
        let facts = facts(of: words, table, environment, currentDirectory)
        let completer = Completer(table: table, words: CommandWords(words, table: table), facts: facts)
        var completions = completer.completions()
        completions.choices = completions.choices.filter { $0.word.hasPrefix(kept) }.map {
            // A tab or a line end would be taken for the protocol's.
            Choice(
                word: String($0.word.dropFirst(kept.count)).escapedForTerminal(),
                description: $0.description.escapedForTerminal()
            )
        }
        return completions
    }

    /// As what the line speaks to which cluster, as far as it is typed.
    private static func facts(
        of words: [String],
        _ table: OptionTable,
        _ environment: [String: String],
        _ currentDirectory: String
    ) -> ClusterFacts {
        var typed = Array(words.dropLast())
        // An option whose value is at the cursor says nothing yet.
        if case .value(_, "", _) = CommandWords(words, table: table).current { typed.removeLast() }
        let cluster = (try? PortForwardCommand.parse(typed))?.cluster
        var loader = KubeconfigLoader(
            explicitFile: cluster?.kubeconfig,
            environment: environment,
            currentDirectory: currentDirectory
        )
        loader.explicitKuberc = cluster?.kuberc
        // Nobody may be about to write into it.
        loader.acceptsPipes = false
        return ClusterFacts(loader: loader, flags: cluster?.flags ?? ClusterFlags())
    }

    /// Shells hand over `~/` as it is typed.
    private static func expandingHome(_ word: String, _ home: String) -> String {
        guard !home.isEmpty else { return word }
        if word.hasPrefix("~/") { return home + word.dropFirst() }
        guard word.hasPrefix("--"), let place = word.firstRange(of: "=~/") else { return word }
        return word[...place.lowerBound] + home + word[word.index(before: place.upperBound)...]
    }
}

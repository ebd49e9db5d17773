import FastForward

/// What completion asks of the kubeconfig and the cluster; nothing where they cannot be had.
protocol CompletionFacts {
    func contexts() -> [String]
    func clusters() -> [String]
    func users() -> [String]
    func namespaces() -> [String]
    /// The objects of a kind in the chosen namespace.
    func objects(of kind: TargetKind) -> [Choice]
    /// The TCP ports that an object declares.
    func ports(of target: TargetArgument) -> [DeclaredPort]
}

/// A port as a pod or service declares it.
struct DeclaredPort: Equatable {
    let number: Int
    let name: String?
}

/// Finds what may stand at the cursor of a command line.
///
/// The choices are those of kubectl's own port-forward (`pkg/util/completion/completion.go`), so that a finger's habit
/// holds; beyond it, ports are known by their names too, and to the second and later ports.
struct Completer {
    let table: OptionTable
    let words: CommandWords
    let facts: any CompletionFacts

    /// The choices for the word at the cursor.
    func completions() -> Completions {
        switch words.current {
        case .optionName(let beginning): Completions(choices: optionNames(beginning))
        case .value(let option, let head, let beginning): values(of: option, head, beginning)
        case .argument(let beginning):
            if let target = words.arguments.first {
                Completions(choices: ports(of: target, beginning))
            } else {
                targets(beginning)
            }
        }
    }

    // MARK: Options

    private func optionNames(_ beginning: String) -> [Choice] {
        table.options.filter { $0.isShown && ($0.isRepeating || words.options[$0.name] == nil) }
            .flatMap { option in option.names.map { Choice(word: $0, description: option.abstract) } }
            .filter { $0.word.hasPrefix(beginning) && $0.word != "--v" }
            .sorted { $0.word < $1.word }
    }

    private func values(of option: String, _ head: String, _ beginning: String) -> Completions {
        let values: [String]
        switch option {
        case "--kubeconfig", "--kuberc", "--client-certificate", "--client-key", "--certificate-authority":
            return .files
        case "--context": values = facts.contexts()
        case "--cluster": values = facts.clusters()
        case "--user": values = facts.users()
        case "--namespace": values = facts.namespaces()
        case "--address": values = ["localhost", "127.0.0.1", "::1", "0.0.0.0"]
        case let name: values = table.option(named: name)?.values ?? []
        }
        return Completions(
            choices: values.filter { $0.hasPrefix(beginning) }.map { Choice(word: head + $0) }
        )
    }

    // MARK: TYPE/NAME

    /// What may be forwarded to: a single pod leaves nothing to balance.
    private var kinds: [TargetKind] {
        TargetKind.allCases.filter { $0 != .pod || words.options["--balance"] == nil }
    }

    private func targets(_ beginning: String) -> Completions {
        if let slash = beginning.firstIndex(of: "/") {
            let head = beginning[...slash]
            // Which type it is says the parser of whole arguments, so it gets one.
            guard let kind = try? TargetArgument(head + "x").kind, kinds.contains(kind) else {
                return Completions()
            }
            let choices = facts.objects(of: kind).map {
                Choice(word: head + $0.word, description: $0.description)
            }
            return Completions(choices: choices.filter { $0.word.hasPrefix(beginning) })
        }
        let pods =
            kinds.contains(.pod) ? facts.objects(of: .pod).filter { $0.word.hasPrefix(beginning) } : []
        let types = kinds.map { Choice(word: $0.pluralName + "/") }
            .filter { $0.word.hasPrefix(beginning) }.sorted { $0.word < $1.word }
        // A name follows a type at once; kubectl says so only where there are no pods.
        return Completions(
            choices: pods + types,
            directive: pods.isEmpty && !types.isEmpty ? [.noSpace, .noFiles] : .noFiles
        )
    }

    // MARK: Ports

    private func ports(of target: String, _ beginning: String) -> [Choice] {
        guard let target = try? TargetArgument(target) else { return [] }
        let taken = Set(words.arguments.dropFirst().compactMap { $0.split(separator: ":").last })
        let declared = facts.ports(of: target).filter { port in
            !taken.contains(Substring("\(port.number)"))
                && !(port.name.map { taken.contains($0[...]) } ?? false)
        }
        let choices: [Choice]
        if let colon = beginning.firstIndex(of: ":") {
            choices = remotePorts(declared, behind: String(beginning[...colon]))
        } else if !beginning.isEmpty, beginning.allSatisfy(\.isNumber) {
            // What is typed is the local port.
            choices = remotePorts(declared, behind: beginning + ":")
        } else {
            choices =
                declared.map {
                    Choice(word: "\($0.number):\($0.number)", description: $0.name ?? "")
                }
                + declared.compactMap { port in
                    port.name.map { Choice(word: $0, description: "\(port.number)") }
                }
        }
        return choices.filter { $0.word.hasPrefix(beginning) }
    }

    private func remotePorts(_ declared: [DeclaredPort], behind head: String) -> [Choice] {
        declared.map { Choice(word: "\(head)\($0.number)", description: $0.name ?? "") }
            + declared.compactMap { port in
                port.name.map { Choice(word: head + $0, description: "\(port.number)") }
            }
    }
}

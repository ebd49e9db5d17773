import Testing

@testable import FastForward
@testable import ffwd

/// A cluster of few words.
private struct SmallCluster: CompletionFacts {
    func contexts() -> [String] { ["staging", "prod"] }
    func clusters() -> [String] { ["east"] }
    func users() -> [String] { ["jane"] }
    func namespaces() -> [String] { ["default", "shop"] }

    func objects(of kind: TargetKind) -> [Choice] {
        switch kind {
        case .pod: [Choice(word: "demo"), Choice(word: "pending", description: "Pending")]
        case .deployment: [Choice(word: "web")]
        case .service, .replicationController, .replicaSet, .statefulSet, .daemonSet, .job: []
        }
    }

    func ports(of target: TargetArgument) -> [DeclaredPort] {
        [DeclaredPort(number: 8080, name: "http"), DeclaredPort(number: 9000, name: nil)]
    }
}

@Suite struct `Completing a command line` {
    private static let table = OptionTable.ofCommand()

    private func completions(_ words: [String]) -> Completions {
        let typed = CommandWords(words, table: Self.table)
        return Completer(table: Self.table, words: typed, facts: SmallCluster()).completions()
    }

    @Test(arguments: [
        (
            [""],
            "demo pending daemonsets/ deployments/ jobs/ pods/ replicasets/ replicationcontrollers/ services/ statefulsets/"
        ),
        (["de"], "demo deployments/"),
        (["pod/"], "pod/demo pod/pending"),
        (["PO/d"], ""),
        (["--balance", "least", "p"], ""),
        (["--balance", "least", "de"], "deployments/"),
        (["--balance", "least", "pod/"], ""),
        (["--balance", "least", "deploy/"], "deploy/web"),
        (["Pod/d"], "Pod/demo"),
        (["deploy/w"], "deploy/web"),
        (["deployments.apps/"], "deployments.apps/web"),
        (["cm/"], ""),
        (["a/b/"], ""),
        (["-n", "shop", "d"], "demo daemonsets/ deployments/"),
        (["demo", ""], "8080:8080 9000:9000 http"),
        (["demo", "h"], "http"),
        (["demo", "80"], "80:8080 80:9000 80:http"),
        (["demo", "80:"], "80:8080 80:9000 80:http"),
        (["demo", ":"], ":8080 :9000 :http"),
        (["demo", "80:ht"], "80:http"),
        (["demo", "8080", ""], "9000:9000"),
        (["demo", "1:http", ""], "9000:9000"),
        (["demo", "1:9000", ""], "8080:8080 http"),
        (["--", "demo", "h"], "http"),
        (["--context", ""], "staging prod"),
        (["--context=s"], "--context=staging"),
        (["--namespace", "s"], "shop"),
        (["-n", ""], "default shop"),
        (["--cluster", ""], "east"),
        (
            ["--user=", ""],
            "demo pending daemonsets/ deployments/ jobs/ pods/ replicasets/ replicationcontrollers/ services/ statefulsets/"
        ),
        (["--user="], "--user=jane"),
        (["--transport", ""], "auto websocket spdy channels"),
        (["--half-close=h"], "--half-close=hold"),
        (["--token", ""], ""),
        (["--tr"], "--transport"),
        (["-n", "shop", "--name"], ""),
        (["-nshop", "--name"], ""),
        (["--address", "::1", "--addr"], "--address"),
        (["--insecure-skip-tls-verify", "demo", "h"], "http"),
    ])
    func `the choices are what may stand at the cursor`(words: [String], expected: String) {
        #expect(completions(words).choices.map(\.word).joined(separator: " ") == expected)
    }

    @Test(arguments: [
        (["de"], 4), (["depl"], 6), (["--kubeconfig", ""], 0), (["--client-key=/etc"], 0), (["demo", ""], 4),
        (["--token", ""], 4),
    ])
    func `a type has no space behind it, and only files are completed as files`(
        words: [String],
        expected: Int
    ) {
        #expect(completions(words).directive.rawValue == expected)
    }

    @Test func `the answer is in the words of kubectl's protocol`() {
        #expect(completions(["p"]).lines == ["pending\tPending", "pods/", ":4"])
        #expect(Completions.files.lines == [":0"])
    }

    @Test func `every option that help shows is completed, and none that it hides`() {
        let offered = Set(completions(["-"]).choices.map(\.word))
        #expect(
            offered.isSuperset(of: ["-n", "--namespace", "-s", "--kubeconfig", "-v", "--help", "--version"])
        )
        #expect(offered.isDisjoint(with: ["--cache-dir", "--profile", "--vmodule"]))
        #expect(completions(["-"]).choices.allSatisfy { !$0.description.isEmpty })
    }

    @Test(arguments: [
        ("ffwd pod/", ["ffwd", "pod/"]), ("ffwd ", ["ffwd", ""]),
        ("ffwd a\\ b 'c d' \"e\\\"f", ["ffwd", "a b", "c d", "e\"f"]),
        ("ffwd ''", ["ffwd", ""]), ("ffwd x 8080:ht", ["ffwd", "x", "8080:ht"]), ("", [""]),
        ("ffwd $(id) `x`", ["ffwd", "$(id)", "`x`"]),
    ])
    func `a line is split as a shell splits it, and nothing is run`(line: String, words: [String]) {
        #expect(CommandWords.split(line: line) == words)
    }
}

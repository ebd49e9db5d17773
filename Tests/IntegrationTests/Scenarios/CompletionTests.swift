import Foundation
import Testing

extension Integration {
    @Suite struct `Being completed` {
        private func ffwd(_ words: [String], in scenario: Scenario) throws -> [String] {
            let (exit, process) = try scenario.ffwd(
                ["__complete"] + words,
                environment: ["KUBECONFIG": scenario.cluster.kubeconfig]
            )
            #expect(exit == .status(0) && process.errors.text.isEmpty, "\(process.transcript)")
            return process.output.lines
        }

        /// The choices without their descriptions, and the directive, sorted.
        private func words(_ lines: [String]) -> [String] {
            lines.map { $0.components(separatedBy: "\t")[0] }.sorted()
        }

        @Test func `a cluster's types, names and ports are the choices that kubectl has`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let lines = [
                    [""], ["de"], ["pod/"], ["po/d"], ["svc/"], ["x/"], ["demo", "80:"], ["svc/demo", "81"],
                    ["-n", ""], ["--namespace", "d"], ["--context", ""], ["--cluster", ""], ["--user", ""],
                    ["--kubeconfig", ""], ["-n", "default", "pods/d"], ["-n", "none", "pods/"],
                ]
                for line in lines {
                    let kubectl = try scenario.start(
                        [Programs.kubectl(), "__complete", "port-forward"] + line,
                        environment: ["KUBECONFIG": scenario.cluster.kubeconfig]
                    )
                    #expect(try kubectl.waitForExit(until: scenario.deadline) == .status(0))
                    // Ports have names here, besides.
                    let ours = words(try ffwd(line, in: scenario)).filter {
                        $0.wholeMatch(of: /[0-9]*:[a-z].*/) == nil
                    }
                    #expect(ours == words(kubectl.output.lines), "\(line)")
                }
            }
        }

        @Test func `bash, zsh and fish complete what is typed`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let bin = scenario.directory.appendingPathComponent("bin")
                try FileManager.default.createDirectory(at: bin, withIntermediateDirectories: true)
                try FileManager.default.createSymbolicLink(
                    atPath: bin.path + "/ffwd",
                    withDestinationPath: Programs.ffwd
                )
                for (shell, name) in [("bash", "ffwd.bash"), ("zsh", "_ffwd"), ("fish", "ffwd.fish")] {
                    let (exit, process) = try scenario.ffwd(["--generate-completion-script", shell])
                    #expect(exit == .status(0))
                    _ = try scenario.file(name, process.output.text)
                }
                let environment = try [
                    "PATH": "\(bin.path):\(ProcessInfo.processInfo.environment["PATH"] ?? "")",
                    "KUBECONFIG": scenario.cluster.kubeconfig, "TERM": "dumb",
                    "FFWD_TEST": scenario.directory.path,
                ]
                /// What stands on the line behind a tab key, and what that is to be.
                let rows = [
                    ("pod/d", "pod/demo "), ("serv", "services/"), ("demo 80:ht", "demo 80:http "),
                    ("demo ht", "demo http "), ("--context=min", "--context=minicluster "),
                    ("--transport web", "--transport websocket "), ("--kubec", "--kubeconfig "),
                    ("--kubeconfig ~/kubeconfig-token-f", "kubeconfig-token-forgotten "),
                    ("--kubeconfig ~/kubeconfig pod/d", "pod/demo "),
                ]
                for shell in ["bash", "zsh"] {
                    let terminal = try scenario.start(
                        [Programs.installed("zsh"), "-f", "-c", Self.terminal, "zsh", shell]
                            + rows.flatMap { [$0.0, $0.1] },
                        environment: environment
                    )
                    #expect(
                        try terminal.waitForExit(until: scenario.deadline) == .status(0),
                        "\(shell): \(terminal.transcript)"
                    )
                }
                // fish has a command that says what its tab key would do.
                for (typed, expected) in rows where !typed.contains("~") {
                    let fish = try scenario.start(
                        [
                            Programs.installed("fish"), "--no-config", "-c",
                            "source $FFWD_TEST/ffwd.fish; complete -C \"ffwd $argv\"", "--", typed,
                        ],
                        environment: environment
                    )
                    #expect(try fish.waitForExit(until: scenario.deadline) == .status(0))
                    let word = expected.split(separator: " ").last.map(String.init) ?? ""
                    #expect(
                        words(fish.output.lines) == [word],
                        "\(typed): \(fish.transcript)"
                    )
                }
            }
        }

        /// Types into a shell on a terminal of its own and waits for what the tab key makes of it.
        private static let terminal = #"""
            zmodload zsh/zpty || exit 2
            if [[ $1 == bash ]]; then
                zpty -e shell 'bash --norc -i'
                zpty -w shell 'PS1=; bind "set bell-style none"; source $FFWD_TEST/ffwd.bash; echo rea""dy'
            else
                zpty -e shell 'zsh -f -i'
                zpty -w shell 'PS1=; fpath=($FFWD_TEST $fpath); autoload -Uz compinit; compinit -u -D; echo rea""dy'
            fi
            zpty -r -m shell seen $'*ready*' || exit 3
            shift
            while (($#)); do
                zpty -w -n shell "ffwd $1"$'\t'
                zpty -r -m shell seen "*ffwd *$2*" || exit 4
                print -r -- "$1 became $2"
                # Takes the line away.
                zpty -w -n shell $'\x15'
                shift 2
            done
            zpty -d shell
            """#

        @Test func `nothing is said and nobody waited for where the cluster cannot be asked`() throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                let silent = try scenario.stub { _ in }
                let plugin =
                    #"{exec: {apiVersion: client.authentication.k8s.io/v1, command: "sh", "#
                    + #"args: ["-c", "read name; echo asked >&2"], interactiveMode: Always}}"#
                for (server, user) in [
                    ("https://127.0.0.1:\(silent.port)", "{}"), ("http://127.0.0.1:1", "{}"),
                    ("https://127.0.0.1:\(silent.port)", plugin), ("nonsense:", "{}"),
                    ("https://no.such.invalid", "{}"),
                ] {
                    let file = try scenario.kubeconfig(server: server, user: user)
                    let begin = ContinuousClock.now
                    let (exit, process) = try scenario.ffwd(["__complete", "--kubeconfig", file, "pod/"])
                    #expect(exit == .status(0))
                    #expect(process.output.text == ":4\n")
                    #expect(process.errors.text.isEmpty)
                    #expect(ContinuousClock.now - begin < .seconds(4) * Programs.patience, "\(server)")
                }
            }
        }
    }
}

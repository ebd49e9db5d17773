import Foundation
import Testing

extension Integration {
    /// One line that says what is wrong, nothing on stdout, status 1.
    @Suite struct `Refusing bad kubeconfigs and arguments` {
        struct Row: Sendable, CustomTestStringConvertible {
            let testDescription: String
            /// The file's text; nil: there is no file.
            let kubeconfig: String?
            var arguments = ["pod/demo", ":80"]
            let message: String
        }

        private static let valid = """
            apiVersion: v1
            kind: Config
            clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
            users: [{name: u, user: {token: secret-token}}]
            contexts: [{name: x, context: {cluster: c, user: u}}]
            current-context: x
            """

        private static func row(
            _ name: String,
            replacing old: String,
            by new: String,
            _ message: String
        ) -> Row {
            precondition(valid.contains(old), "there is something to replace")
            return Row(
                testDescription: name,
                kubeconfig: valid.replacingOccurrences(of: old, with: new),
                message: message
            )
        }

        private static func row(_ arguments: [String], _ message: String) -> Row {
            Row(
                testDescription: arguments.joined(separator: " "),
                kubeconfig: valid,
                arguments: arguments,
                message: message
            )
        }

        static let rows = [
            Row(testDescription: "no file", kubeconfig: nil, message: "no such file or directory"),
            Row(
                testDescription: "an empty file",
                kubeconfig: "",
                message: "no configuration has been provided"
            ),
            Row(testDescription: "no YAML", kubeconfig: "{{{{", message: "yaml: line"),
            Row(testDescription: "a tab", kubeconfig: "a: b\n\tc: d\n", message: "yaml: line 2: found a tab"),
            Row(testDescription: "a mere text", kubeconfig: "just text", message: "must be a mapping"),
            Row(testDescription: "control bytes", kubeconfig: "\u{1}\u{2}\u{1b}[2J", message: "yaml: line 1"),
            row("a missing context", replacing: "current-context: x", by: "current-context: nope", "nope"),
            row("a missing cluster", replacing: "cluster: c,", by: "cluster: nope,", "nope"),
            row("a missing user", replacing: "user: u}", by: "user: nope}", "nope"),
            row(
                "bad base64",
                replacing: "token: secret-token",
                by: "client-certificate-data: \"!!!\", client-key-data: \"!!!\"",
                "base64"
            ),
            row(
                "base64 of no certificate",
                replacing: "token: secret-token",
                by: "client-certificate-data: aGVsbG8=, client-key-data: aGVsbG8=",
                "PEM"
            ),
            row(
                "base64 of no authority",
                replacing: "\"https://127.0.0.1:1\"",
                by: "\"https://127.0.0.1:1\", certificate-authority-data: aGVsbG8=",
                "root certificates"
            ),
            row(
                "an authority that is not there",
                replacing: "\"https://127.0.0.1:1\"",
                by: "\"https://127.0.0.1:1\", certificate-authority: /nonexistent",
                "/nonexistent"
            ),
            row("a bad URL", replacing: "https://127.0.0.1:1", by: "gopher://127.0.0.1:1", "gopher"),
            row(["--context", "nope", "pod/demo", ":80"], "nope"),
            row(["pod/demo", "70000"], "'70000'"),
            row(["pod/demo", "99999:80"], "'99999'"),
            row(["pod/demo", "0"], "remote port must be > 0"),
            row(["pod/demo", "1:2:3"], "invalid port format '1:2:3'"),
            row(["pod/demo", ":"], "remote port cannot be empty"),
            row(["pod/", "80"], "single resource and name"),
            row(["a/b/c", "80"], "more than one slash"),
            row(["--address", "1.2.3", "pod/demo", ":80"], "1.2.3 is not a valid IP"),
        ]

        @Test(arguments: rows)
        func `one line says what is wrong`(row: Row) throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                let path = scenario.directory.appendingPathComponent("config").path
                if let text = row.kubeconfig { _ = try scenario.file("config", text) }
                let (exit, process) = try scenario.ffwd(["--kubeconfig", path] + row.arguments)
                #expect(exit == .status(1))
                #expect(process.output.text.isEmpty)
                #expect(process.errors.lines.count == 1, "\(process.errors.text)")
                #expect(process.errors.text.contains(row.message), "\(process.errors.text)")
                #expect(!process.errors.text.contains("secret-token"))
                #expect(!process.errors.text.contains("\u{1b}"))
            }
        }

        @Test func `a file that may not be read, and one that is a directory, are named`() throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                let (exit, process) = try scenario.ffwd([
                    "--kubeconfig", scenario.directory.path, "pod/demo", ":80",
                ])
                #expect(exit == .status(1))
                #expect(process.errors.text.contains("is a directory"))
                // Root reads everything.
                guard geteuid() != 0 else { return }
                let path = try scenario.file("config", Self.valid)
                chmod(path, 0)
                let (exitToo, processToo) = try scenario.ffwd(["--kubeconfig", path, "pod/demo", ":80"])
                #expect(exitToo == .status(1))
                #expect(processToo.errors.text.contains("permission denied"))
                #expect(processToo.errors.text.contains(path))
            }
        }

        @Test(arguments: [[], ["pod/demo"], ["--kubeconfig", "/dev/null"]])
        func `too few arguments are answered in kubectl's words`(arguments: [String]) throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                let (exit, process) = try scenario.ffwd(arguments)
                #expect(exit == .status(1))
                #expect(process.output.text.isEmpty)
                #expect(
                    process.errors.lines == [
                        "error: TYPE/NAME and list of ports are required for port-forward",
                        "See 'ffwd --help' for help and examples",
                    ]
                )
            }
        }

        @Test func `an unknown option ends with 1, as kubectl's does`() throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                let (exit, process) = try scenario.ffwd(["--bogus"])
                #expect(exit == .status(1))
                #expect(process.output.text.isEmpty)
                #expect(process.errors.text.contains("--bogus"))
            }
        }

        @Test func `help and version go to stdout and end with 0`() throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                for arguments in [["--help"], ["--version"]] {
                    let (exit, process) = try scenario.ffwd(arguments)
                    #expect(exit == .status(0))
                    #expect(process.errors.text.isEmpty)
                    let isHelp = arguments == ["--help"]
                    #expect(process.output.text.contains(isHelp ? "--kubeconfig" : "."))
                    #expect(isHelp || process.output.lines.count == 1)
                }
            }
        }
    }
}

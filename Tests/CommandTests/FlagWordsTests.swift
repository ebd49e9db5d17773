import ArgumentParser
import Testing

@testable import ffwd

@Suite struct `Reading options as kubectl does` {
    @Test(
        arguments: [
            (["--quiet=true"], true), (["--quiet=0"], false), (["-q=t"], true), (["-q=F"], false),
            (["-q"], true),
            (["--quiet", "--quiet=false"], false), (["--quiet=false", "-q"], true), ([], false),
            (["--token", "--quiet=true"], false), (["--", "--quiet=true"], false), (["-v=2", "-qn=x"], true),
        ] as [([String], Bool)]
    )
    func `a flag may have a truth value, and the last word counts`(words: [String], isQuiet: Bool) throws {
        #expect(try PortForwardCommand.parse(words + ["demo", "80"]).quiet == isQuiet)
    }

    @Test func `every flag may, and every other option needs a value`() throws {
        for option in OptionTable.ofCommand().options {
            for name in option.names where !["--help", "-h", "--version"].contains(name) {
                if option.takesValue {
                    let error = #expect(throws: UsageError.self) { try PortForwardCommand.parse([name]) }
                    #expect(error?.description.hasPrefix("Error: flag needs an argument: ") == true)
                } else {
                    _ = try PortForwardCommand.parse([name + "=false"])
                    #expect(throws: UsageError.self) { try PortForwardCommand.parse([name + "=maybe"]) }
                }
            }
        }
    }

    @Test(
        arguments: [
            // kubectl 1.32's words.
            (
                ["--insecure-skip-tls-verify=maybe"],
                "invalid argument \"maybe\" for \"--insecure-skip-tls-verify\" flag: strconv.ParseBool: "
                    + "parsing \"maybe\": invalid syntax"
            ),
            (["--nope"], "unknown flag: --nope"), (["--quit=1"], "unknown flag: --quit"),
            (["-z"], "unknown shorthand flag: 'z' in -z"),
            (["-qzq=1"], "unknown shorthand flag: 'z' in -zq=1"),
            (["--token"], "flag needs an argument: --token"), (["-n"], "flag needs an argument: 'n' in -n"),
            (["--=x"], "bad flag syntax: --=x"), (["---"], "bad flag syntax: ---"),
            (["--a\u{1b}[2J"], "unknown flag: --a\\u{1b}[2J"),
        ] as [([String], String)]
    )
    func `what is wrong is told in its words`(words: [String], problem: String) {
        let error = #expect(throws: UsageError.self) { try PortForwardCommand.parse(words) }
        #expect(error?.description.split(separator: "\n").first == "Error: \(problem)")
    }

    @Test(
        arguments: [
            (["--drain", "-5s"], "error: --drain \"-5s\" must not be negative"),
            (["--hold", "-5s"], "error: --hold \"-5s\" must not be negative"),
            (["--half-close-timeout", "-1"], "error: --half-close-timeout \"-1\" must not be negative"),
            (["--hold", "soon"], "error: --hold \"soon\" is no duration (like 500ms, 30s or 2m)"),
            (["--address", ""], "error: you must specify at least 1 address"),
            (["--address", "::1%lo"], "error: ::1%lo is not a valid IP"),
        ] as [([String], String)]
    )
    func `a bad value is told as such`(words: [String], text: String) throws {
        let command = try PortForwardCommand.parse(words + ["-s", "https://h", "demo", "80"])
        let error = #expect(throws: UsageError.self) {
            _ = try command.request(environment: [:], currentDirectory: "/")
            _ = try command.sessionOptions()
        }
        #expect(error?.description == text)
    }

    @Test(
        arguments: [
            (["--log-flush-frequency", "abc"], "abc", "--log-flush-frequency", "parse error"),
            (["--log-flush-frequency", "5"], "5", "--log-flush-frequency", "parse error"),
            (["--log-flush-frequency="], "", "--log-flush-frequency", "parse error"),
            (
                ["--vmodule", "a"], "a", "--vmodule",
                "syntax error: expect comma-separated list of filename=N"
            ),
            (
                ["--vmodule", "a=1,=2"], "a=1,=2", "--vmodule",
                "syntax error: expect comma-separated list of filename=N"
            ),
            (
                ["--vmodule", "a=b"], "a=b", "--vmodule",
                "syntax error: expect comma-separated list of filename=N"
            ),
            (
                ["--vmodule", "a=1=2"], "a=1=2", "--vmodule",
                "syntax error: expect comma-separated list of filename=N"
            ),
            (["--vmodule", "a=-1"], "a=-1", "--vmodule", "negative value for vmodule level"),
        ] as [([String], String, String, String)]
    )
    func `a bad value of an option that means nothing here is refused as by kubectl`(
        words: [String],
        value: String,
        flag: String,
        problem: String
    ) throws {
        // Before anything else is looked at.
        let command = try PortForwardCommand.parse(words)
        let error = #expect(throws: UsageError.self) {
            _ = try command.request(environment: [:], currentDirectory: "/")
        }
        let line = error?.description.split(separator: "\n").first
        #expect(line == "Error: invalid argument \"\(value)\" for \"\(flag)\" flag: \(problem)")
    }

    @Test func `an unknown profile is refused, and good values are taken`() throws {
        let error = #expect(throws: UsageError.self) {
            _ = try PortForwardCommand.parse(["--profile", "abc"]).request(
                environment: [:],
                currentDirectory: "/"
            )
        }
        #expect(error?.description == "error: unknown profile 'abc'")
        let words = ["--vmodule", "a=1,,b=+2", "--profile", "heap", "--log-flush-frequency", "-5s"]
        let command = try PortForwardCommand.parse(words + ["-s", "https://h", "demo", "80"])
        _ = try command.request(environment: [:], currentDirectory: "/")
    }

    @Test func `a bad number is told as such, not as missing`() {
        let words = ["--max-connections", "-1"]
        let error = #expect(throws: (any Error).self) { try PortForwardCommand.parse(words) }
        let text = error.map { PortForwardCommand.message(for: $0) } ?? ""
        #expect(text.contains("'-1' is invalid"), "\(text)")
    }

    @Test(
        arguments: [
            ("", []), ("a", ["a"]), ("a,", ["a", ""]), ("\"a\",b", ["a", "b"]), (",", ["", ""]),
            ("\"a,\"\"b\"", ["a,\"b"]),
        ] as [(String, [String])]
    )
    func `a list is read as comma-separated values`(text: String, fields: [String]) throws {
        #expect(try CommaSeparatedValues.fields(of: text) == fields)
    }

    @Test(
        arguments: [
            ("\"127.0.0.1", .quoteInQuotes(column: 11)), ("\"a\"b", .quoteInQuotes(column: 3)),
            ("a\"b", .bareQuote(column: 2)),
        ] as [(String, CommaSeparatedValues.Problem)]
    )
    func `a stray quote is refused`(text: String, problem: CommaSeparatedValues.Problem) {
        #expect(throws: problem) { try CommaSeparatedValues.fields(of: text) }
    }
}

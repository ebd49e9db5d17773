import Testing

@testable import FastForward

@Suite struct `Reading YAML` {
    private static func json(_ text: String) throws -> String {
        try json(Array(text.utf8))
    }

    private static func json(_ bytes: [UInt8]) throws -> String {
        guard let tree = try YAMLTreeBuilder.tree(of: bytes) else { return "" }
        return String(decoding: tree.json, as: UTF8.self)
    }

    /// Compared with `kubectl config current-context` 1.32.4, which prints a string and refuses what is none; only
    /// the infinities, which it refuses, differ.
    @Test(
        arguments: [
            ("~", "null"), ("", "null"), ("null", "null"), ("nul", "\"nul\""),
            ("yes", "true"), ("y", "true"), ("Off", "false"), ("yEs", "\"yEs\""),
            ("12", "12"), ("-7", "-7"), ("+7", "7"), ("012", "10"), ("0x1F", "31"), ("0b101", "5"),
            ("1_000", "1000"), ("1e3", "1000.0"), ("1.5", "1.5"), (".5", "0.5"), ("089", "89.0"),
            ("18446744073709551616", "1.8446744073709552e+19"), ("1e999", "\"1e999\""), (".inf", "\".inf\""),
            ("2001-01-01", "\"2001-01-01\""), ("12:30", "\"12:30\""), ("1.2.3", "\"1.2.3\""), ("-", "[null]"),
            ("+", "\"+\""), ("0x", "\"0x\""), ("0x-1", "\"0x-1\""), ("--1", "\"--1\""), ("1e", "\"1e\""),
            ("'12'", "\"12\""), ("\"yes\"", "\"yes\""), ("!!str 12", "\"12\""), ("!foo 12", "\"12\""),
            ("! 12", "\"12\""), ("!!int \"12\"", "12"), ("0d10", "\"0d10\""),
            ("\"a\\0\\n\\\"\"", "\"a\\u0000\\u000a\\\"\""),
        ]
    )
    func `a scalar means what it means to kubectl`(text: String, json: String) throws {
        let found = try Self.json(text)
        if text.isEmpty { #expect(found == "") } else { #expect(found == json) }
    }

    @Test(
        arguments: [
            // The last of duplicate keys counts, and a merge key acts where it stands (seen with kubectl 1.32).
            ("a: 1\na: 2", #"{"a":2}"#),
            ("x: &x {a: 1}\na: 0\n<<: *x", #"{"x":{"a":1},"a":1}"#),
            ("x: &x {a: 1}\n<<: *x\na: 0", #"{"x":{"a":1},"a":0}"#),
            ("- &x {a: 1}\n- &y {a: 2, b: 3}\n- <<: [*x, *y]", #"[{"a":1},{"a":2,"b":3},{"a":1,"b":3}]"#),
            ("'<<': 1", #"{"<<":1}"#),
            ("a: &a [1, 2]\nb: *a", #"{"a":[1,2],"b":[1,2]}"#),
            ("a: 1\n---\nb: 2", #"{"a":1}"#),
            ("---\na: 1\n...\n", #"{"a":1}"#),
            ("\u{FEFF}a: 1\r\nb:\r\n- c\r\n", #"{"a":1,"b":["c"]}"#),
            ("{\"a\": [true, null, \"\\u00e9\\/\"]}", #"{"a":[true,null,"é/"]}"#),
            ("{\n\t\"a\": 1\n}", #"{"a":1}"#),
            ("a: |\n  one\n  two\n", #"{"a":"one\u000atwo\u000a"}"#),
            ("# nothing\n", ""),
        ]
    )
    func `a document becomes the value that kubectl sees`(text: String, json: String) throws {
        #expect(try Self.json(text) == json)
    }

    @Test(
        arguments: [
            // The first five are kubectl 1.32's texts (go-yaml is a port of libyaml); it counts some lines from 0.
            ("clusters:\n\t- a\n", "line 2: found character that cannot start any token"),
            ("[a, b", "line 2: did not find expected ',' or ']' (while parsing a flow sequence from line 1)"),
            ("a: *b", "line 1: unknown anchor 'b' referenced"),
            ("a: 1\nb: &b [*b]", "line 2: anchor 'b' value contains itself"),
            ("a: 1\n<<: 2", "line 2: map merge requires map or sequence of maps as the value"),
            ("a: 1\n? [x]\n: 2", "line 2: a list cannot be a key"),
            ("a: !!binary YQ==", "line 1: the tag !!binary is not supported"),
            (String(repeating: "%TAG !a! b\n", count: 17), "more than 16 %TAG directives"),
            (String(repeating: "[", count: 100), "line 1: values nest deeper than 64 levels"),
            (
                "a: &a " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40) + "\nb: "
                    + String(repeating: "[", count: 40) + "*a", "line 2: values nest deeper than 64 levels"
            ),
        ]
    )
    func `an error names the line and what is wrong there`(text: String, problem: String) {
        let error = #expect(throws: YAMLError.self) { try Self.json(text) }
        #expect(error?.description == problem)
    }

    @Test func `a billion laughs are refused before they are told`() {
        var text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let error = #expect(throws: YAMLError.self) { try Self.json(text) }
        #expect(error?.problem == "document stands for more than 64 MiB of values")
    }

    @Test func `one large text repeated by alias is refused as well`() {
        let text =
            "a: &a \(String(repeating: "x", count: 1 << 20))\nb: [\(Array(repeating: "*a", count: 100).joined(separator: ","))]"
        #expect(throws: YAMLError.self) { try Self.json(text) }
    }

    @Test(arguments: testSeeds(20))
    func `any bytes give a value or a YAML error`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let fragments: [[UInt8]] = [
            "a", ": ", "\n", "- ", "  ", "[", "]", "{", "}", ",", "&a ", "*a", "<<: ", "\"", "'", "|", ">",
            "#", "!!str ",
            "? ", "---\n", "...\n", "\t", "\r\n", "%YAML 1.1\n", "0x", "~", "\\u12", "clusters", "\u{FEFF}",
            "@", "`",
        ].map { Array($0.utf8) }
        for _ in 0..<150 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...60, using: &generator) {
                bytes +=
                    Int.random(in: 0..<20, using: &generator) == 0
                    ? generator.bytes(2) : fragments.randomElement(using: &generator) ?? []
            }
            do throws(YAMLError) {
                _ = try YAMLTreeBuilder.tree(of: bytes)?.json
            } catch {
                #expect(!error.problem.isEmpty, "FFWD_SEED=\(seed)")
            }
            // As a kubeconfig too: a value or this layer's own error (the type system sees to the latter).
            _ = try? Kubeconfig(parsing: bytes, file: "/f")
        }
    }
}

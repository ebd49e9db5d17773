import FastForward
import Logging
import Testing

@testable import ffwd

@Suite struct `Telling more` {
    @Test(arguments: [
        ("0", nil, 0), ("1", "notice", 1), ("2", "info", 2), ("3", "info", 2), ("4", "debug", 3),
        ("6", "trace", 4),
        ("9", "trace", 4), ("-1", nil, 0), ("+2", "info", 2), ("2147483647", "trace", 4),
    ])
    func `a number that kubectl takes has a level`(text: String, level: String?, detail: Int) throws {
        let verbosity = try #require(Verbosity(argument: text))
        #expect(verbosity.level.map { "\($0)" } == level)
        #expect(verbosity.detail.rawValue == detail)
    }

    @Test(arguments: ["", "x", "1.5", "2147483648", " 1"])
    func `a number that kubectl refuses is refused`(text: String) {
        #expect(Verbosity(argument: text) == nil)
    }

    @Test func `a line is one line, and a terminal obeys nothing in it`() {
        let line = StandardErrorLog.line(
            time: "T",
            level: .info,
            message: "no\ntunnel \u{1B}[2J",
            metadata: ["reason": "it said \"no\"\r\n", "way": "spdy", "empty": ""]
        )
        #expect(line.hasPrefix("T info no\\ntunnel "))
        #expect(line.hasSuffix(#" empty="" reason="it said \"no\"\r\n" way=spdy"#))
        #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }
}

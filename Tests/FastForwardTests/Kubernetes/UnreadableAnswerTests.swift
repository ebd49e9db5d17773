import Testing

@testable import FastForward

@Suite struct `Getting another answer than was asked for` {
    private static let advice =
        " (is there a login page or a proxy in between? does the server's URL in the kubeconfig lead to an API "
        + "server?)"

    @Test(
        arguments: [
            (
                ["Content-Type": "text/html"], "<html>",
                "(not JSON): it is text/html and says \"<html>\""
            ),
            ([:], "null", "(no object): it is of no stated type and says \"null\""),
            (["Content-Type": ""], "", "(not JSON): it is of no stated type and is empty"),
            (
                ["content-type": "a/b\u{1b}[2J", "Content-Encoding": "gzip"], "\u{1f}\u{8}\r\nx",
                "(not JSON): it is a/b\\u{1b}[2J (gzip) and says \"\\u{1f}\\u{8}\\r\\nx\""
            ),
            (
                ["Content-Type": "text/html"], String(repeating: "a", count: 61),
                "(not JSON): it is text/html and begins with \"\(String(repeating: "a", count: 60))\""
            ),
        ] as [(HTTPFields, String, String)]
    )
    func `it is shown in one line, with what to look at`(fields: HTTPFields, body: String, text: String) {
        let body = Array(body.utf8)
        let error = #expect(throws: APIObjectError.self) {
            try APIObjects.decode(Pod.self, from: body)
        }
        guard let error else { return }
        let answer = UnreadableAnswer(to: "pod \"a\"", fields: fields, body: body, error)
        #expect(answer.description == "it is no readable pod \"a\" " + text + Self.advice)
    }
}

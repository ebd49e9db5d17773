import FastForward
import Testing

@Suite struct `Asking an HTTP proxy` {
    static let login = UpstreamProxy.Login(user: "Aladdin", password: "open sesame")

    static func request(to host: String, login: UpstreamProxy.Login? = nil) throws -> String {
        let exchange = HTTPConnectExchange(
            to: ProxyDestination(host: host, port: 443),
            login: login,
            userAgent: "ffwd/1"
        )
        return String(decoding: try exchange.start(), as: UTF8.self)
    }

    @Test func `the request names host and port, and the login where there is one (RFC 7617 §2)`() throws {
        #expect(
            try Self.request(to: "server")
                == "CONNECT server:443 HTTP/1.1\r\nHost: server:443\r\nUser-Agent: ffwd/1\r\n\r\n"
        )
        #expect(try Self.request(to: "::1").hasPrefix("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"))
        #expect(
            try Self.request(to: "server", login: Self.login)
                .contains("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n")
        )
    }

    /// RFC 4648 §10; the colon is the login's own.
    @Test(arguments: [
        ("", "Og=="), ("f", "Zjo="), ("fo", "Zm86"), ("foo", "Zm9vOg=="), ("fooba", "Zm9vYmE6"),
    ])
    func `base64 is padded to four`(user: String, text: String) throws {
        let login = UpstreamProxy.Login(user: user, password: "")
        #expect(try Self.request(to: "h", login: login).contains(": Basic \(text)\r\n"))
    }

    @Test func `what cannot stand in a request is refused before anything is sent`() {
        #expect(throws: ProxyError.http(.invalidHead(.target))) { try Self.request(to: "a\r\nb") }
        let long = UpstreamProxy.Login(user: String(repeating: "u", count: 10_000), password: "")
        #expect(throws: ProxyError.loginTooLong(limitBytes: 8192)) {
            try Self.request(to: "h", login: long)
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n",
        // RFC 9110 §9.3.6: these fields mean nothing here.
        "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ])
    func `any 2xx opens the way, and what stands behind is the server's`(head: String) {
        let bytes = Array(head.utf8) + [22, 3, 1, 13, 10]
        let expected = ProxyOutcome(isEstablished: true, rest: [22, 3, 1, 13, 10])
        for pieces in cuttings(of: bytes, seed: 11) {
            #expect(play(.http, login: nil, pieces) == expected)
        }
    }

    static let page =
        "<html>\n<head><TITLE>403\n Access\u{1B}[31m denied</TITLE></head><body>no</body></html>"
    static let refusals: [(answer: String, error: ProxyError)] = [
        (
            "HTTP/1.1 403 Filtered\r\nContent-Type: text/html\r\nContent-Length: \(page.utf8.count)\r\n\r\n\(page)",
            .refused(status: 403, reason: "Filtered", text: "403 Access [31m denied")
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nno \r\n5\r\nroute\r\n0\r\n\r\n",
            .refused(status: 502, reason: "Bad Gateway", text: "no route")
        ),
        (
            "HTTP/1.1 503\r\nContent-Type: image/png\r\nContent-Length: 2\r\n\r\nab",
            .refused(status: 503, reason: "", text: "")
        ),
        (
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            .refused(status: 400, reason: "Bad Request", text: "")
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            .refused(status: 101, reason: "Switching Protocols", text: "")
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://login\r\nContent-Length: 0\r\n\r\n",
            .refused(status: 302, reason: "Found", text: "")
        ),
        (
            "HTTP/1.1 500 x\r\nContent-Type: text/plain\r\n\r\n" + String(repeating: "é ", count: 5000),
            .refused(
                status: 500,
                reason: "x",
                text: Array(repeating: "é", count: 200).joined(separator: " ") + "…"
            )
        ),
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n"
                + "Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
            .loginWanted
        ),
        (
            "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n"
                + "Content-Length: 0\r\n\r\n",
            .authenticationUnsupported(schemes: ["Negotiate", "NTLM"])
        ),
        (String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 6), .tooManyInterimAnswers(limit: 5)),
        ("SSH-2.0-OpenSSH_9.2\r\n", .http(.notHTTP(start: "SSH-2"))),
        ("\u{5}\u{0}\u{5}\u{1}\u{0}", .http(.notHTTP(start: "?????"))),
    ]

    @Test(arguments: refusals)
    func `anything else is a refusal that says why, however it is cut`(answer: String, error: ProxyError) {
        let bytes = Array(answer.utf8)
        for pieces in cuttings(of: bytes, seed: 12, inTwo: bytes.count < 500) {
            #expect(play(.http, login: nil, pieces) == ProxyOutcome(error: error))
        }
    }

    @Test func `a login that is not taken is told apart from one that is wanted`() {
        let answer = Array("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n".utf8)
        #expect(play(.http, login: nil, [answer]).error == .loginWanted)
        #expect(play(.http, login: Self.login, [answer]).error == .loginRefused)
    }

    @Test func `a refusal whose body is not through says what it has said`() {
        let answer = Array("HTTP/1.1 403 No\r\nContent-Type: text/plain\r\n\r\nnot for".utf8)
        let outcome = play(.http, login: nil, [answer])
        #expect(outcome.error == nil)
        #expect(outcome.refusal == .refused(status: 403, reason: "No", text: "not for"))
        #expect(play(.http, login: nil, [Array("HTTP/1.1 403 No\r\n".utf8)]).refusal == nil)
    }

    @Test(arguments: testSeeds(200))
    func `garbage is refused or waited upon`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let start = Bool.random(using: &generator) ? Array("HTTP/1.1 4".utf8) : []
        let bytes = start + generator.bytes(Int.random(in: 0...4000, using: &generator))
        let whole = play(.http, login: nil, [bytes])
        #expect(!whole.isEstablished, "seed \(seed)")
        #expect(play(.http, login: nil, randomCuts(of: bytes, using: &generator)) == whole, "seed \(seed)")
    }
}

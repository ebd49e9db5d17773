import FastForward
import Testing

@Suite struct `Reading HTTP responses` {
    /// A recorded answer and what it says.
    struct Answer: CustomTestStringConvertible {
        let file: String
        let status: Int
        let body: String
        let testDescription: String

        init(_ file: String, _ status: Int, _ body: String) {
            self.file = file
            self.status = status
            self.body = body
            testDescription = file
        }
    }

    static let answers = [
        Answer("http-400-channels-no-port.bin", 400, "query parameter \"port\" is required"),
        Answer("http-400-pending.bin", 400, "pod pending does not have a host assigned"),
        Answer("http-401.bin", 401, "\"reason\":\"Unauthorized\",\"code\":401}\n"),
        Answer("http-403-anonymous.bin", 403, "User \\\"system:anonymous\\\" cannot get resource"),
        Answer("http-403-no-right.bin", 403, "User \\\"token-none\\\" cannot get resource"),
        Answer("http-403-spdy-protocol.bin", 403, "server accepts [portforward.k8s.io]"),
        Answer("http-404.bin", 404, "pods \\\"nope\\\" not found"),
        Answer("http-405.bin", 405, "Method Not Allowed"),
    ]

    @Test(arguments: answers)
    func `a refusal of a real API server arrives whole, however it is cut`(_ answer: Answer) throws {
        let bytes = try Vectors.bytes(answer.file)
        let whole = readResponse([bytes])
        #expect(whole.error == nil)
        #expect(whole.isComplete)
        #expect(whole.head?.status == answer.status)
        #expect(whole.bodyText.contains(answer.body))
        #expect(bytes.suffix(whole.body.count) == whole.body[...])
        for pieces in cuttings(of: bytes, seed: 1) { #expect(readResponse(pieces) == whole) }
    }

    @Test(arguments: [
        ("http-pod-list.bin", "PodList"), ("http-deployment.bin", "Deployment"),
        ("http-endpointslices.bin", "EndpointSliceList"), ("http-discovery.bin", "APIGroupDiscoveryList"),
        ("http-service.bin", "Service"),
    ])
    func `a chunked body of a real API server is one JSON object`(_ file: String, _ kind: String) throws {
        let bytes = try Vectors.bytes(file)
        let whole = readResponse([bytes])
        #expect(whole.error == nil)
        #expect(whole.isComplete)
        #expect(whole.head?.isPersistent == false)
        #expect(whole.bodyText.hasPrefix("{\"kind\":\"\(kind)\""))
        #expect(whole.bodyText.hasSuffix("}\n"))
        #expect(!whole.body.contains(UInt8(ascii: "\r")))
        for pieces in cuttings(of: bytes, seed: 2, inTwo: false) { #expect(readResponse(pieces) == whole) }
    }

    @Test func `a watch that is cut is an error, and its events until then are not lost`() throws {
        let bytes = try Vectors.bytes("http-watch.bin")
        let whole = readResponse([bytes])
        #expect(whole.error == .bodyCutShort(missingBytes: nil))
        #expect(whole.bodyText.split(separator: "\n").allSatisfy { $0.hasPrefix("{\"type\":") })
        #expect(whole.bodyText.hasSuffix("\n"))
        for pieces in cuttings(of: bytes, seed: 3, inTwo: false) { #expect(readResponse(pieces) == whole) }
    }

    @Test func `the bytes behind a 101 are left alone`() throws {
        let bytes = try Vectors.bytes("echo.bin")
        for pieces in cuttings(of: bytes, seed: 4) {
            let response = readResponse(pieces)
            #expect(response.head?.status == 101)
            #expect(response.head?.fields["sec-websocket-protocol"] == "SPDY/3.1+portforward.k8s.io")
            #expect(response.rest == bytes.suffix(275 - 182))
        }
    }

    @Test(arguments: [
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n+", "", "+"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\ncontent-length: 2\r\n\r\nab+", "ab", "+"),
        ("GET", "HTTP/1.1 200\r\n\r\nuntil the end", "until the end", ""),
        ("GET", "HTTP/1.0 200 \r\n\r\nuntil the end", "until the end", ""),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n+", "", "+"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n+", "", "+"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n+", "", "+"),
        ("CONNECT", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+", "", "+"),
        ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n+", "", "+"),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n00A \r\n0123456789\r\n"
                + "0\r\nDate: x\r\nE:\r\n\r\n+", "abc0123456789", "+"
        ),
    ])
    func `head and method decide where the body ends (RFC 9112 §6.3)`(
        _ method: String,
        _ text: String,
        _ body: String,
        _ rest: String
    ) {
        let whole = readResponse([Array(text.utf8)], toMethod: method)
        #expect(whole.error == nil)
        #expect(whole.isComplete)
        #expect(whole.bodyText == body)
        #expect(whole.rest == Array(rest.utf8))
        for pieces in cuttings(of: Array(text.utf8), seed: 5) {
            #expect(readResponse(pieces, toMethod: method) == whole)
        }
    }

    static let broken: [(String, HTTPError)] = [
        ("SSH-2.0-OpenSSH_9.2\r\n", .notHTTP(start: "SSH-2")),
        ("\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{16}", .notHTTP(start: "?????")),
        ("220\r\n", .notHTTP(start: "220")),
        ("HTTP/1.1 2000 OK\r\n", .notHTTP(start: "HTTP/1.1 2000 OK")),
        ("HTTP/1.1 099 OK\r\n", .notHTTP(start: "HTTP/1.1 099 OK")),
        ("HTTP/1.1\r\n", .notHTTP(start: "HTTP/1.1")),
        ("\r\nHTTP/1.1 200 OK\r\n", .notHTTP(start: "")),
        ("HTTP/2.0 200 OK\r\n", .unsupportedVersion("HTTP/2.0")),
        ("HTTP/1.1 200 OK\n", .bareLineFeed(line: 1)),
        ("HTTP/1.1 200 OK\r\nA: b\rc\r\n", .bareCarriageReturn(line: 2)),
        ("HTTP/1.1 200 OK\r\nA: b\r\r\n", .bareCarriageReturn(line: 2)),
        ("HTTP/1.1 200 O\0K\r\n", .forbiddenByte(0, line: 1)),
        ("HTTP/1.1 200 OK\r\nA: b\0c\r\n", .forbiddenByte(0, line: 2)),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n", .foldedField(line: 3)),
        ("HTTP/1.1 200 OK\r\nA : b\r\n", .malformedFieldName(line: 2)),
        ("HTTP/1.1 200 OK\r\n: b\r\n", .malformedFieldName(line: 2)),
        ("HTTP/1.1 200 OK\r\nno colon\r\n", .malformedFieldName(line: 2)),
        ("HTTP/1.1 200 OK\r\nA: b", .headCutShort),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", .bodyCutShort(missingBytes: 2)),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", .invalidContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", .invalidContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", .invalidContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n", .invalidContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .conflictingContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", .conflictingContentLength),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            .contentLengthWithTransferEncoding
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            .unsupportedTransferEncoding("gzip, chunked")
        ),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .unsupportedTransferEncoding("chunked")),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", .invalidChunkSize),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", .invalidChunkSize),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n", .invalidChunkSize),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", .unterminatedChunk),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb", .unterminatedChunk),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", .bodyCutShort(missingBytes: nil)),
    ]

    @Test(arguments: broken)
    func `what breaks RFC 9112 is refused, however it is cut`(_ text: String, _ error: HTTPError) {
        for pieces in cuttings(of: Array(text.utf8), seed: 6) {
            #expect(readResponse(pieces).error == error)
        }
        #expect(!error.description.contains("\n"))
    }

    @Test func `heads, trailers and extensions are bounded`() {
        let start = Array("HTTP/1.1 200 OK\r\n".utf8)
        let endless = start + [UInt8](repeating: UInt8(ascii: "a"), count: HTTPLimits.headBytesMax)
        #expect(readResponse([endless]).error == .headTooLong(limitBytes: HTTPLimits.headBytesMax))
        let many = start + Array(String(repeating: "a: b\r\n", count: HTTPLimits.fieldsMax + 1).utf8)
        #expect(readResponse([many]).error == .tooManyFields(limit: HTTPLimits.fieldsMax))
        let chunked = start + Array("Transfer-Encoding: chunked\r\n\r\n".utf8)
        let trailers = chunked + Array("0\r\n".utf8) + endless
        #expect(readResponse([trailers]).error == .trailersTooLong(limitBytes: HTTPLimits.trailerBytesMax))
        let extended = chunked + Array("1;".utf8) + endless.dropFirst(start.count)
        #expect(
            readResponse([extended]).error
                == .chunkExtensionTooLong(limitBytes: HTTPLimits.chunkExtensionBytesMax)
        )
    }

    @Test func `an interim head is followed by the real one`() throws {
        let bytes = Array("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n".utf8)
        var reader = HTTPResponseHeadReader()
        var cursor = 0
        #expect(try reader.next(bytes.span.bytes, from: &cursor)?.isInterim == true)
        let head = try reader.next(bytes.span.bytes, from: &cursor)
        #expect(head == HTTPResponseHead(status: 200, reason: "OK", fields: ["A": "b"]))
        #expect(cursor == bytes.count)
    }

    @Test(arguments: testSeeds(20))
    func `garbage gives events or an error of HTTP, nothing else`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let head = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".utf8)
        for _ in 0..<50 {
            var bytes = head + generator.bytes(20)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[place] = generator.bytes(1)[0]
            }
            let whole = readResponse([bytes])
            #expect(readResponse(randomCuts(of: bytes, using: &generator)) == whole, "seed \(seed)")
        }
    }
}

@Suite struct `Reading HTTP requests` {
    @Test func `pipelined requests are read one after another, however they are cut`() throws {
        let text =
            "\r\nGET /api?x=1 HTTP/1.1\r\nHost: a\r\n\r\nPOST * HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
        let expected = [
            HTTPRequestHead(method: "GET", target: "/api?x=1", fields: ["Host": "a"]),
            HTTPRequestHead(
                method: "POST",
                target: "*",
                version: .http10,
                fields: ["Connection": "Keep-Alive"]
            ),
        ]
        for pieces in cuttings(of: Array(text.utf8), seed: 7) {
            #expect(try readRequestHeads(pieces) == expected)
        }
        #expect(expected[0].isPersistent)
        #expect(expected[1].isPersistent)
    }

    @Test(arguments: [
        ("GET  / HTTP/1.1\r\n", HTTPError.malformedRequestLine),
        ("GET /\r\n", .malformedRequestLine),
        ("GET / HTTP/1.1 \r\n", .malformedRequestLine),
        ("GET /a\tb HTTP/1.1\r\n", .malformedRequestLine),
        ("GET /ä HTTP/1.1\r\n", .malformedRequestLine),
        ("G(T / HTTP/1.1\r\n", .malformedRequestLine),
        ("\r\n\r\nGET / HTTP/1.1\r\n", .malformedRequestLine),
        ("PRI * HTTP/2.0\r\n", .unsupportedVersion("HTTP/2.0")),
    ])
    func `a malformed request line is refused`(_ text: String, _ error: HTTPError) {
        #expect(throws: error) { try readRequestHeads([Array(text.utf8)]) }
    }

    @Test func `a request has a body only where its head says so`() throws {
        let plain = HTTPRequestHead(method: "POST", target: "/")
        #expect(try HTTPBodyReader(of: plain).framing == .none)
        let sized = HTTPRequestHead(method: "POST", target: "/", fields: ["Content-Length": "7"])
        #expect(try HTTPBodyReader(of: sized).framing == .length(7))
        let smuggled = HTTPRequestHead(
            method: "POST",
            target: "/",
            fields: ["Content-Length": "7", "Transfer-Encoding": "chunked"]
        )
        #expect(throws: HTTPError.contentLengthWithTransferEncoding) { try HTTPBodyReader(of: smuggled) }
    }
}

@Suite struct `Reading the head that counts` {
    private static let final = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n"

    private func read(interimCount: Int, seed: UInt64) throws -> [Int?] {
        let text = String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: interimCount) + Self.final
        return try cuttings(of: Array(text.utf8), seed: seed).map { pieces in
            var reader = HTTPAnswerHeadReader()
            for piece in pieces {
                var cursor = 0
                if let head = try reader.next(piece.span.bytes, from: &cursor) { return head.status }
                #expect(cursor == piece.count)
            }
            return nil
        }
    }

    @Test func `interim answers are dropped, a bounded number of them`() throws {
        for count in [0, 1, HTTPLimits.interimHeadsMax] {
            #expect(try read(interimCount: count, seed: 8).allSatisfy { $0 == 200 })
        }
        #expect(throws: HTTPError.tooManyInterimHeads(limit: HTTPLimits.interimHeadsMax)) {
            try read(interimCount: HTTPLimits.interimHeadsMax + 1, seed: 8)
        }
    }
}

import FastForward
import Testing

@Suite struct `Writing WebSocket frames` {
    static let sizes = [0, 1, 3, 4, 124, 125, 126, 127, 255, 256, 65534, 65535, 65536, 65537, 200_000]

    @Test(arguments: sizes)
    func `a payload of any size is read back by the other side`(_ size: Int) {
        var generator = SeededGenerator(seed: UInt64(size))
        let payload = generator.bytes(size)
        for key in [nil, WebSocketMask(UInt32(truncatingIfNeeded: generator.next()))] {
            let prepended = written(headroomBytes: WebSocketFrameWriter.headroomBytesMax) { buffer in
                buffer.append(payload.span.bytes)
                WebSocketFrameWriter.prependHeader(to: &buffer, key: key)
            }
            let header = WebSocketFrameWriter.headerBytes(payloadBytes: size, isMasked: key != nil)
            #expect(prepended.count == header + size)
            let appended = written { buffer in
                WebSocketFrameWriter.appendHeader(payloadBytes: size, key: key, to: &buffer)
                buffer.append(payload.span.bytes)
                key?.apply(to: &buffer, in: header..<header + size)
            }
            #expect(appended == prepended)
            let role: WebSocketRole = key == nil ? .client : .server
            let expected = WebSocketReading(seen: [.data(payload, endsMessage: true)])
            for _ in 0..<3 {
                let pieces = randomCuts(of: prepended, using: &generator)
                #expect(readWebSocket(pieces, role: role) == expected)
            }
        }
    }

    @Test func `the masked example of RFC 6455 §5.7 is written`() {
        let bytes = written(headroomBytes: 14) { buffer in
            buffer.append("Hello")
            WebSocketFrameWriter.prependHeader(to: &buffer, opcode: .text, key: WebSocketMask(0x3D21_FA37))
        }
        #expect(bytes == [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
    }

    @Test(arguments: [nil, WebSocketMask(0xDEAD_BEEF)])
    func `control frames are read back`(_ key: WebSocketMask?) {
        let longest = [UInt8](0..<125)
        let bytes = written { buffer in
            WebSocketFrameWriter.appendControl(.ping, key: key, to: &buffer)
            WebSocketFrameWriter.appendControl(.pong, WebSocketControlPayload(longest), key: key, to: &buffer)
            let reason = String(repeating: "ä", count: 100)
            let close = WebSocketControlPayload(closeCode: 1001, reason: reason)
            WebSocketFrameWriter.appendControl(.close, close, key: key, to: &buffer)
        }
        let cut = String(repeating: "ä", count: 61)
        #expect(
            readWebSocket([bytes], role: key == nil ? .client : .server).seen
                == [.ping([]), .pong(longest), .close(1001, cut)]
        )
    }

    @Test(arguments: testSeeds(10))
    func `masking any range is masking byte by byte`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let bytes = generator.bytes(generator.logUniform(upTo: 1000))
            let start = Int.random(in: 0...bytes.count, using: &generator)
            let end = Int.random(in: start...bytes.count, using: &generator)
            let key = generator.bytes(4)
            let phase = Int.random(in: 0..<4, using: &generator)
            let word = key.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            var masked = bytes
            var elements = masked.mutableSpan
            var span = elements.mutableBytes
            WebSocketMask(word).advanced(by: phase).apply(to: &span, in: start..<end)
            var expected = bytes
            for index in start..<end { expected[index] ^= key[(phase + index - start) % 4] }
            #expect(masked == expected, "seed \(seed)")
        }
    }
}

@Suite struct `Upgrading to WebSocket` {
    // The key and the accept value of RFC 6455 §1.3.
    static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    static let subprotocols = ["SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io"]

    static func request() -> HTTPRequestHead {
        WebSocketHandshake.request(
            target: "/api/v1/namespaces/default/pods/echo/portforward",
            fields: ["Host": "127.0.0.1:6443"],
            key: key,
            subprotocols: subprotocols
        )
    }

    @Test func `a client and a server agree, over the wire`() throws {
        let requestBytes = try written { buffer in try Self.request().append(to: &buffer) }
        let heads = try readRequestHeads([requestBytes])
        let upgrade = try WebSocketHandshake.read(heads[0])
        #expect(upgrade.key == Self.key)
        #expect(upgrade.subprotocols == Self.subprotocols)

        let response = WebSocketHandshake.response(accept: Self.accept, subprotocol: Self.subprotocols[0])
        let responseBytes = try written { buffer in try response.append(to: &buffer) }
        let head = try #require(readResponse([responseBytes]).head)
        let chosen = try WebSocketHandshake.verify(
            head,
            expectedAccept: Self.accept,
            offered: Self.subprotocols
        )
        #expect(chosen == Self.subprotocols[0])
    }

    @Test func `a real API server's 101 is accepted`() throws {
        let head = try #require(readResponse([try Vectors.bytes("channels-echo.bin")]).head)
        let chosen = try WebSocketHandshake.verify(
            head,
            expectedAccept: Self.accept,
            offered: ["v4.channel.k8s.io"]
        )
        #expect(chosen == "v4.channel.k8s.io")
    }

    static let answers: [(String, String?, WebSocketError)] = [
        ("Upgrade", nil, .handshakeField("Upgrade")),
        ("Upgrade", "SPDY/3.1", .handshakeField("Upgrade")),
        ("Connection", "close", .handshakeField("Connection")),
        ("Sec-WebSocket-Accept", nil, .acceptWrong),
        ("Sec-WebSocket-Accept", accept.lowercased(), .acceptWrong),
        ("Sec-WebSocket-Protocol", nil, .subprotocolNotOffered(nil)),
        ("Sec-WebSocket-Protocol", "chat", .subprotocolNotOffered("chat")),
        ("Sec-WebSocket-Extensions", "permessage-deflate; x", .extensionNotOffered("permessage-deflate; x")),
    ]

    @Test(arguments: answers)
    func `an answer that is not to our request is refused`(
        _ name: String,
        _ value: String?,
        _ error: WebSocketError
    ) {
        var head = WebSocketHandshake.response(accept: Self.accept, subprotocol: Self.subprotocols[0])
        head.fields.set(name, value)
        #expect(throws: error) {
            try WebSocketHandshake.verify(head, expectedAccept: Self.accept, offered: Self.subprotocols)
        }
    }

    @Test func `an answer other than 101 is a refusal`() throws {
        let head = try #require(readResponse([try Vectors.bytes("http-404.bin")]).head)
        #expect(throws: WebSocketError.upgradeRefused(status: 404, reason: "Not Found")) {
            try WebSocketHandshake.verify(head, expectedAccept: Self.accept, offered: Self.subprotocols)
        }
    }

    static let requests: [(String, String?, WebSocketError)] = [
        ("Upgrade", nil, .handshakeField("Upgrade")),
        ("Connection", "keep-alive", .handshakeField("Connection")),
        ("Sec-WebSocket-Version", nil, .handshakeField("Sec-WebSocket-Version")),
        ("Sec-WebSocket-Version", "8", .unsupportedVersion("8")),
        ("Sec-WebSocket-Key", nil, .handshakeField("Sec-WebSocket-Key")),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ", .handshakeField("Sec-WebSocket-Key")),
    ]

    @Test(arguments: requests)
    func `a server refuses a request that is no upgrade`(
        _ name: String,
        _ value: String?,
        _ error: WebSocketError
    ) {
        var head = Self.request()
        head.fields.set(name, value)
        #expect(throws: error) { try WebSocketHandshake.read(head) }
        head = Self.request()
        head.method = "POST"
        #expect(throws: WebSocketError.notAnUpgradeRequest) { try WebSocketHandshake.read(head) }
    }
}

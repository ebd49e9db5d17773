import FastForward
import Testing

@Suite struct `Reading WebSocket frames` {
    @Test func `the examples of RFC 6455 §5.7 are read, however they are cut`() {
        let hello = Array("Hello".utf8)
        let large = [UInt8](repeating: 0x5A, count: 65536)
        let examples: [([UInt8], WebSocketRole, WebSocketOpcode, [WebSocketSeen])] = [
            ([0x81, 0x05] + hello, .client, .text, [.data(hello, endsMessage: true)]),
            (
                [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58], .server, .text,
                [.data(hello, endsMessage: true)]
            ),
            (
                [0x01, 0x03] + hello[..<3] + [0x80, 0x02] + hello[3...], .client, .text,
                [.data(hello, endsMessage: true)]
            ),
            ([0x89, 0x05] + hello, .client, .binary, [.ping(hello)]),
            (
                [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58], .server, .binary,
                [.pong(hello)]
            ),
            (
                [0x82, 0x7E, 0x01, 0x00] + large[..<256], .client, .binary,
                [.data(Array(large[..<256]), endsMessage: true)]
            ),
        ]
        for (bytes, role, messages, seen) in examples {
            for pieces in cuttings(of: bytes, seed: 1) {
                let reading = readWebSocket(pieces, role: role, messages: messages)
                #expect(reading == WebSocketReading(seen: seen))
            }
        }
        let example = [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0] + large
        for pieces in cuttings(of: example, seed: 1, inTwo: false) {
            #expect(readWebSocket(pieces).seen == [.data(large, endsMessage: true)])
        }
    }

    @Test(arguments: [WebSocketRole.client, .server])
    func `control frames may stand between fragments, and empty frames anywhere`(_ role: WebSocketRole) {
        let key: [UInt8]? = role == .server ? [1, 2, 3, 4] : nil
        let longest = [UInt8](repeating: 9, count: 125)
        let bytes =
            webSocketFrame(0x02, [], key: key) + webSocketFrame(0x00, [1, 2, 3], key: key)
            + webSocketFrame(0x89, longest, key: key) + webSocketFrame(0x00, [], key: key)
            + webSocketFrame(0x8A, [], key: key) + webSocketFrame(0x00, [4, 5, 6, 7, 8], key: key)
            + webSocketFrame(0x80, [], key: key) + webSocketFrame(0x82, [], key: key)
            + webSocketFrame(0x82, [UInt8](0...200), key: key)
            + webSocketFrame(0x88, [0x0F, 0xA0] + Array("tschüß".utf8), key: key)
            + Array("whatever comes now".utf8)
        let expected: [WebSocketSeen] = [
            .data([1, 2, 3], endsMessage: false), .ping(longest), .pong([]),
            .data([4, 5, 6, 7, 8], endsMessage: true), .data([], endsMessage: true),
            .data([UInt8](0...200), endsMessage: true), .close(4000, "tschüß"),
        ]
        for pieces in cuttings(of: bytes, seed: 2) {
            #expect(readWebSocket(pieces, role: role) == WebSocketReading(seen: expected))
        }
    }

    static let broken: [(WebSocketRole, [UInt8], WebSocketError)] = [
        (.client, [0x82, 0x81, 1, 2, 3, 4, 5], .maskedByServer),
        (.server, [0x82, 0x01, 5], .notMaskedByClient),
        (.client, [0xC2, 0x00], .reservedBits(firstByte: 0xC2)),
        (.client, [0xA2, 0x00], .reservedBits(firstByte: 0xA2)),
        (.client, [0x92, 0x00], .reservedBits(firstByte: 0x92)),
        (.client, [0x83, 0x00], .unknownOpcode(3)),
        (.client, [0x87, 0x00], .unknownOpcode(7)),
        (.client, [0x8B, 0x00], .unknownOpcode(11)),
        (.client, [0x8F, 0x00], .unknownOpcode(15)),
        (.client, [0x81, 0x00], .wrongMessageKind(opcode: 1)),
        (.client, [0x80, 0x00], .continuationOfNothing),
        (.client, [0x82, 0x00, 0x00, 0x00], .continuationOfNothing),
        (.client, [0x02, 0x00, 0x82, 0x00], .messageInsideMessage(opcode: 2)),
        (.client, [0x82, 126, 0, 125], .lengthNotMinimal(payloadBytes: 125)),
        (.client, [0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], .lengthNotMinimal(payloadBytes: 65535)),
        (.client, [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], .lengthTooLarge(payloadBytes: 1 << 63)),
        (.client, [0x89, 126, 0, 126], .controlFrameTooLong(opcode: 9, payloadBytes: 126)),
        (.client, [0x09, 0x00], .controlFrameFragmented(opcode: 9)),
        (.client, [0x88, 0x01, 0x03], .closeTooShort),
        (.client, [0x88, 0x02, 0x03, 0xE7], .closeCodeInvalid(999)),
        (.client, [0x88, 0x02, 0x03, 0xED], .closeCodeInvalid(1005)),
        (.client, [0x88, 0x02, 0x03, 0xF7], .closeCodeInvalid(1015)),
        (.client, [0x88, 0x02, 0x13, 0x88], .closeCodeInvalid(5000)),
        (.client, [0x88, 0x03, 0x03, 0xE8, 0xFF], .closeReasonNotUTF8),
    ]

    @Test(arguments: broken)
    func `what breaks RFC 6455 is refused, however it is cut`(
        _ role: WebSocketRole,
        _ bytes: [UInt8],
        _ error: WebSocketError
    ) {
        for pieces in cuttings(of: bytes + [0, 0, 0, 0], seed: 3) {
            #expect(readWebSocket(pieces, role: role).error == error)
        }
        #expect(!error.description.contains("\n"))
    }

    @Test func `the largest length there is does not overflow`() throws {
        var reader = WebSocketFrameReader(role: .client)
        let bytes: [UInt8] = [0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2]
        var cursor = 0
        let event = try reader.next(bytes.span.bytes, from: &cursor)
        #expect(event == .payload(10..<12, mask: nil, endsMessage: false))
        #expect(throws: WebSocketError.endedWithoutClose(isInsideFrame: true)) { try reader.finish() }
    }

    @Test func `an end without CLOSE is told from one with it`() throws {
        var reader = WebSocketFrameReader(role: .client)
        var cursor = 0
        #expect(throws: WebSocketError.endedWithoutClose(isInsideFrame: false)) { try reader.finish() }
        let half: [UInt8] = [0x88]
        #expect(try reader.next(half.span.bytes, from: &cursor) == nil)
        #expect(throws: WebSocketError.endedWithoutClose(isInsideFrame: true)) { try reader.finish() }
        let rest: [UInt8] = [0x00]
        cursor = 0
        #expect(try reader.next(rest.span.bytes, from: &cursor) == .close(code: nil, reason: ""))
        try reader.finish()
    }

    @Test(arguments: [("echo.bin", 5), ("download.bin", 14), ("interleaved.bin", 48)])
    func `the payload of a recorded tunnel is the same SPDY frames, however it is cut`(
        _ file: String,
        _ frames: Int
    ) throws {
        let bytes = Array(try Vectors.bytes(file).dropFirst(182))
        let whole = readWebSocket([bytes])
        #expect(whole.error == nil)
        #expect(countSPDYFrames(whole.payload) == frames)
        for pieces in cuttings(of: bytes, seed: 4, inTwo: bytes.count < 1000) {
            #expect(readWebSocket(pieces) == whole)
        }
    }

    @Test func `a recorded PONG and CLOSE, and the messages of a recorded channel connection, are read`()
        throws
    {
        let control = Array(try Vectors.bytes("websocket-ping-close.bin").dropFirst(182))
        let channels = Array(try Vectors.bytes("channels-echo.bin").dropFirst(172))
        for pieces in cuttings(of: control, seed: 5) {
            #expect(readWebSocket(pieces).seen == [.pong(Array("are you there".utf8)), .close(1000, "")])
        }
        for pieces in cuttings(of: channels, seed: 5) {
            #expect(
                readWebSocket(pieces).seen == [
                    .data([0, 0x58, 0x1B], endsMessage: true), .data([1, 0x58, 0x1B], endsMessage: true),
                    .data([0] + Array("hello".utf8), endsMessage: true),
                ]
            )
        }
    }

    @Test(arguments: testSeeds(20))
    func `garbage gives events or an error of WebSocket, the same however it is cut`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<100 {
            // Short frames of plausible first bytes, so that many are read before one is refused.
            var bytes: [UInt8] = []
            for _ in 0..<8 {
                let first = [0x82, 0x02, 0x80, 0x00, 0x89, 0x8A, 0x88, generator.bytes(1)[0]]
                bytes += [
                    first.randomElement(using: &generator) ?? 0, UInt8.random(in: 0...6, using: &generator),
                ]
                bytes += generator.bytes(Int.random(in: 0...6, using: &generator))
            }
            let whole = readWebSocket([bytes])
            #expect(readWebSocket(bytes.map { [$0] }) == whole, "seed \(seed)")
            #expect(readWebSocket(randomCuts(of: bytes, using: &generator)) == whole, "seed \(seed)")
        }
    }
}

/// How many whole SPDY/3.1 frames `payload` is; `nil` where something is left.
private func countSPDYFrames(_ payload: [UInt8]) -> Int? {
    var offset = 0
    var count = 0
    while offset + 8 <= payload.count {
        let length = payload[(offset + 5)..<(offset + 8)].reduce(0) { $0 << 8 | Int($1) }
        offset += 8 + length
        count += 1
    }
    return offset == payload.count ? count : nil
}

/// Attacks within an open tunnel, and within WebSocket channels.
enum HostileTunnels {
    private static let bulkBytes = HostileConnections.bulkBytes
    private static let binary = WebSocketBytes.binary
    private static let ping = WebSocketBytes.ping

    // MARK: WebSocket

    /// A frame that no server may send.
    private static func breaks(_ name: String, _ expected: String, _ bytes: [UInt8]) -> HostileRow {
        HostileRow(name, .tunnel, .tunnelLost(expected)) {
            try $0.wire.send(bytes)
            $0.wire.awaitEnd()
        }
    }

    static let webSocketRows: [HostileRow] = [
        breaks("a masked frame", "masked", WebSocketBytes.frame(binary, [1], isMasked: true)),
        breaks("reserved bits", "reserved bits", WebSocketBytes.frame(0xF2, [1])),
        breaks("a reserved opcode", "unknown opcode 3", WebSocketBytes.frame(0x83, [1])),
        breaks("a reserved control opcode", "unknown opcode 11", WebSocketBytes.frame(0x8B, [1])),
        breaks("a length of 2^63", "more than can be", WebSocketBytes.frame(binary, [], length: 1 << 63)),
        breaks("a length in too many bytes", "too many bytes", [binary, 127, 0, 0, 0, 0, 0, 0, 0, 1, 0]),
        breaks("a text message", "wrong kind", WebSocketBytes.frame(WebSocketBytes.text, [0x41])),
        breaks(
            "a continuation of nothing",
            "had not begun",
            WebSocketBytes.frame(WebSocketBytes.continuation, [1])
        ),
        breaks(
            "a message within a message",
            "inside another",
            WebSocketBytes.frame(binary & 0x7F, []) + WebSocketBytes.frame(binary, [])
        ),
        breaks(
            "a ping of 126 bytes",
            "more than 125",
            WebSocketBytes.frame(ping, [UInt8](repeating: 0, count: 126))
        ),
        breaks("a ping in fragments", "in fragments", WebSocketBytes.frame(ping & 0x7F, [1])),
        breaks("half a close code", "half a code", WebSocketBytes.frame(WebSocketBytes.close, [3])),
        breaks(
            "a forbidden close code",
            "invalid code 1006",
            WebSocketBytes.frame(WebSocketBytes.close, [3, 0xEE])
        ),
        breaks(
            "a reason of no UTF-8",
            "not UTF-8",
            WebSocketBytes.frame(WebSocketBytes.close, [3, 0xE8, 0xFF])
        ),
        breaks(
            "a reason with an escape",
            "closed the tunnel",
            WebSocketBytes.frame(WebSocketBytes.close, [3, 0xE8] + Array("\u{1B}[2J\nlost \u{9B}2J".utf8))
        ),
        HostileRow("bytes behind a close", .tunnel, .tunnelLost("closed the tunnel")) {
            let close = WebSocketBytes.frame(WebSocketBytes.close, [3, 0xE8])
            let data = WebSocketBytes.frame(binary, SPDYBytes.data($0.dataID, [1, 2, 3]))
            try $0.wire.send(close + data + data + [0xFF, 0xFF])
            try $0.wire.flood(data, bytes: bulkBytes)
        },
        HostileRow("a payload of 2^62 that is no SPDY", .tunnel, .tunnelLost("SPDY")) {
            try $0.wire.send(WebSocketBytes.frame(binary, [], length: 1 << 62))
            try $0.wire.flood([0xFF], bytes: bulkBytes)
        },
        HostileRow("empty fragments without end", .tunnel, .nothing) {
            try $0.wire.send(WebSocketBytes.frame(binary & 0x7F, []))
            try $0.wire.flood(WebSocketBytes.frame(0, []), bytes: bulkBytes / 16)
            try $0.wire.send(WebSocketBytes.frame(WebSocketBytes.continuation, []))
        },
        HostileRow("fragments of one byte", .tunnel, .nothing) { attacked in
            var first = true
            for byte in SPDYBytes.settings(1000) {
                try attacked.wire.send(WebSocketBytes.frame(first ? binary & 0x7F : 0, [byte]))
                first = false
            }
            try attacked.wire.send(WebSocketBytes.frame(WebSocketBytes.continuation, []))
        },
        HostileRow("pings without reading the answers", .tunnel, .nothing) {
            let piece = WebSocketBytes.frame(ping, [UInt8](repeating: 7, count: 125))
            try $0.wire.flood(piece, bytes: bulkBytes)
        },
        HostileRow("pings in turns of their own, answers unread", .tunnel, .nothing) {
            let piece = WebSocketBytes.frame(ping, [UInt8](repeating: 7, count: 125))
            for _ in 0..<bulkBytes / 4096 { try $0.wire.send(piece) }
        },
        HostileRow("pongs that nobody asked for", .tunnel, .nothing) {
            try $0.wire.flood(WebSocketBytes.frame(0x8A, [1, 2, 3]), bytes: bulkBytes / 16)
        },
        HostileRow("an end in the middle of a frame", .tunnel, .tunnelLost("ended the connection")) {
            try $0.wire.send(WebSocketBytes.frame(binary, [], length: 70_000))
            $0.wire.socket.shutdownWriting()
        },
    ]

    // MARK: SPDY

    private static func spdy(
        _ name: String,
        _ outcome: HostileRow.Outcome,
        _ frames: @escaping @Sendable (Attacked) -> [UInt8]
    ) -> HostileRow {
        HostileRow(name, .tunnel, outcome) { try $0.spdy(frames($0)) }
    }

    private static func floods(
        _ name: String,
        _ outcome: HostileRow.Outcome,
        bytes: Int = bulkBytes,
        options: [String] = [],
        _ frames: @escaping @Sendable (Attacked) -> [UInt8]
    ) -> HostileRow {
        HostileRow(name, .tunnel, outcome, options: options) { try $0.spdyFlood(frames($0), bytes: bytes) }
    }

    private static let unknown: UInt32 = 0x7FFF_FFFF

    static let spdyRows: [HostileRow] =
        [
            spdy("a control frame of 2^24-1", .tunnelLost("16777215")) { _ in
                SPDYBytes.control(8, [0, 0, 0, 1], length: 0xFF_FFFF)
            },
            spdy("another version of SPDY", .tunnelLost("version")) { _ in
                SPDYBytes.control(6, [0, 0, 0, 1], version: 2)
            },
            spdy("a stream of the server's", .tunnelLost("opened stream 2")) { _ in SPDYBytes.synStream(2) },
            spdy("a stream of ours opened by the server", .tunnelLost("stream")) {
                SPDYBytes.synStream($0.dataID)
            },
            spdy("stream 0", .tunnelLost("0")) { _ in SPDYBytes.data(0, [1]) },
            spdy("a reset of stream 0", .tunnelLost("0")) { _ in SPDYBytes.reset(0) },
            spdy("a ping of 5 bytes", .tunnelLost("5")) { _ in SPDYBytes.control(6, [0, 0, 0, 1, 0]) },
            spdy("settings that lie about their number", .tunnelLost("SETTINGS")) { _ in
                SPDYBytes.settings(2, claiming: 0xFFFF_FFFF)
            },
            spdy("a header block that is none", .tunnelLost("header block")) {
                SPDYBytes.headers($0.dataID, [0xFF, 0xFE, 0xFD])
            },
            spdy("a header block that is cut", .tunnelLost("header")) {
                SPDYBytes.headers($0.dataID, Array(SPDYBytes.emptyBlock.prefix(6)))
            },
            spdy("another dictionary", .tunnelLost("header block")) {
                SPDYBytes.headers($0.dataID, [0x78, 0xBB, 1, 2, 3, 4])
            },
            spdy("the end of compression", .tunnelLost("header block")) {
                SPDYBytes.headers($0.dataID, [1, 4, 0, 0xFB, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0])
            },
            spdy("a header block that inflates without end", .tunnelLost("16384")) {
                SPDYBytes.headers($0.dataID, SPDYBytes.bomb(30_000))
            },
            spdy("one for a stream that is not there", .tunnelLost("16384")) { _ in
                SPDYBytes.headers(unknown, SPDYBytes.bomb(30_000))
            },
            floods("header blocks at their bound", .nothing) {
                SPDYBytes.headers($0.dataID, hundredHeaders)
            },
            floods("replies to the same stream", .nothing, bytes: bulkBytes / 4) {
                SPDYBytes.synReply($0.dataID)
            },
            floods("frames for streams that are not there", .nothing) { _ in
                SPDYBytes.data(unknown, [UInt8](repeating: 1, count: 1000)) + SPDYBytes.synReply(unknown)
                    + SPDYBytes.reset(unknown) + SPDYBytes.data(2, [1], isFinal: true)
            },
            floods("settings without end", .nothing) { _ in SPDYBytes.settings(100) },
            floods("frames of no known kind", .nothing) { _ in
                SPDYBytes.control(77, [UInt8](repeating: 0, count: 60_000))
            },
            floods("window updates over the brim", .nothing) {
                SPDYBytes.windowUpdate($0.dataID, 0x7FFF_FFFF) + SPDYBytes.windowUpdate(unknown, 0)
            },
            floods("empty data frames", .nothing, bytes: bulkBytes / 4) { SPDYBytes.data($0.dataID, []) },
            floods("answers to pings that nobody asked", .nothing, bytes: bulkBytes / 4) { _ in
                SPDYBytes.ping(1) + SPDYBytes.ping(0x7FFF_FFFF) + SPDYBytes.ping(0xFFFF_FFFF)
            },
            floods("pings at once", .tunnelLost("PINGs")) { _ in SPDYBytes.ping(2) },
            HostileRow("pings in turns of their own, answers unread", .tunnel, .tunnelLost("PINGs")) {
                // Not so many at a time that a turn sees more than may wait.
                let pings = [UInt8]((0..<40).map { _ in SPDYBytes.ping(2) }.joined())
                for _ in 0..<(32 << 20) / pings.count {
                    try $0.spdy(pings)
                    _ = $0.wire.socket.hears(within: 0)
                }
            },
            spdy("GOAWAY, then more", .nothing) {
                SPDYBytes.goAway() + SPDYBytes.goAway(9) + SPDYBytes.goAway() + SPDYBytes.synReply($0.dataID)
            },
            floods("GOAWAY without end", .nothing, bytes: bulkBytes / 4) { _ in SPDYBytes.goAway() },
        ] + endings

    /// A hundred headers of a hundred bytes, as many as are taken, in a stored block.
    private static let hundredHeaders: [UInt8] = {
        var text = bigEndian(100, 4)
        for index in 0..<100 {
            let name = Array("h\(index)".utf8)
            text += bigEndian(UInt64(name.count), 4) + name + bigEndian(100, 4)
            text += [UInt8](repeating: 0x1B, count: 100)
        }
        let length = UInt16(text.count)
        let lengths = [length, ~length].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        return [0] + lengths + text + [0, 0, 0, 0xFF, 0xFF]
    }()

    // MARK: How connections end

    private static let endings: [HostileRow] = [
        spdy("a reset of the data", .connectionFails("reset the stream")) { SPDYBytes.reset($0.dataID) },
        spdy("resets again and again", .connectionFails("status 4294967295")) {
            SPDYBytes.reset($0.errorID, 0xFFFF_FFFF) + SPDYBytes.reset($0.dataID)
                + SPDYBytes.reset($0.errorID)
                + SPDYBytes.data($0.dataID, [1]) + SPDYBytes.data($0.errorID, [1], isFinal: true)
        },
        spdy("data behind its end", .connectionFails("too late")) {
            SPDYBytes.data($0.dataID, [], isFinal: true) + SPDYBytes.data($0.dataID, [1, 2, 3])
                + SPDYBytes.data($0.dataID, [], isFinal: true)
                + SPDYBytes.data($0.errorID, Array("too late".utf8))
                + SPDYBytes.data($0.errorID, [], isFinal: true)
        },
        spdy("a reason with escapes and line ends", .connectionFails("clear")) {
            let text = "\u{1B}[2J\u{1B}]0;x\u{7} clear\r\n\0lost connection to pod\u{9B}31m\u{202E}"
            return SPDYBytes.data($0.errorID, Array(text.utf8), isFinal: true)
        },
        spdy("a reason of no UTF-8", .connectionFails("forwarding")) {
            SPDYBytes.data(
                $0.errorID,
                (0...255).map { UInt8($0) } + [0xC0, 0x80, 0xED, 0xA0, 0x80],
                isFinal: true
            )
        },
        HostileRow("a reason without end", .tunnel, .connectionFails("oops"), seconds: 3) {
            // It is waited for as long as a reason may take; the rest concerns nobody any more.
            let frame = SPDYBytes.data($0.errorID, [UInt8](repeating: 0x6F, count: 30_000))
            try $0.spdy(SPDYBytes.data($0.errorID, Array("oops".utf8)))
            try $0.spdyFlood(frame, bytes: 4 * bulkBytes)
        },
        HostileRow("an answer without end behind a reset", .tunnel, .connectionFails("reset"), seconds: 3) {
            try $0.spdy(SPDYBytes.reset($0.errorID))
            try $0.spdyFlood(
                SPDYBytes.data($0.dataID, [UInt8](repeating: 1, count: 30_000)),
                bytes: bulkBytes
            )
        },
    ]

    /// The same core without the WebSocket layer.
    static let bareRows: [HostileRow] = [
        floods("noise", .tunnelLost("SPDY"), options: ["--transport", "spdy"]) { _ in
            [UInt8](repeating: 0xFF, count: 100)
        },
        floods("pings at once, bare", .tunnelLost("PINGs"), options: ["--transport", "spdy"]) { _ in
            SPDYBytes.ping(2)
        },
        floods("replies to nobody, bare", .nothing, bytes: bulkBytes / 4, options: ["--transport", "spdy"]) {
            _ in
            SPDYBytes.synReply(unknown)
        },
    ]

    // MARK: Channels

    private static func channel(
        _ name: String,
        _ expected: String,
        _ attack: @escaping @Sendable (Attacked) throws -> Void
    ) -> HostileRow {
        HostileRow(
            "channels: " + name,
            .tunnel,
            .connectionFails(expected),
            options: ["--transport", "channels"],
            attack: attack
        )
    }

    static let channelRows: [HostileRow] = [
        channel("channel 7", "channel 7") { try $0.wire.send(WebSocketBytes.frame(binary, [7, 1])) },
        channel("a text message", "wrong kind") {
            try $0.wire.send(WebSocketBytes.frame(WebSocketBytes.text, [0x30, 0x41]))
        },
        channel("a masked frame", "masked") {
            try $0.wire.send(WebSocketBytes.frame(binary, [0, 1], isMasked: true))
        },
        channel("a length of 2^63", "more than can be") {
            try $0.wire.send(WebSocketBytes.frame(binary, [], length: 1 << 63))
        },
        channel("a reason with escapes", "clear") {
            let text = Array("\u{1B}[2J clear\r\n\0lost".utf8)
            try $0.wire.send(
                WebSocketBytes.frame(binary, [1] + text) + WebSocketBytes.frame(0x88, [3, 0xE8])
            )
        },
        channel("a reason without end", "ooo") {
            let frame = WebSocketBytes.frame(binary, [1] + [UInt8](repeating: 0x6F, count: 30_000))
            try $0.wire.flood(frame, bytes: bulkBytes)
        },
        channel("a close with an escape", "(1011)") {
            let reason = Array("\u{1B}[2J".utf8)
            try $0.wire.send(WebSocketBytes.frame(WebSocketBytes.close, [3, 0xF3] + reason))
        },
        channel("an end without a close", "lost") { $0.wire.socket.shutdownWriting() },
        HostileRow(
            "channels: pings without reading the answers",
            .tunnel,
            .nothing,
            options: ["--transport", "channels"]
        ) {
            let piece = WebSocketBytes.frame(ping, [UInt8](repeating: 7, count: 125))
            try $0.wire.flood(piece, bytes: bulkBytes)
            try $0.wire.send(WebSocketBytes.frame(binary, [0]))
        },
        HostileRow(
            "channels: empty messages without end",
            .tunnel,
            .nothing,
            options: ["--transport", "channels"]
        ) {
            let pair = WebSocketBytes.frame(binary, []) + WebSocketBytes.frame(binary, [0])
            try $0.wire.flood(pair, bytes: bulkBytes / 16)
        },
    ]
}

/// Attacks on a connection that has only just been made, and within TLS.
enum HostileConnections {
    /// What a bad server sends in bulk: enough that nothing unbounded would stay below ``HostileRow/memoryBytesMax``.
    static let bulkBytes = Programs.scaled(64 << 20)

    static let rows: [HostileRow] = [
        HostileRow("silence", .connection, .refusal("within 10 s"), seconds: 10) { $0.wire.awaitEnd() },
        HostileRow("silence, while it reconnects", .connection, .recovery, seconds: 10) {
            $0.wire.awaitEnd()
        },
        HostileRow("an end at once", .connection, .refusal("ended the connection")) { _ in },
        HostileRow("a reset at once", .connection, .refusal("127.0.0.1")) { $0.wire.socket.closeWithReset() },
        HostileRow("a reset at once, while it reconnects", .connection, .recovery) {
            $0.wire.socket.closeWithReset()
        },
        HostileRow("one byte a second", .connection, .refusal("within 10 s"), seconds: 10) {
            _ = try $0.wire.receiveHead()
            try $0.wire.drip(Array("HTTP/1.1 200 OK\r\n".utf8), every: 1000)
            $0.wire.awaitEnd()
        },
        HostileRow("noise", .connection, .refusal("not understood")) {
            _ = try $0.wire.receiveHead()
            try $0.wire.flood([0xFF, 0, 0x1B, 0x5B, 0x32, 0x4A], bytes: bulkBytes)
        },
        HostileRow("noise, while it reconnects", .connection, .recovery) {
            try $0.wire.flood([0xFF, 0, 0x1B, 0x5B, 0x32, 0x4A], bytes: 1 << 20)
        },
    ]

    // MARK: TLS

    private static let clientHello = 1

    static let tlsRows: [HostileRow] =
        [
            HostileRow(
                "silence in the handshake",
                .connection,
                .refusal("within 10 s"),
                seconds: 10,
                isTLS: true
            ) {
                $0.wire.awaitEnd()
            },
            HostileRow("noise for TLS", .connection, .refusal("TLS"), isTLS: true) {
                _ = try $0.wire.receive()
                try $0.wire.flood([0x1B, 0x5B, 0x32, 0x4A, 0xFF], bytes: bulkBytes)
            },
            HostileRow("an alert", .connection, .refusal("TLS"), isTLS: true) {
                _ = try $0.wire.receive()
                try $0.wire.send([21, 3, 3, 0, 2, 2, 80])
            },
            HostileRow("warnings without end", .connection, .refusal("TLS"), isTLS: true) {
                _ = try $0.wire.receive()
                try $0.wire.flood([21, 3, 3, 0, 2, 1, 100], bytes: bulkBytes)
            },
            HostileRow("empty records without end", .connection, .refusal("TLS"), isTLS: true) {
                _ = try $0.wire.receive()
                try $0.wire.flood([22, 3, 3, 0, 0], bytes: bulkBytes)
            },
            HostileRow("a ServerHello of 16 MiB", .connection, .refusal("TLS"), isTLS: true) {
                _ = try $0.wire.receive()
                try $0.wire.send([22, 3, 3, 0, 4, 2, 0xFF, 0xFF, 0xFF])
                try $0.wire.flood([22, 3, 3, 0, 4, 0, 0, 0, 0], bytes: bulkBytes)
            },
            HostileRow("a change of ciphers without end", .connection, .refusal("TLS"), isTLS: true) {
                _ = try $0.wire.receive()
                try $0.wire.flood([20, 3, 3, 0, 1, 1], bytes: bulkBytes)
            },
            HostileRow(
                "another authority's certificate",
                .connection,
                .refusal("does not verify"),
                isTLS: true
            ) {
                _ = try $0.wire.startTLS(Certificates.foreign)
            },
            HostileRow("a chain of certificates without end", .connection, .refusal("TLS"), isTLS: true) {
                _ = try $0.wire.startTLS(Certificates.withLongChain)
            },
            HostileRow(
                "an end without a goodbye in a tunnel",
                .tunnel,
                .tunnelLost("ended the connection"),
                isTLS: true
            ) {
                $0.wire.socket.shutdownWriting()
            },
            HostileRow("noise in a tunnel's TLS", .tunnel, .tunnelLost("TLS failed"), isTLS: true) {
                try $0.wire.socket.send([UInt8](repeating: 0xFE, count: 64))
            },
            HostileRow("a record that was changed", .tunnel, .tunnelLost("TLS failed"), isTLS: true) {
                try $0.wire.socket.send([23, 3, 3, 0, 64] + [UInt8](repeating: 0xFE, count: 64))
            },
            HostileRow("keys asked for again and again", .tunnel, .nothing, seconds: 5, isTLS: true) {
                try $0.wire.askForKeys(10_000)
            },
        ] + [1, 5, 90, 600, 1000].map(cutHandshake)

    /// A handshake that ends after so many bytes of the server's.
    private static func cutHandshake(_ bytes: Int) -> HostileRow {
        HostileRow("a handshake cut at \(bytes)", .connection, .refusal("127.0.0.1"), isTLS: true) {
            _ = try $0.wire.startTLS(Certificates.foreign, cutAt: bytes)
        }
    }
}

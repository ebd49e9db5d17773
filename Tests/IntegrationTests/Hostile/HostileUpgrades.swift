import Foundation

/// Attacks on the upgrade, by all three ways, and by the proxies before it.
enum HostileUpgrades {
    private static let bulkBytes = HostileConnections.bulkBytes

    private static func says(_ name: String, _ expected: String, _ text: String) -> [HostileRow] {
        [
            HostileRow(name, .upgrade, .refusal(expected), saying: text),
            HostileRow(name + ", while it reconnects", .upgrade, .recovery, saying: text),
        ]
    }

    /// The right 101 with a field changed.
    private static func changes(_ name: String, _ expected: String, _ field: String, _ value: String?)
        -> HostileRow
    {
        HostileRow(name, .upgrade, .refusal(expected), options: ["--transport", "websocket"]) { attacked in
            guard let head = attacked.head else { return }
            let lines = HostileServer.accepted(head).components(separatedBy: "\r\n").filter {
                !$0.hasPrefix(field + ":")
            }
            let more = value.map { ["\(field): \($0)"] } ?? []
            try attacked.wire.send((lines.prefix(1) + more + lines.dropFirst()).joined(separator: "\r\n"))
            attacked.wire.awaitEnd()
        }
    }

    static let rows: [HostileRow] =
        [
            changes("no accept value", "Sec-WebSocket-Accept", "Sec-WebSocket-Accept", nil),
            changes(
                "a wrong accept value",
                "Sec-WebSocket-Accept",
                "Sec-WebSocket-Accept",
                "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
            ),
            changes("another protocol", "error upgrading", "Sec-WebSocket-Protocol", "\u{80}[2J"),
            changes("an extension", "error upgrading", "Sec-WebSocket-Extensions", "permessage-deflate"),
            changes("another upgrade", "error upgrading", "Upgrade", "h2c"),
            HostileRow("interim answers without end", .upgrade, .refusal("interim answers")) {
                try $0.wire.flood(Array("HTTP/1.1 103 Early Hints\r\n\r\n".utf8), bytes: bulkBytes)
            },
            HostileRow("a refusal without end", .upgrade, .refusal("error upgrading connection")) {
                try $0.wire.send("HTTP/1.1 500 Oops\r\n\r\n")
                try $0.wire.flood(Array("\u{1B}[2J no\n".utf8), bytes: bulkBytes)
            },
            HostileRow(
                "a refusal that does not come to an end",
                .upgrade,
                .refusal("some words"),
                options: ["--transport", "websocket"],
                seconds: 10
            ) {
                try $0.wire.send("HTTP/1.1 500 Oops\r\n\r\nsome words")
                $0.wire.awaitEnd()
            },
            HostileRow(
                "an answer of one byte a second",
                .upgrade,
                .refusal("within 10 s"),
                options: ["--transport", "websocket"],
                seconds: 10
            ) {
                try $0.wire.drip(Array("HTTP/1.1 101 Switching Protocols\r\n".utf8), every: 1000)
                $0.wire.awaitEnd()
            },
            HostileRow("a head without end, while it reconnects", .upgrade, .recovery) {
                try $0.wire.send("HTTP/1.1 101 Switching Protocols\r\n")
                try $0.wire.flood(Array("X: y\r\n".utf8), bytes: bulkBytes)
            },
            HostileRow("noise behind the 101, while it reconnects", .upgrade, .recovery) {
                try $0.accept()
                try $0.wire.flood([0xFF, 0x1B], bytes: 1 << 20)
            },
            HostileRow("GOAWAY behind each 101, while it reconnects", .upgrade, .recovery) {
                try $0.accept()
                try $0.wire.send(WebSocketBytes.frame(WebSocketBytes.binary, SPDYBytes.goAway()))
            },
        ]
        + says("no HTTP", "not understood", "SSH-2.0-OpenSSH_9.2\r\n")
        + says("nothing", "without an answer", "")
        + says("half an answer", "127.0.0.1", "HTTP/1.1 101 Switching Prot")
        + says("a 401 each time", "error upgrading", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        + says("a redirection", "302", "HTTP/1.1 302 Found\r\nLocation: /\u{80}\r\nContent-Length: 0\r\n\r\n")
        + says(
            "an escape in a Status",
            "error upgrading",
            "HTTP/1.1 403 Forbidden\r\n\r\n"
                + #"{"kind":"Status","status":"Failure","message":"\u001b[2J\nlost connection\u009b2J"}"#
        )

    // MARK: Proxies

    private static func proxy(
        _ name: String,
        _ scheme: String,
        _ expected: String,
        seconds: Int = 1,
        _ attack: @escaping @Sendable (Attacked) throws -> Void
    ) -> HostileRow {
        HostileRow(
            "\(scheme) proxy: \(name)",
            .connection,
            .refusal(expected),
            seconds: seconds,
            proxyScheme: scheme,
            attack: attack
        )
    }

    private static let method: [UInt8] = [5, 0]

    static let proxyRows: [HostileRow] =
        ["http", "https", "socks5"].flatMap { scheme in
            [
                proxy("silence", scheme, "within 10 s", seconds: 10) { $0.wire.awaitEnd() },
                proxy("an end at once", scheme, "proxy") { _ in },
                proxy("a reset at once", scheme, "proxy") { $0.wire.socket.closeWithReset() },
                proxy("noise", scheme, "proxy") {
                    _ = try $0.wire.receive()
                    try $0.wire.flood([0xFF, 0x1B, 0x5B, 0x32, 0x4A], bytes: bulkBytes)
                },
            ]
        } + [
            proxy("a head without end", "http", "is no HTTP proxy") {
                try $0.wire.send("HTTP/1.1 200 OK\r\nX: ")
                try $0.wire.flood([UInt8(ascii: "x")], bytes: bulkBytes)
            },
            proxy("interim answers without end", "http", "interim answers") {
                try $0.wire.flood(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), bytes: bulkBytes)
            },
            proxy("a refusal without end", "http", "did not connect: 403") {
                try $0.wire.send("HTTP/1.1 403 No\r\n\r\n")
                try $0.wire.flood(Array("\u{1B}[2J<title>\u{1B}[2J".utf8), bytes: bulkBytes)
            },
            proxy("a refusal that does not come to an end", "http", "did not connect: 403", seconds: 10) {
                try $0.wire.send("HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\nno")
                $0.wire.awaitEnd()
            },
            proxy("two lengths", "http", "did not connect: 500") {
                try $0.wire.send("HTTP/1.1 500 No\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nno")
            },
            proxy("a login that it does not need, each time", "http", "wants a user") {
                try $0.wire.send("HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"\u{80}[2J\"\r\n\r\n")
            },
            proxy("200, then noise", "http", "TLS") {
                _ = try $0.wire.receiveHead()
                try $0.wire.send("HTTP/1.1 200 OK\r\n\r\n")
                try $0.wire.flood([0x1B, 0x5B, 0x32, 0x4A], bytes: bulkBytes)
            },
            proxy("200 with a length, then silence", "http", "within 10 s", seconds: 10) {
                _ = try $0.wire.receiveHead()
                try $0.wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
                $0.wire.awaitEnd()
            },
            proxy("one byte a second", "http", "within 10 s", seconds: 10) {
                try $0.wire.drip(Array("HTTP/1.1 200 OK\r\n".utf8), every: 1000)
                $0.wire.awaitEnd()
            },
            proxy("another version", "socks5", "is no SOCKS 5 proxy") { try $0.wire.send([4, 0]) },
            proxy("a method that was not offered", "socks5", "not offered") { try $0.wire.send([5, 1]) },
            proxy("no method", "socks5", "proxy") { try $0.wire.send([5, 0xFF]) },
            proxy("half an answer", "socks5", "proxy") { try $0.wire.send(method + [5, 0, 0]) },
            proxy("an unknown kind of address", "socks5", "unknown type 9") {
                try $0.wire.send(method + [5, 0, 0, 9, 1, 2, 3, 4, 0, 0])
            },
            proxy("an unknown refusal", "socks5", "unknown code 99") {
                try $0.wire.send(method + [5, 99, 0, 1, 0, 0, 0, 0, 0, 0])
            },
            proxy("a refusal with an endless name", "socks5", "did not connect") {
                try $0.wire.send(method + [5, 5, 0, 3, 255] + [UInt8](repeating: 0x1B, count: 300))
            },
            proxy("a connection, then noise", "socks5", "TLS") {
                try $0.wire.send(method + [5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
                try $0.wire.flood([0x1B, 0x5B, 0x32, 0x4A], bytes: bulkBytes)
            },
        ]
}

import FastForward
import Foundation

/// Attacks on plain requests: for the pod, for lists of pods, for their changes.
enum HostileAnswers {
    private static let bulkBytes = HostileConnections.bulkBytes
    /// More than ffwd takes as one answer.
    private static let bodyBytes = max(bulkBytes, APIObjects.bodyBytesMax + 1 << 20)

    private static func says(_ name: String, _ expected: String, _ text: String) -> HostileRow {
        HostileRow(name, .object, .refusal(expected), saying: text)
    }

    private static func floods(
        _ name: String,
        _ expected: String,
        _ head: String,
        _ piece: String,
        bytes: Int = bulkBytes
    ) -> HostileRow {
        HostileRow(name, .object, .refusal(expected)) {
            try $0.wire.send(head)
            try $0.wire.flood(Array(piece.utf8), bytes: bytes)
        }
    }

    private static let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    // MARK: Heads and framing

    static let rows: [HostileRow] =
        [
            floods("an endless status line", "head is longer", "HTTP/1.1 200 ", "O"),
            floods("an endless field", "head is longer", "HTTP/1.1 200 OK\r\nX: ", "x"),
            floods("fields without end", "fields", "HTTP/1.1 200 OK\r\n", "X: y\r\n"),
            floods("100 without end", "interim answers", "", "HTTP/1.1 100 Continue\r\n\r\n"),
            floods("103 without end", "interim answers", "", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"),
            says("101 for a plain request", "101", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            says("no content", "204", "HTTP/1.1 204 No Content\r\n\r\n"),
            says("a status of four digits", "not understood", "HTTP/1.1 2000 OK\r\n\r\n"),
            says("HTTP/2", "not understood", "HTTP/2 200\r\n\r\n"),
            says("a NUL in a field", "control character 0", "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n"),
            says("an escape in the reason", "control character 27", "HTTP/1.1 200 \u{1B}[2J\r\n\r\n"),
            says("a bare line feed", "without a carriage return", "HTTP/1.1 200 OK\n\n"),
            says("a folded field", "folding", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"),
            says("an escape in an encoding", "understood", framing("Transfer-Encoding: \u{80}\u{9B}2J")),
            says("two lengths", "different lengths", framing("Content-Length: 2\r\nContent-Length: 3")),
            says(
                "a length and an encoding",
                "both",
                framing("Content-Length: 2\r\nTransfer-Encoding: chunked")
            ),
            says("a negative length", "not a length", framing("Content-Length: -1")),
            says("a length of 2^63", "not a length", framing("Content-Length: 9223372036854775808")),
            says("another encoding", "gzip", framing("Transfer-Encoding: gzip, chunked")),
            says("a chunk of no number", "chunk", chunked + "zz\r\n"),
            says("a chunk of 2^64", "chunk", chunked + "10000000000000000\r\n"),
            says("a negative chunk", "chunk", chunked + "-5\r\n"),
            says("a chunk that is too long", "chunk", chunked + "1\r\n{}\r\n"),
            floods("a chunk's extension without end", "extension", chunked + "1;", "x"),
            floods("trailers without end", "trailers", chunked + "0\r\n", "X: y\r\n"),
            says("a body that ends early", "before the end", framing("Content-Length: 999") + "{}"),
            says(
                "a length that cuts the body",
                "no readable pod",
                framing("Content-Length: 20") + HostileServer.pod
            ),
            HostileRow("a body of one byte a second", .object, .refusal("within 10 s"), seconds: 10) {
                try $0.wire.send(framing("Content-Length: 999"))
                try $0.wire.drip([UInt8](repeating: 0x20, count: 30), every: 1000)
                $0.wire.awaitEnd()
            },
        ] + (Programs.isFullSize ? [smallChunks] : []) + bodies

    /// An unoptimised ffwd is longer over them than it waits for an answer.
    private static let smallChunks = floods(
        "chunks of one byte",
        "longer than",
        chunked,
        "1\r\n \r\n",
        bytes: 2 * bulkBytes
    )

    private static func framing(_ fields: String) -> String { "HTTP/1.1 200 OK\r\n\(fields)\r\n\r\n" }

    // MARK: Bodies

    private static let bodies: [HostileRow] =
        [
            floods("a body without end", "longer than", "HTTP/1.1 200 OK\r\n\r\n", "{", bytes: bodyBytes),
            floods(
                "a body of 2^62",
                "longer than",
                framing("Content-Length: 4611686018427387904"),
                " ",
                bytes: bodyBytes
            ),
            floods("an error without end", "InternalError", "HTTP/1.1 500 Oops\r\n\r\n", "\u{1B}[2Jno\n"),
            HostileRow("an error that comes slowly", .object, .refusal("some words"), seconds: 10) {
                try $0.wire.send("HTTP/1.1 500 Oops\r\n\r\nsome words")
                $0.wire.awaitEnd()
            },
            says(
                "JSON, packed",
                "no readable pod",
                framing("Content-Encoding: gzip") + "\u{1F}\u{8B}\u{8}\0\0\0"
            ),
            says("JSON, nested without end", "more than", framing("X: y") + nested),
            says("JSON, nested too deeply", "no readable pod", framing("X: y") + nested.prefix(4000)),
            HostileRow(
                "JSON of nothing but numbers",
                .object,
                .refusal("more than")
            ) {
                let numbers = String(repeating: "0,", count: Programs.scaled(4 << 20) - 64)
                try $0.wire.send(HostileServer.ok(#"{"x":[\#(numbers)0]}"#))
            },
            says("null", "no readable pod", HostileServer.ok("null")),
            says("JSON of nothing but commas", "no readable pod", HostileServer.ok(",,,,,,")),
            says("a list for a pod", "no readable pod", HostileServer.ok("[]")),
            says("numbers for names", "no readable pod", HostileServer.ok(#"{"metadata":{"name":5}}"#)),
            says("a pod without a name", "no readable pod", HostileServer.ok(#"{"metadata":{"name":""}}"#)),
            says("a path for a name", "no readable pod", HostileServer.ok(#"{"metadata":{"name":"../x"}}"#)),
            says(
                "a namespace that is a path",
                "no readable pod",
                HostileServer.ok(#"{"metadata":{"name":"demo","namespace":"a/b"}}"#)
            ),
            says(
                "an escape for a phase",
                "not running",
                HostileServer.ok(#"{"metadata":{"name":"demo"},"status":{"phase":"\u001b[2J\n\u0000"}}"#)
            ),
            says(
                "an escape in an error",
                "from server",
                "HTTP/1.1 403 Forbidden\r\n\r\n"
                    + #"{"kind":"Status","status":"Failure","message":"\u001b[2J\nno\u202e","reason":"\u0007"}"#
            ),
        ]

    private static let nested = #"{"metadata":"# + String(repeating: "[", count: 1 << 20)

    // MARK: Lists and watches

    /// What a list may cost: its bound thrice, as the body moves while it grows.
    private static let listBytesMax = HostileRow.memoryBytesMax + 3 * APIObjects.bodyBytesMax

    private static let watchHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    private static func watches(
        _ name: String,
        options: [String] = [],
        _ attack: @escaping @Sendable (Attacked) throws -> Void
    ) -> HostileRow {
        HostileRow(name, .watch, .nothing, options: options, seconds: 5) {
            try $0.wire.send("HTTP/1.1 200 OK\r\n\r\n")
            try attack($0)
        }
    }

    private static func change(_ kind: String, _ object: String) -> String {
        #"{"type":"\#(kind)","object":\#(object)}"# + "\n"
    }

    private static func foreignPod(_ name: String) -> String {
        HostileServer.pod.replacingOccurrences(of: #""demo""#, with: "\"\(name)\"")
            .replacingOccurrences(of: #""uid":"1""#, with: "\"uid\":\"\(name)\"")
    }

    static let watchRows: [HostileRow] = [
        watches("a line without end") { try $0.wire.flood([0x20], bytes: bulkBytes) },
        watches("empty lines without end") { try $0.wire.flood([10], bytes: bulkBytes / 4) },
        watches("a line, and an end") { try $0.wire.send(change("BOOKMARK", "{}")) },
        watches("no line, and an end") { _ in },
        watches("a version that is too old") { try $0.wire.send(change("ERROR", #"{"code":410}"#)) },
        watches("errors of no kind") { try $0.wire.send(change("ERROR", "5") + change("NONE", "{}")) },
        watches("no JSON") { try $0.wire.flood(Array("{\"type\":\n\u{1B}[2J\n".utf8), bytes: 1 << 20) },
        watches("pods of no names") {
            for name in ["", ".", "..", "a/b", "%2e", "\\u001b[2J"] {
                try $0.wire.send(change("ADDED", foreignPod(name)))
            }
        },
        watches("another's deletion") {
            try $0.wire.send(change("DELETED", foreignPod("other")))
            try $0.wire.send(
                change("DELETED", HostileServer.pod.replacingOccurrences(of: #""uid":"1","#, with: ""))
            )
        },
        watches("nesting without end") {
            try $0.wire.send(#"{"type":"ADDED","object":"#)
            try $0.wire.flood([UInt8(ascii: "[")], bytes: 1 << 20)
            try $0.wire.send("\n")
        },
        HostileRow("chunks that are none", .watch, .nothing, seconds: 5) {
            try $0.wire.send(watchHead + "zz\r\n")
        },
        HostileRow("a list without end", .list, .nothing, memoryBytesMax: listBytesMax, seconds: 10) {
            try $0.wire.send("HTTP/1.1 200 OK\r\n\r\n{\"items\":[")
            try $0.wire.flood(Array(" ".utf8), bytes: 2 * bulkBytes)
        },
        HostileRow(
            "a list of nothing but numbers",
            .list,
            .nothing,
            memoryBytesMax: listBytesMax,
            seconds: 10
        ) {
            let numbers = String(repeating: "0,", count: Programs.scaled(12 << 20))
            try $0.wire.send(HostileServer.ok(#"{"x":[\#(numbers)0]}"#))
        },
        HostileRow("a list of no pods", .list, .nothing, seconds: 5) {
            try $0.wire.send(HostileServer.ok(#"{"items":[5,null,{"metadata":{"name":"a/b"}}]}"#))
        },
        HostileRow("a list of an error", .list, .nothing, seconds: 5) {
            try $0.wire.send("HTTP/1.1 500 Oops\r\n\r\n")
            try $0.wire.flood(Array("oops".utf8), bytes: bulkBytes)
        },
        HostileRow("a list that is too old", .list, .nothing, seconds: 5) {
            try $0.wire.send("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
        },
        HostileRow("a page that is too old, whenever it is asked for", .list, .nothing, seconds: 5) {
            let isFirst = !($0.head?.target.contains("continue=") ?? false)
            try $0.wire.send(
                isFirst
                    ? HostileServer.ok(#"{"metadata":{"continue":"again"},"items":[\#(HostileServer.pod)]}"#)
                    : "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
            )
        },
    ]
}

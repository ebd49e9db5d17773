import FastForward
import Testing

/// A recorded tunnel: what the client did, and what its connections must have come to.
private struct Recording: CustomTestStringConvertible, Sendable {
    let files: [String]
    var connections = 1
    /// Between the files.
    var finishesFirst = false
    let outcome: @Sendable (TunnelBench) -> Bool

    var testDescription: String { files.joined(separator: ", ") }
}

@Suite struct `A tunnel of a real API server` {
    private static let recordings = [
        Recording(files: ["echo.bin", "client-fin.bin"], finishesFirst: true) {
            $0.connections[0].received == Array("hello".utf8) && isComplete($0.connections[0])
        },
        Recording(files: ["refused.bin"]) {
            $0.connections[0].received.isEmpty
                && hasFailed($0.connections[0], saying: "failed to connect to localhost:")
        },
        Recording(files: ["pod-reset.bin"]) {
            $0.connections[0].received.count == 65536
                && hasFailed($0.connections[0], saying: "connection reset by peer")
        },
        Recording(files: ["download.bin"]) {
            let bytes = $0.connections[0].received
            return bytes.count == 307_200 && isComplete($0.connections[0])
                && bytes.indices.allSatisfy { index in
                    let place = index % 262_144
                    return bytes[index] == UInt8(truncatingIfNeeded: 7 * place + place >> 8)
                }
        },
        Recording(files: ["rejected.bin"]) {
            $0.connections[0].ends == [
                .fail(slot: 0, .reset(status: SPDYResetStatus.cancel)), .release(slot: 0),
            ]
        },
        Recording(files: ["interleaved.bin"], connections: 12) {
            $0.connections.enumerated().allSatisfy { number, connection in
                connection.ends.isEmpty
                    && connection.received == [UInt8](repeating: UInt8(65 + number), count: 40960)
            }
        },
        Recording(files: ["greeting.bin"]) {
            $0.connections[0].received == Array("hello\n".utf8) && $0.connections[0].ends.isEmpty
        },
    ]

    private static func isComplete(_ connection: TunnelBench.Connection) -> Bool {
        connection.ends == [.finish(slot: 0, isComplete: true), .release(slot: 0)]
    }

    private static func hasFailed(_ connection: TunnelBench.Connection, saying text: String) -> Bool {
        guard connection.ends.count == 2, case .fail(_, .reported(let reason)) = connection.ends[0] else {
            return false
        }
        return connection.ends[1] == .release(slot: 0) && reason.contains(text)
    }

    @Test(arguments: recordings)
    private func `comes to the same end wherever its bytes are cut`(_ recording: Recording) throws {
        let parts = try recording.files.map(Self.tunnelBytes)
        let bytes = parts.flatMap(\.self)
        try play(recording, parts) { _ in [] }
        try play(recording, parts, asksForPayload: false) { _ in [] }
        if bytes.count < 100_000 { try play(recording, parts) { Array(1..<max(1, $0)) } }
        for cut in 0..<min(bytes.count, 120) { try play(recording, parts) { $0 > cut ? [cut] : [] } }
        for seed in testSeeds(6) {
            var generator = SeededGenerator(seed: seed)
            // Half of them by the general way alone.
            try play(recording, parts, "seed \(seed)", asksForPayload: seed % 2 == 0) {
                SPDYBytes.randomCuts(in: $0, using: &generator)
            }
        }
    }

    private func play(
        _ recording: Recording,
        _ parts: [[UInt8]],
        _ comment: String = "",
        asksForPayload: Bool = true,
        cuts: (Int) -> [Int]
    ) throws {
        let bench = TunnelBench()
        bench.asksForPayload = asksForPayload
        for _ in 0..<recording.connections { bench.open(port: 7000) }
        for (index, part) in parts.enumerated() {
            if index == 1 && recording.finishesFirst { bench.finish(0) }
            try bench.receive(part, cuts: cuts(part.count))
        }
        #expect(bench.problems == [], Comment(rawValue: comment))
        #expect(recording.outcome(bench), Comment(rawValue: comment))
        #expect(bench.load == bench.living.count, Comment(rawValue: comment))
    }

    /// What stands behind the answer to the upgrade.
    private static func tunnelBytes(of file: String) throws -> [UInt8] {
        let bytes = try Vectors.bytes(file)
        guard bytes.starts(with: Array("HTTP/".utf8)) else { return bytes }
        var reader = HTTPResponseHeadReader()
        var cursor = 0
        let head = try #require(try reader.next(bytes.span.bytes, from: &cursor))
        #expect(head.status == 101)
        return Array(bytes[cursor...])
    }
}

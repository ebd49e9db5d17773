import FastForward
import Testing

/// WebSocket channels, as a real API server speaks them.
@Suite struct `Carrying a connection over WebSocket channels` {
    private struct Outcome: Equatable {
        var payload: [UInt8] = []
        var ends: [ConnectionFailure?] = []
        var cut: ConnectionFailure?
    }

    /// Feeds what follows the HTTP head, cut at `sizes`.
    private func run(_ frames: [UInt8], cuts: [[UInt8]]) throws -> Outcome {
        var core = ChannelCore()
        var outcome = Outcome()
        for piece in cuts {
            let bytes = piece.span.bytes
            var cursor = 0
            while let event = try core.next(bytes, from: &cursor) {
                switch event {
                case .payload(let range): outcome.payload += piece[range]
                case .ping: Issue.record("no PING was recorded")
                case .ended(let failure): outcome.ends.append(failure)
                }
            }
            #expect(cursor == piece.count)
        }
        outcome.cut = core.cut()
        return outcome
    }

    private func frames(_ name: String) throws -> [UInt8] {
        let recording = try Vectors.bytes(name)
        var reader = HTTPResponseHeadReader()
        var cursor = 0
        let head = try reader.next(recording.span.bytes, from: &cursor)
        #expect(head?.status == 101)
        return Array(recording[cursor...])
    }

    private func check(_ name: String, _ expected: Outcome) throws {
        let frames = try frames(name)
        #expect(try run(frames, cuts: [frames]) == expected)
        #expect(try run(frames, cuts: frames.map { [$0] }) == expected, "byte at a time")
        for end in 1..<frames.count {
            let halves = [Array(frames[..<end]), Array(frames[end...])]
            #expect(try run(frames, cuts: halves) == expected, "cut at \(end)")
        }
    }

    @Test func `an echo comes without the preambles, however it is cut`() throws {
        try check("channels-echo.bin", Outcome(payload: Array("hello".utf8), cut: .tunnelLost))
    }

    @Test func `text on the error channel is why the connection failed`() throws {
        let frames = try frames("channels-refused.bin")
        let outcome = try run(frames, cuts: [frames])
        guard case .reported(let text) = outcome.ends.first ?? outcome.cut else {
            Issue.record("\(outcome)")
            return
        }
        #expect(text.contains("failed to connect to localhost:7999"))
        #expect(outcome.payload == [])
        try check("channels-refused.bin", outcome)
    }

    @Test func `a channel that one port does not have ends the connection`() throws {
        var core = ChannelCore()
        let message: [UInt8] = [0x82, 2, 2, 0]
        var cursor = 0
        #expect(throws: TunnelError.unexpectedChannel(2)) {
            try core.next(message.span.bytes, from: &cursor)
        }
    }

    @Test func `CLOSE without text is a complete end, another code a failure`() throws {
        let normal: [UInt8] = [0x88, 2, 0x03, 0xE8]
        #expect(try run(normal, cuts: [normal]).ends == [nil])
        let internalError: [UInt8] = [0x88, 2, 0x03, 0xF3]
        #expect(try run(internalError, cuts: [internalError]).ends == [.reported(" (1011)")])
    }
}

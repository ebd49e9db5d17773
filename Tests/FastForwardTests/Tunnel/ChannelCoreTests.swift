import FastForward
import Testing

/// WebSocket channels, as a real API server speaks them.
@Suite struct `Carrying a connection over WebSocket channels` {
    private struct Outcome: Equatable {
        var payload: [UInt8] = []
        var ends: [ConnectionFailure?] = []
        var cut: ConnectionFailure?
    }

    /// Feeds what follows the HTTP head, in pieces.
    private func run(_ form: ChannelForm = .binary, cuts: [[UInt8]]) throws -> Outcome {
        var core = ChannelCore(form: form)
        var outcome = Outcome()
        let pool = BufferPool()
        for piece in cuts {
            var batch = pool.take(max(1, piece.count))
            for byte in piece { batch.append(byte) }
            var cursor = 0
            while let event = try core.next(batch.bytes, from: &cursor) {
                switch event {
                case .payload(let range):
                    outcome.payload += [UInt8](copying: batch.bytes.extracting(range))
                case .encoded(let range, let endsMessage):
                    guard let range = try core.decode(&batch, in: range, endsMessage: endsMessage) else {
                        continue
                    }
                    outcome.payload += [UInt8](copying: batch.bytes.extracting(range))
                case .ping: Issue.record("there is no PING")
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
        try check(frames(name), .binary, expected)
    }

    private func check(_ frames: [UInt8], _ form: ChannelForm, _ expected: Outcome) throws {
        for seed in testSeeds(2) {
            for cuts in cuttings(of: frames, seed: seed) {
                #expect(try run(form, cuts: cuts) == expected, "seed \(seed), cut at \(cuts.map(\.count))")
            }
        }
    }

    @Test func `an echo comes without the preambles, however it is cut`() throws {
        try check("channels-echo.bin", Outcome(payload: Array("hello".utf8), cut: .tunnelLost))
    }

    @Test func `text on the error channel is why the connection failed`() throws {
        let frames = try frames("channels-refused.bin")
        let outcome = try run(cuts: [frames])
        guard case .reported(let text) = outcome.ends.first ?? outcome.cut else {
            Issue.record("\(outcome)")
            return
        }
        #expect(text.contains("failed to connect to localhost:7999"))
        #expect(outcome.payload == [])
        try check("channels-refused.bin", outcome)
    }

    @Test func `a reason that is longer than any is not waited for`() throws {
        let text = [UInt8](repeating: UInt8(ascii: "x"), count: StreamPair.errorTextBytesMax + 9)
        let head: [UInt8] = [0x82, 126, UInt8((text.count + 3) >> 8), UInt8((text.count + 3) & 255)]
        let told = ConnectionFailure.reported(
            String(repeating: "x", count: StreamPair.errorTextBytesMax)
        )
        try check(head + [1, 80, 0] + text + [0x82, 1, 7], .binary, Outcome(ends: [told], cut: told))
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
        #expect(try run(cuts: [normal]).ends == [nil])
        let internalError: [UInt8] = [0x88, 2, 0x03, 0xF3]
        #expect(try run(cuts: [internalError]).ends == [.reported(" (1011)")])
    }

    // MARK: Base64

    /// A server's text message, in fragments of at most `fragmentBytes`.
    private func message(_ text: String, fragmentBytes: Int = .max) -> [UInt8] {
        var rest = Array(text.utf8)[...]
        var frames: [UInt8] = []
        var opcode: UInt8 = 1
        repeat {
            let piece = rest.prefix(min(fragmentBytes, 125))
            rest = rest.dropFirst(piece.count)
            frames += [opcode | (rest.isEmpty ? 0x80 : 0), UInt8(piece.count)] + piece
            opcode = 0
        } while !rest.isEmpty
        return frames
    }

    /// The port 7000, little-endian, as the first message of each channel.
    private var preambles: [UInt8] { message("0WBs=") + message("1WBs=") }

    @Test(arguments: [1, 2, 5, 125])
    func `base64 is decoded message by message, however it is cut`(fragmentBytes: Int) throws {
        var frames = preambles
        for text in ["0aA==", "0ZWxsbyw=", "0", "0IHBvZA=="] {
            frames += message(text, fragmentBytes: fragmentBytes)
        }
        frames += [0x88, 2, 0x03, 0xE8]
        let expected = Outcome(payload: Array("hello, pod".utf8), ends: [nil], cut: .tunnelLost)
        try check(frames, .base64, expected)
    }

    @Test func `base64 on the error channel is why the connection failed`() throws {
        let frames = preambles + message("1cmVmdXNlZA==", fragmentBytes: 3) + [0x88, 2, 0x03, 0xE8]
        try check(frames, .base64, Outcome(ends: [.reported("refused")], cut: .reported("refused")))
    }

    @Test(arguments: [
        ("0W!s=", TunnelError.base64(.unexpectedCharacter(UInt8(ascii: "!")))),
        ("0WBs", .base64(.cut)),
        ("0WBs=WBs=", .base64(.unexpectedCharacter(UInt8(ascii: "W")))),
        ("0=BsA", .base64(.unexpectedCharacter(UInt8(ascii: "=")))),
        ("0WBs=\n", .base64(.unexpectedCharacter(10))),
        ("2WBs=", .unexpectedChannel(2)),
        ("/WBs=", .unexpectedChannel(255)),
    ])
    func `what is no base64 ends the connection`(text: String, error: TunnelError) throws {
        for seed in testSeeds(1) {
            // Three characters are cut only where a fourth does not come in their own message.
            let frames = message(text) + message("0A")
            for cuts in cuttings(of: frames, seed: seed) {
                #expect(throws: error) { try run(.base64, cuts: cuts) }
            }
        }
    }

    @Test func `binary messages where text was agreed upon are an error, and the reverse`() throws {
        #expect(throws: TunnelError.webSocket(.wrongMessageKind(opcode: 2))) {
            try run(.base64, cuts: [[0x82, 1, 0]])
        }
        #expect(throws: TunnelError.webSocket(.wrongMessageKind(opcode: 1))) {
            try run(cuts: [[0x81, 1, 0x30]])
        }
    }

    @Test func `any bytes are events or an error of the tunnel`() throws {
        for seed in testSeeds(200) {
            var generator = SeededGenerator(seed: seed)
            var frames: [UInt8] = []
            for _ in 0..<20 {
                frames += message("0" + String(decoding: generator.bytes(3), as: Unicode.ASCII.self))
            }
            frames += generator.bytes(50)
            do throws(TunnelError) {
                _ = try feed(frames, .base64)
            } catch {
                // The layer's own error is what is wanted.
            }
        }
    }

    private func feed(_ frames: [UInt8], _ form: ChannelForm) throws(TunnelError) -> Int {
        var core = ChannelCore(form: form)
        let pool = BufferPool()
        var batch = pool.take(frames.count)
        for byte in frames { batch.append(byte) }
        var (cursor, count) = (0, 0)
        while let event = try core.next(batch.bytes, from: &cursor) {
            if case .encoded(let range, let endsMessage) = event {
                count += try core.decode(&batch, in: range, endsMessage: endsMessage)?.count ?? 0
            }
        }
        return count
    }

    @Test(arguments: ChannelForm.allCases, [1, 2, 3, 4, 1000, 150_000])
    func `a read becomes one message where it lies`(form: ChannelForm, count: Int) throws {
        let pool = BufferPool()
        var buffer = pool.take(BufferPool.largestCapacityBytes)
        buffer.clear(headroomBytes: WebSocketFrameWriter.headroomBytesMax)
        let gap = ChannelCore.gapBytes(form, capacityBytes: BufferPool.largestCapacityBytes)
        var generator = SeededGenerator(seed: 1)
        let payload = generator.bytes(count)
        buffer.commit(gap)
        for byte in payload { buffer.append(byte) }
        ChannelCore.makeMessage(form, gapBytes: gap, in: &buffer)
        let message = [UInt8](copying: buffer.bytes)
        switch form {
        case .binary: #expect(message == [0] + payload)
        case .base64: #expect(message == Array(("0" + Digests.base64(payload)).utf8))
        }
        // The largest read there may be.
        #expect(gap + count <= BufferPool.largestCapacityBytes - WebSocketFrameWriter.headroomBytesMax)
    }
}

import FastForward
import Foundation
import Testing

/// The frames of one recorded tunnel, as `Vectors/index.json` lists them.
private struct RecordedTunnel: Decodable {
    struct Frame: Decodable {
        let frame: String?
        let flags: UInt8?
        let first_word: UInt32?
        let status: UInt32?
        let stream: UInt32?
        let fin: Int?
        let length: Int?
        let hex: String?
        let sha256: String?
    }

    let file: String
    let events: [Frame]?

    static func named(_ file: String) throws -> RecordedTunnel {
        let index = try JSONDecoder().decode([RecordedTunnel].self, from: Data(Vectors.bytes("index.json")))
        return try #require(index.first { $0.file == file })
    }
}

extension RecordedTunnel.Frame {
    func matches(_ seen: SeenSPDYFrame) -> Bool {
        let isFinal = (fin ?? Int(flags ?? 0)) & 1 == 1
        switch seen {
        case .data(let seenStream, let payload, let seenFinal):
            return frame == "DATA" && stream == seenStream && isFinal == seenFinal && length == payload.count
                && (hex.map { $0 == hexText(payload) } ?? true)
                && (sha256.map { $0 == hexText(sha256Digest(payload)) } ?? true)
                && (hex != nil || sha256 != nil || payload.isEmpty)
        case .control(.reply(let streamID, let seenFinal)):
            return frame == "SYN_REPLY" && first_word == streamID && isFinal == seenFinal
        case .control(.reset(let streamID, let seenStatus)):
            return frame == "RST_STREAM" && first_word == streamID && status == seenStatus
        case .control(.ping(let id)):
            return frame == "PING" && first_word == id
        case .control:
            return false
        }
    }
}

private func hexText(_ bytes: [UInt8]) -> String {
    bytes.map { String(format: "%02x", $0) }.joined()
}

/// The SPDY bytes in a recording: what its unmasked binary WebSocket messages carry, behind the HTTP answer.
private func spdyBytes(of file: String) throws -> [UInt8] {
    let bytes = try Vectors.bytes(file)
    var cursor = 0
    if bytes.starts(with: Array("HTTP/".utf8)) {
        let end = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8)))
        cursor = end.upperBound
    }
    var payload: [UInt8] = []
    while cursor < bytes.count {
        let opcode = bytes[cursor] & 0x0F
        var length = Int(bytes[cursor + 1])
        let lengthBytes = length == 126 ? 2 : length == 127 ? 8 : 0
        if lengthBytes > 0 {
            length = bytes[(cursor + 2)..<(cursor + 2 + lengthBytes)].reduce(0) { $0 << 8 | Int($1) }
        }
        cursor += 2 + lengthBytes
        if opcode == 0 || opcode == 2 { payload += bytes[cursor..<(cursor + length)] }
        cursor += length
    }
    return payload
}

@Suite struct `Reading what a real API server sent` {
    private static let files = [
        "echo.bin", "client-fin.bin", "refused.bin", "pod-reset.bin", "download.bin", "rejected.bin",
        "interleaved.bin", "greeting.bin",
    ]

    @Test(arguments: files)
    func `the frames are those of the recording`(_ file: String) throws {
        let expected = try #require(try RecordedTunnel.named(file).events)
        let seen = try readSPDYFrames(spdyBytes(of: file), role: .client)
        #expect(seen.count == expected.count)
        for (index, (seen, expected)) in zip(seen, expected).enumerated() {
            #expect(expected.matches(seen), "frame \(index)")
        }
    }

    @Test(arguments: files)
    func `the frames are the same wherever the bytes are cut`(_ file: String) throws {
        let bytes = try spdyBytes(of: file)
        let whole = try readSPDYFrames(bytes, role: .client)
        #expect(try readSPDYFrames(bytes, role: .client, cuts: Array(1..<bytes.count)) == whole)
        if bytes.count < 1000 {
            for cut in 0...bytes.count {
                #expect(try readSPDYFrames(bytes, role: .client, cuts: [cut]) == whole, "cut at \(cut)")
            }
        }
        let starts = frameStarts(in: bytes)
        for offset in 0...14 {
            let cuts = starts.map { $0 + offset }.filter { $0 <= bytes.count }
            #expect(
                try readSPDYFrames(bytes, role: .client, cuts: cuts.sorted()) == whole,
                "offset \(offset)"
            )
        }
        for seed in testSeeds(5) {
            var generator = SeededGenerator(seed: seed)
            let cuts = SPDYBytes.randomCuts(in: bytes.count, using: &generator)
            #expect(try readSPDYFrames(bytes, role: .client, cuts: cuts) == whole, "seed \(seed)")
        }
    }

    private func frameStarts(in bytes: [UInt8]) -> [Int] {
        var starts: [Int] = []
        var start = 0
        while start < bytes.count {
            starts.append(start)
            start += 8 + bytes[(start + 5)..<(start + 8)].reduce(0) { $0 << 8 | Int($1) }
        }
        return starts
    }
}

@Suite struct `Reading what spdystream's framer wrote` {
    // Twice: SYN_STREAM error (FIN, priority 0), SYN_STREAM data (priority 1), HEADERS with one name and two
    // values. Written by spdy.NewFramer of moby/spdystream, so deflated at level 9 over six blocks.
    private static let bytes = bytesOfHex(
        """
        800300010100003e0000000100000000000078f9e3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45e01c60\
        616061c0c0c0c0590489c64c50f2663400000000ffff800300010000001800000003000000002000c2aa19540e2512d6\
        0b000000ffff800300080000001d000000030211a0445ca19b9b985709ae15f252194acaf301000000ffff8003000101\
        00001800000005000000000000821a8aaadc90483702000000ffff800300010000001400000007000000002000a2c045\
        8600000000ffff800300080000000d00000007c2e92200000000ffff
        """
    )

    @Test func `the streams and their headers are read, wherever the bytes are cut`() throws {
        for cut in 0...Self.bytes.count {
            let seen = try readSPDYFrames(Self.bytes, role: .server, cuts: [cut])
            try #require(seen.count == 6, "cut at \(cut)")
            for pair in 0..<2 {
                for (place, type) in ["error", "data"].enumerated() {
                    guard
                        case .control(.openedStream(let id, nil, UInt8(place), let headers, place == 0)) =
                            seen[pair * 3 + place]
                    else {
                        Issue.record("\(seen[pair * 3 + place]), cut at \(cut)")
                        continue
                    }
                    #expect(id == UInt32(pair * 4 + place * 2 + 1))
                    #expect(headers.fields.count == 3)
                    #expect(headers["streamtype"] == type)
                    #expect(headers["port"] == "8080")
                    #expect(headers["requestid"] == String(pair))
                }
                #expect(
                    seen[pair * 3 + 2]
                        == .control(.headers(streamID: UInt32(pair * 4 + 3), isFinal: false))
                )
            }
        }
    }
}

private func bytesOfHex(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var high: Int?
    for digit in text.compactMap(\.hexDigitValue) {
        if let first = high {
            bytes.append(UInt8(first << 4 | digit))
            high = nil
        } else {
            high = digit
        }
    }
    return bytes
}

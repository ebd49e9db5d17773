import FastForward
import Testing

/// Bytes that no peer may send, and what the reader says of them.
private struct Fault: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    var role = SPDYFrameReader.Role.server
    let error: SPDYError

    var testDescription: String { name }

    /// A SYN_STREAM 1 whose header block is `block`.
    init(headers name: String, _ block: [UInt8], _ fault: HeaderBlockFault) {
        self.name = name
        bytes = SPDYBytes.controlFrame(type: 1, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + block)
        error = .invalidHeaderBlock(streamID: 1, fault)
    }

    init(text name: String, _ text: [UInt8], _ fault: HeaderBlockFault) {
        self.init(headers: name, SPDYBytes.zlibStreamHead + SPDYBytes.storedBlock(text), fault)
    }

    init(_ name: String, _ bytes: [UInt8], role: SPDYFrameReader.Role = .server, _ error: SPDYError) {
        self.name = name
        self.bytes = bytes
        self.role = role
        self.error = error
    }
}

@Suite struct `Refusing broken SPDY frames` {
    private static let emptyBlock = SPDYBytes.zlibStreamHead + SPDYBytes.storedBlock([0, 0, 0, 0])

    private static let frames: [Fault] = [
        Fault("HTTP instead of SPDY", Array("\u{FF}HTTP/1.1".utf8), .unsupportedVersion(0x43BF)),
        Fault("SPDY/2", SPDYBytes.controlFrame(version: 2, type: 6, [0, 0, 0, 1]), .unsupportedVersion(2)),
        Fault("data on stream 0", [0, 0, 0, 0, 0, 0, 0, 1], .zeroStreamID(type: nil)),
        Fault(
            "reset of stream 0",
            SPDYBytes.controlFrame(type: 3, [0, 0, 0, 0, 0, 0, 0, 5]),
            .zeroStreamID(type: 3)
        ),
        Fault("reply on stream 0", SPDYBytes.controlFrame(type: 2, [0x80, 0, 0, 0]), .zeroStreamID(type: 2)),
        Fault(
            "short reset",
            SPDYBytes.controlFrame(type: 3, [0, 0, 0, 1]),
            .wrongFrameLength(type: 3, lengthBytes: 4)
        ),
        Fault(
            "long ping",
            SPDYBytes.controlFrame(type: 6, [0, 0, 0, 1, 0]),
            .wrongFrameLength(type: 6, lengthBytes: 5)
        ),
        Fault(
            "SPDY/2's GOAWAY",
            SPDYBytes.controlFrame(type: 7, [0, 0, 0, 1]),
            .wrongFrameLength(type: 7, lengthBytes: 4)
        ),
        Fault(
            "empty SYN_STREAM",
            SPDYBytes.controlFrame(type: 1, []),
            .wrongFrameLength(type: 1, lengthBytes: 0)
        ),
        Fault(
            "window update without delta",
            SPDYBytes.controlFrame(type: 9, [0, 0, 0, 1]),
            .wrongFrameLength(type: 9, lengthBytes: 4)
        ),
        Fault(
            "2^32 - 1 settings",
            SPDYBytes.controlFrame(type: 4, [255, 255, 255, 255]),
            .wrongSettingsCount(count: .max, lengthBytes: 4)
        ),
        Fault(
            "a control frame too long",
            [0x80, 3, 0, 99, 0, 1, 0, 1],
            .controlFrameTooLong(type: 99, lengthBytes: 0x10001)
        ),
        Fault(
            "the client opens an even stream",
            SPDYBytes.controlFrame(type: 1, [0, 0, 0, 2, 0, 0, 0, 0, 0, 0] + emptyBlock),
            .invalidNewStreamID(2, lastOpened: 0)
        ),
        Fault(
            "the server opens an odd stream",
            SPDYBytes.controlFrame(type: 1, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + emptyBlock),
            role: .client,
            .invalidNewStreamID(1, lastOpened: 0)
        ),
        Fault(
            "stream 3 is opened twice",
            SPDYBytes.controlFrame(type: 1, [0, 0, 0, 3, 0, 0, 0, 0, 0, 0] + emptyBlock)
                + SPDYBytes.controlFrame(
                    type: 1,
                    [0, 0, 0, 3, 0, 0, 0, 0, 0, 0] + SPDYBytes.storedBlock([0, 0, 0, 0])
                ),
            .invalidNewStreamID(3, lastOpened: 3)
        ),
        Fault(
            "a reply whose headers are cut",
            SPDYBytes.controlFrame(
                type: 2,
                [0, 0, 0, 1] + SPDYBytes.zlibStreamHead + SPDYBytes.storedBlock([0, 0, 0, 1])
            ),
            role: .client,
            .invalidHeaderBlock(streamID: 1, .truncated)
        ),
    ]

    private static let headerBlocks: [Fault] = [
        Fault(headers: "no block", [], .truncated),
        Fault(headers: "no zlib", [1, 2, 3, 4], .corrupt),
        Fault(headers: "another dictionary", [0x78, 0x20, 1, 2, 3, 4], .wrongDictionary),
        Fault(headers: "a reserved block type", SPDYBytes.zlibStreamHead + [0x06], .corrupt),
        Fault(
            headers: "the end of the zlib stream",
            SPDYBytes.zlibStreamHead + [1, 0, 0, 255, 255, 0, 0, 0, 1],
            .streamEnded
        ),
        Fault(text: "half a count", [0, 0], .truncated),
        Fault(text: "2^32 - 1 headers", [255, 255, 255, 255], .tooManyHeaders(count: .max)),
        Fault(text: "a header too many", SPDYBytes.headerText(count: 2, ("a", "b")), .truncated),
        Fault(
            text: "a header more",
            SPDYBytes.headerText(count: 1, ("a", "b"), ("c", "")),
            .trailingBytes(9)
        ),
        Fault(text: "a name of 4 GiB", [0, 0, 0, 1, 255, 255, 255, 255, 97], .truncated),
        Fault(text: "no name", SPDYBytes.headerText(("", "b")), .emptyName(index: 0)),
        Fault(
            text: "an upper-case name",
            SPDYBytes.headerText(("a", ""), ("Port", "")),
            .upperCaseName(index: 1)
        ),
        Fault(text: "a name twice", SPDYBytes.headerText(("a", "b"), ("a", "c")), .duplicateName(index: 1)),
        Fault(text: "NUL first", SPDYBytes.headerText(("a", "\0b")), .emptyValue(index: 0)),
        Fault(text: "NUL last", SPDYBytes.headerText(("a", "b\0")), .emptyValue(index: 0)),
        Fault(text: "two NULs", SPDYBytes.headerText(("a", "b\0\0c")), .emptyValue(index: 0)),
    ]

    @Test(arguments: frames + headerBlocks)
    private func `the fault is named, wherever the bytes are cut`(_ fault: Fault) {
        for cut in 0...fault.bytes.count {
            #expect(throws: fault.error) {
                try readSPDYFrames(fault.bytes, role: fault.role, cuts: [cut])
            }
        }
    }

    @Test func `an error says who failed and what to do`() {
        let error = SPDYError.invalidHeaderBlock(streamID: 7, .tooLong)
        #expect(
            String(describing: error)
                == "SPDY: the peer broke the protocol: the header block of stream 7 inflates to more than "
                + "16384 bytes. The tunnel is closed; if this happens again, look for a proxy on the way "
                + "that changes the bytes"
        )
    }
}

@Suite struct `Bounding what a SPDY peer can make us keep` {
    /// Deflates zeros with fixed codes (RFC 1951 §3.2.6): one literal, then runs of 258 bytes in 13 bits
    /// each.
    private func bomb(runs: Int) -> [UInt8] {
        // From the first bit on: no last block, fixed codes; literal 0; then length 258 and distance 1 again
        // and again.
        let bits = "010" + "00110000" + String(repeating: "1100010100000", count: runs)
        var bytes: [UInt8] = []
        for (index, bit) in bits.utf8.enumerated() {
            if index % 8 == 0 { bytes.append(0) }
            if bit == UInt8(ascii: "1") { bytes[index / 8] |= 1 << (index % 8) }
        }
        return bytes
    }

    @Test(arguments: [1, 2, 8] as [UInt16])
    func `a header block that inflates without end is refused`(_ type: UInt16) {
        let words = [UInt8](repeating: 0, count: type == 1 ? 6 : 0)
        let block = SPDYBytes.zlibStreamHead + bomb(runs: 64)
        let bytes = SPDYBytes.controlFrame(type: type, [0, 0, 0, 1] + words + block)
        #expect(throws: SPDYError.invalidHeaderBlock(streamID: 1, .tooLong)) {
            try readSPDYFrames(bytes, role: .server)
        }
        #expect(throws: SPDYError.invalidHeaderBlock(streamID: 1, .tooLong)) {
            try readSPDYFrames(bytes, role: .server, cuts: Array(1..<bytes.count))
        }
    }

    @Test func `header text is taken up to its bound and not a byte beyond`() throws {
        let overheadBytes = 4 + 4 + 1 + 4
        func frame(textBytes: Int) -> [UInt8] {
            let value = String(repeating: "v", count: textBytes - overheadBytes)
            var compressor = HeaderCompressor()
            return SPDYBytes.written {
                compressor.appendHeaders(streamID: 1, headers: ["n": value], isFinal: false, to: &$0)
            }
        }
        let bound = HeaderDecompressor.headerBlockBytesMax
        #expect(
            try readSPDYFrames(frame(textBytes: bound), role: .client)
                == [.control(.headers(streamID: 1, isFinal: false))]
        )
        #expect(throws: SPDYError.invalidHeaderBlock(streamID: 1, .tooLong)) {
            try readSPDYFrames(frame(textBytes: bound + 1), role: .client)
        }
    }

    @Test func `frames that mean nothing here are skipped`() throws {
        let settings = SPDYBytes.controlFrame(type: 4, [0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 100])
        let windowUpdate = SPDYBytes.controlFrame(type: 9, [0, 0, 0, 0, 0, 1, 0, 0])
        let unknown = SPDYBytes.controlFrame(
            type: 77,
            [UInt8](repeating: 0x80, count: SPDYFrameReader.controlFrameBytesMax)
        )
        let empty = SPDYBytes.controlFrame(type: 5, [])
        let ping = SPDYBytes.controlFrame(type: 6, [0x80, 0, 0, 2])
        let bytes = settings + windowUpdate + unknown + empty + ping
        let expected = [SeenSPDYFrame.control(.ping(id: 0x8000_0002))]
        #expect(try readSPDYFrames(bytes, role: .client) == expected)
        #expect(try readSPDYFrames(bytes, role: .client, cuts: Array(1..<bytes.count)) == expected)
    }

    @Test func `the dictionary is SPDY/3's`() throws {
        #expect(HeaderDecompressor.dictionary == (try Vectors.bytes("spdy3-dictionary.bin")))
        // Adler-32 (RFC 1950 §8.2), which both sides of a tunnel send in front of their first block.
        var sums: (UInt32, UInt32) = (1, 0)
        for byte in HeaderDecompressor.dictionary {
            sums.0 = (sums.0 + UInt32(byte)) % 65521
            sums.1 = (sums.1 + sums.0) % 65521
        }
        #expect(sums.1 << 16 | sums.0 == 0xE3C6_A7C2)
    }
}

@Suite struct `Parts of a data frame` {
    @Test func `each part is a range of the bytes that were given`() throws {
        let frame: [UInt8] = [0, 0, 0, 3, 1, 0, 0, 5] + Array("hello".utf8)
        var reader = SPDYFrameReader(role: .client)
        func next(_ range: Range<Int>, from start: Int) throws -> SPDYEvent? {
            var cursor = start
            return try reader.next(frame.span.bytes.extracting(range), from: &cursor)
        }
        #expect(try next(0..<8, from: 0) == nil)
        #expect(
            try next(6..<10, from: 2)
                == .data(streamID: 3, payload: 2..<4, endsFrame: false, isFinal: false)
        )
        #expect(try next(10..<10, from: 0) == nil)
        #expect(
            try next(10..<13, from: 0) == .data(streamID: 3, payload: 0..<3, endsFrame: true, isFinal: true)
        )
    }

    @Test func `an empty frame at the end of the bytes is seen at once`() throws {
        let frame: [UInt8] = [0, 0, 0, 3, 1, 0, 0, 0]
        #expect(
            try readSPDYFrames(frame, role: .client) == [.data(streamID: 3, payload: [], isFinal: true)]
        )
    }
}

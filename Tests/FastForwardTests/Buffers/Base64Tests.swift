import FastForward
import Testing

@Suite struct `Writing and reading base64` {
    /// Decodes the pieces of a text, each in a buffer of its own.
    private func decoded(_ pieces: [[UInt8]]) throws(Base64Error) -> [UInt8] {
        let pool = BufferPool()
        var decoder = Base64Decoder()
        var result: [UInt8] = []
        for piece in pieces {
            var buffer = pool.take(max(1, piece.count))
            for byte in piece { buffer.append(byte) }
            let range = try decoder.decode(&buffer, in: 0..<piece.count)
            result += [UInt8](copying: buffer.bytes.extracting(range))
        }
        try decoder.finish()
        return result
    }

    @Test func `what was written is read, in whatever pieces it comes`() throws {
        for seed in testSeeds(3) {
            var generator = SeededGenerator(seed: seed)
            for count in [0, 1, 2, 3, 4, 5, 6, 47, 100] {
                let bytes = generator.bytes(count)
                let text = Array(Digests.base64(bytes).utf8)
                #expect(Base64.text(of: bytes).utf8.elementsEqual(text))
                for pieces in cuttings(of: text, seed: seed) {
                    #expect(try decoded(pieces) == bytes, "seed \(seed), \(count) bytes")
                }
            }
        }
    }

    @Test func `the text is written over its bytes from the least distance`() {
        let pool = BufferPool()
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
            let gap = Base64.gapBytes(count)
            var buffer = pool.take(256)
            for _ in 0..<gap + 1 { buffer.append(0xEE) }
            for byte in bytes { buffer.append(byte) }
            Base64.encode(&buffer, in: gap + 1..<gap + 1 + count, to: 1)
            let text = [UInt8](copying: buffer.bytes)
            #expect(text == [0xEE] + Array(Digests.base64(bytes).utf8), "\(count) bytes")
        }
    }

    @Test func `any text is bytes or an error`() {
        for seed in testSeeds(100) {
            var generator = SeededGenerator(seed: seed)
            let text = generator.bytes(generator.logUniform(upTo: 60))
            do throws(Base64Error) {
                // Only a text of the alphabet, in whole groups, is decoded.
                let bytes = try decoded([text])
                #expect(Array(Digests.base64(bytes).utf8).count == text.count, "seed \(seed)")
            } catch {
                #expect(throws: error) { try decoded(text.map { [$0] }) }
            }
        }
    }
}

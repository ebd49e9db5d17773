import FastForward
import Testing

@Suite struct `Cutting a watch into lines` {
    private func lines(_ pieces: [[UInt8]]) throws -> [[UInt8]] {
        var reader = WatchLines()
        var lines: [[UInt8]] = []
        for piece in pieces {
            var cursor = 0
            while let line = try reader.next(piece.span.bytes, from: &cursor) { lines.append(line) }
            #expect(cursor == piece.count)
        }
        return lines
    }

    @Test func `lines arrive whole, however they are cut, and empty ones are dropped`() throws {
        let text = Array("{\"a\":1}\n\n\n{}\r\nx\nnot yet".utf8)
        for pieces in cuttings(of: text, seed: 1) {
            #expect(try lines(pieces) == ["{\"a\":1}", "{}\r", "x"].map { Array($0.utf8) })
        }
    }

    @Test func `a line has a bound, and may reach it`() throws {
        let longest = [UInt8](repeating: 32, count: WatchLines.lineBytesMax)
        #expect(try lines([longest, [10]]) == [longest])
        #expect(throws: WatchLines.LineTooLong.self) { try lines([longest, [32]]) }
        #expect(throws: WatchLines.LineTooLong.self) { try lines([[10], longest + [32, 10]]) }
    }
}

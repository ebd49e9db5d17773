package import FastForward

/// The bytes that the source port sends: byte i is (7 i + (i >> 8)) mod 256, from 0 again each 256 KiB.
///
/// One period is made once and sent again and again from the same buffer.
package final class Pattern {
    /// After how many bytes the pattern begins again.
    package static let periodBytes = 256 * 1024

    private let box: BufferBox

    package init(pool: BufferPool) {
        box = BufferBox(pool.take(Self.periodBytes))
        for index in 0..<Self.periodBytes {
            box.buffer.append(UInt8(truncatingIfNeeded: 7 * index + index >> 8))
        }
    }

    /// Appends the bytes from `position` on, borrowed.
    ///
    /// - Parameter bytesMax: how many at most.
    /// - Returns: how many: up to the period's end.
    func appendBorrowed(from position: Int, bytesMax: Int, to queue: inout WriteQueue) -> Int {
        let start = position % Self.periodBytes
        let count = min(bytesMax, Self.periodBytes - start)
        queue.appendBorrowed(box.buffer, start..<start + count)
        return count
    }

    /// Appends a copy of the bytes from `position` on.
    ///
    /// - Returns: how many: up to the period's end.
    func appendCopy(from position: Int, bytesMax: Int, to queue: inout WriteQueue) -> Int {
        let start = position % Self.periodBytes
        let count = min(bytesMax, Self.periodBytes - start)
        queue.append(copying: start..<start + count, of: box.buffer)
        return count
    }
}

/// Sends the pattern as fast as the kernel takes it, in turns.
///
/// Of what the kernel refuses, only a little is copied, so that libuv reports when there is room again; the rest is
/// appended anew then.
struct PatternSender {
    /// How much goes out in one turn before other connections get theirs.
    private static let bytesPerTurnMax = 2 * 1024 * 1024
    /// How much is left with libuv to learn when the kernel has room.
    private static let probeBytes = 16 * 1024

    private var position: Int
    /// What is still to be sent, in bytes.
    private(set) var leftBytes: Int

    init(from position: Int = 0, count: Int) {
        self.position = position
        leftBytes = count
    }

    /// Sends what the kernel takes now; call again when output progressed.
    mutating func send(_ pattern: Pattern, on transport: OwnedTransport) {
        guard !transport.isBlocked else { return }
        var sentBytes = 0
        while leftBytes > 0, sentBytes < Self.bytesPerTurnMax {
            let count = pattern.appendBorrowed(from: position, bytesMax: leftBytes, to: &transport.output)
            transport.flush()
            let refused = transport.output.byteCount
            sentBytes += count - refused
            advance(count - refused)
            guard refused > 0 else { continue }
            transport.output.removeAll()
            break
        }
        guard leftBytes > 0 else { return }
        let count = pattern.appendCopy(
            from: position,
            bytesMax: min(leftBytes, Self.probeBytes),
            to: &transport.output
        )
        advance(count)
        transport.flushRest()
    }

    private mutating func advance(_ bytes: Int) {
        position += bytes
        leftBytes -= bytes
    }
}

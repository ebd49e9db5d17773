/// Lines for whoever reads the standard output or error, without ever waiting for that reader.
///
/// Theory of operation. A pipe that nobody reads, or a terminal that is stopped, would block a write and with it every
/// connection. So nothing is written before the kernel says that it has room; what has to wait is kept, bounded, and
/// tried again soon. Lines beyond the bound are lost, and their number is told once there is room again.
package final class LineOutput {
    /// How much may wait, in bytes.
    package static let waitingBytesMax = 256 * 1024
    private static let retryAfter = TimeSpan.milliseconds(50)

    private let loop: EventLoop
    private let stream: StandardStreams.Stream
    private var waiting: [UInt8] = []
    private var lostCount = 0
    private var timer: LoopTimer?

    package init(loop: EventLoop, stream: StandardStreams.Stream) {
        self.loop = loop
        self.stream = stream
        StandardStreams.prepare(stream)
    }

    /// Writes `line`, which ends with a line feed, now or later.
    package func write(_ line: String) {
        let bytes = Array(line.utf8)
        guard waiting.count + bytes.count <= Self.waitingBytesMax else {
            lostCount += 1
            return
        }
        waiting += bytes
        flush()
    }

    private func flush() {
        if !waiting.isEmpty {
            waiting.removeFirst(StandardStreams.writeWhatFits(waiting[...], to: stream))
        }
        if waiting.isEmpty, lostCount > 0 {
            let lost = lostCount == 1 ? "1 line was" : "\(lostCount) lines were"
            waiting = Array("(\(lost) lost, as nobody read them)\n".utf8)
            lostCount = 0
            flush()
            return
        }
        guard !waiting.isEmpty else { return }
        if timer == nil {
            let timer = LoopTimer(loop: loop) { [weak self] in self?.flush() }
            timer.keepsLoopAlive(false)
            self.timer = timer
        }
        timer?.schedule(at: loop.now + Self.retryAfter)
    }

    /// Writes what there is room for; the rest is lost.
    package func close() {
        flush()
        timer?.close()
        timer = nil
        waiting = []
    }
}

import FastForward

/// Ports 7000 and 7010: sends back what comes; two, as one has no room for more clients than there are ephemeral ports.
class EchoConnection: PodConnection {
    override func receivedBytes() { sendScratch() }
    override func sent() { transport.startReading() }
}

/// Port 7009: greets first, then sends back what comes.
final class GreetingConnection: EchoConnection {
    override func opened() {
        let greeting = pod.greeting
        send { buffer in
            buffer.append(greeting)
            buffer.append(UInt8(ascii: "\n"))
        }
        super.opened()
    }
}

/// Port 7001: reads a count, sends so many bytes of the pattern, closes.
final class SourceConnection: PodConnection {
    private var count = NumberReader<UInt64>()
    private var sender: PatternSender?

    override func receivedBytes() {
        guard sender == nil else { return }
        var cursor = 0
        guard let count = count.next(in: pod.scratch.buffer, from: &cursor) else { return }
        sender = PatternSender(count: Int(clamping: count))
        sendMore()
    }

    /// A client that has ended its direction still gets its bytes.
    override func receivedLast() {
        if sender == nil { closeWhenSent() }
    }

    override func sent() { sendMore() }

    private func sendMore() {
        sender?.send(pod.pattern, on: transport)
        if sender?.leftBytes == 0 { closeWhenSent() }
    }
}

/// Port 7002: reads to the end, answers how many bytes came, closes.
final class SinkConnection: PodConnection {
    private var receivedBytesCount: UInt64 = 0

    override func receivedBytes() { receivedBytesCount += UInt64(pod.scratch.buffer.readableBytes) }

    override func receivedLast() {
        let count = receivedBytesCount
        send { $0.append(bigEndian: count) }
        closeWhenSent()
    }
}

/// Port 7003: reads a count and so many bytes, answers the count, closes.
final class CountedSinkConnection: PodConnection {
    private var count = NumberReader<UInt64>()
    private var receivedBytesCount: UInt64 = 0

    override func receivedBytes() {
        var cursor = 0
        guard let count = count.next(in: pod.scratch.buffer, from: &cursor) else { return }
        receivedBytesCount += UInt64(pod.scratch.buffer.readableBytes - cursor)
        guard receivedBytesCount >= count else { return }
        transport.stopReading()
        send { $0.append(bigEndian: count) }
        closeWhenSent()
    }
}

/// Port 7004: reads to the end, then sends all of it back and closes.
final class EchoAtEndConnection: PodConnection {
    /// Keeps a client from filling the memory.
    private static let heldBytesMax = 1 << 30

    private var held: WriteQueue

    override init(pod: PodServer) {
        held = WriteQueue(pool: pod.loop.pool)
        super.init(pod: pod)
    }

    override func receivedBytes() {
        guard held.byteCount < Self.heldBytesMax else { return transport.closeWithReset() }
        let scratch = pod.scratch
        held.append(
            copying: 0..<scratch.buffer.readableBytes,
            of: scratch.buffer,
            bufferBytes: 16 * 1024
        )
    }

    override func receivedLast() {
        held.moveAll(to: &transport.output)
        transport.flush()
        closeWhenSent()
    }

    override func transportClosed() {
        held.removeAll()
        super.transportClosed()
    }
}

/// Port 7005: sends 64 KiB of the pattern, then resets.
final class ResetConnection: PodConnection {
    private static let sentBytes = 64 * 1024
    /// A reset would discard what the other side's kernel has not got yet.
    private static let delay = TimeSpan.milliseconds(100)

    private var timer: LoopTimer?

    override func opened() {
        _ = pod.pattern.appendCopy(from: 0, bytesMax: Self.sentBytes, to: &transport.output)
        transport.flush()
        let timer = LoopTimer(loop: pod.loop) { [transport] in transport.closeWithReset() }
        timer.schedule(at: pod.loop.now + Self.delay)
        self.timer = timer
        super.opened()
    }

    override func receivedLast() {}

    override func transportClosed() {
        timer?.close()
        super.transportClosed()
    }
}

/// Port 7006: ends its sending side at once, goes on reading.
final class ClosedSendingConnection: PodConnection {
    override func opened() {
        transport.shutdownWriting()
        super.opened()
    }
}

/// Port 7007: accepts and never reads.
///
/// Who does not read does not see the other side's end either, so the pod bounds how many it keeps.
final class NeverReadingConnection: PodConnection {
    override func opened() { pod.keepUnread(transport) }
}

/// Port 7008: reads a number of milliseconds, waits, answers `done`, closes.
final class WaitConnection: PodConnection {
    private var milliseconds = NumberReader<UInt32>()
    private var timer: LoopTimer?

    override func receivedBytes() {
        var cursor = 0
        guard timer == nil, let span = milliseconds.next(in: pod.scratch.buffer, from: &cursor) else {
            return
        }
        let timer = LoopTimer(loop: pod.loop) { [weak self] in
            self?.send { $0.append("done") }
            self?.closeWhenSent()
        }
        timer.schedule(at: pod.loop.now + .milliseconds(UInt64(span)))
        self.timer = timer
    }

    /// The answer comes after the wait, also to a client that sends no more.
    override func receivedLast() {
        if timer == nil { closeWhenSent() }
    }

    override func transportClosed() {
        timer?.close()
        super.transportClosed()
    }
}

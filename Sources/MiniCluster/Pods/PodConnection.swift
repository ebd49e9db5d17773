import FastForward

/// One connection to a pod: the manners that all its ports share.
///
/// Theory of operation. A port's behaviour is a subclass that sees the bytes that come and the end of them. All
/// connections read into the pod's one scratch buffer. What a behaviour sends back is borrowed from it, and only
/// what the kernel refuses is kept; then reading pauses until that is gone, so a connection holds at most one
/// scratch buffer.
class PodConnection: TransportOwner {
    final unowned let pod: PodServer
    final let transport: OwnedTransport
    private final var closesWhenSent = false

    init(pod: PodServer) {
        self.pod = pod
        transport = OwnedTransport(loop: pod.loop)
        transport.owner = self
    }

    /// The connection is accepted.
    func opened() { transport.startReading() }

    /// Bytes have come; they stand in the pod's scratch buffer until this returns.
    func receivedBytes() {}

    /// The client has ended its direction.
    func receivedLast() { closeWhenSent() }

    /// Everything has been sent.
    func sent() {}

    // MARK: What behaviours do

    /// Sends all of the scratch buffer's bytes; pauses reading until the kernel has taken them.
    final func sendScratch() {
        let scratch = pod.scratch
        transport.output.appendBorrowed(scratch.buffer, 0..<scratch.buffer.readableBytes)
        transport.flush()
        guard transport.output.isBorrowing else { return }
        if transport.output.borrowedBytes > scratch.buffer.capacityBytes / 2 {
            transport.output.settle(byTaking: &scratch.buffer)
        } else {
            transport.output.settleByCopying()
        }
        transport.stopReading()
        transport.flushRest()
    }

    /// Sends a few bytes that `write` appends to a small buffer.
    final func send(_ write: (inout ByteBuffer) -> Void) {
        var buffer = pod.loop.pool.take(2048)
        write(&buffer)
        transport.output.append(buffer)
        transport.flush()
    }

    /// Closes when everything has been sent.
    final func closeWhenSent() {
        closesWhenSent = true
        if transport.output.isEmpty { closeCleanly() }
    }

    private final func closeCleanly() {
        if pod.resetsWhenKilled { transport.resetOnClose(false) }
        transport.close()
    }

    // MARK: TransportOwner

    final func prepareRead() -> BufferBox? {
        pod.scratch.buffer.clear()
        return pod.scratch
    }

    final func received(_ count: Int) {
        pod.scratch.buffer.commit(count)
        receivedBytes()
    }

    final func receivedEnd(_ error: LoopError?) {
        guard error == nil else { return transport.close() }
        receivedLast()
    }

    final func outputProgressed() {
        guard transport.output.isEmpty else { return }
        if closesWhenSent {
            closeCleanly()
        } else {
            sent()
        }
    }

    final func outputFailed(_ error: LoopError) { transport.close() }

    func transportClosed() { pod.connectionClosed() }
}

/// Gathers a short request's first bytes, a big-endian number, however they are cut.
struct NumberReader<Number: FixedWidthInteger & BitwiseCopyable> {
    private var value: Number = 0
    private var bytesRead = 0

    /// Takes bytes from `bytes` until the number is whole; nil: it is not.
    ///
    /// - Parameter cursor: moved over what was taken.
    mutating func next(_ bytes: RawSpan, from cursor: inout Int) -> Number? {
        while bytesRead < MemoryLayout<Number>.size {
            guard cursor < bytes.byteCount else { return nil }
            value = value << 8 | Number(truncatingIfNeeded: bytes.byte(at: cursor))
            cursor += 1
            bytesRead += 1
        }
        return value
    }
}

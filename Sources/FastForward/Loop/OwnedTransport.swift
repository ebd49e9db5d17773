/// What decides for an ``OwnedTransport``; the requirements are those of ``Transport``.
///
/// Everything but ``received(_:)`` has a default that does nothing.
package protocol TransportOwner: AnyObject {
    /// Where the next bytes go; nil pauses reading until the next `startReading()`.
    ///
    /// The transport must not be closed, or stopped, in here: libuv reads from it next.
    func prepareRead() -> BufferBox?
    /// `count` bytes stand in that box behind the gap, not committed yet.
    func received(_ count: Int)
    /// The other side has ended its direction (nil), or the connection failed.
    func receivedEnd(_ error: LoopError?)
    /// The kernel has taken bytes that it had refused before.
    func outputProgressed()
    /// What is in the output can never be sent.
    func outputFailed(_ error: LoopError)
    /// The answer to `connect(to:)`.
    func connected(_ error: LoopError?)
    /// The handle is gone; comes once.
    func transportClosed()
}

extension TransportOwner {
    package func prepareRead() -> BufferBox? { nil }
    package func receivedEnd(_ error: LoopError?) {}
    package func outputProgressed() {}
    package func outputFailed(_ error: LoopError) {}
    package func connected(_ error: LoopError?) {}
    package func transportClosed() {}
}

/// A transport whose decisions are made by another object: for other modules of the package, where a class that is
/// not `open` cannot have subclasses.
///
/// Transport and owner hold each other until the handle is closed.
package final class OwnedTransport: Transport {
    package var owner: (any TransportOwner)?

    package override func prepareRead() -> BufferBox? { owner?.prepareRead() }
    package override func received(_ count: Int) { owner?.received(count) }
    package override func receivedEnd(_ error: LoopError?) { owner?.receivedEnd(error) }
    package override func outputProgressed() { owner?.outputProgressed() }
    package override func outputFailed(_ error: LoopError) { owner?.outputFailed(error) }
    package override func connected(_ error: LoopError?) { owner?.connected(error) }

    package override func closeCompleted() {
        super.closeCompleted()
        let owner = self.owner
        self.owner = nil
        owner?.transportClosed()
    }
}

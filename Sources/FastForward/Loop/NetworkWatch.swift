internal import CUV

/// Tells when the network of this host has changed: a link, an address or a route, or the host has slept.
///
/// Theory of operation. The kernel tells of each change (rtnetlink(7)), usually of several at once, as a link brings its
/// addresses and routes along: they are gathered for a moment, and what they say is not looked at. Of sleep nothing
/// tells but two clocks of which only one goes on meanwhile; they are compared now and then. Does not keep the loop
/// running.
package final class NetworkWatch: LoopHandle {
    /// For how long changes are gathered.
    static let gatherSpan = TimeSpan.milliseconds(100)
    /// How often it is looked whether the host has slept.
    static let sleepLook = TimeSpan.seconds(5)
    /// How many messages are taken at once; the rest comes in the next turn.
    private static let messagesMax: Int32 = 256

    private var handler: (() -> Void)?
    private var descriptor: Int32 = -1
    private var gatherTimer: LoopTimer?
    private var sleepTimer: LoopTimer?
    private var gauge = SleepGauge(sleptMilliseconds: ffwd_slept_milliseconds())

    /// Begins to watch.
    ///
    /// - Throws: where the kernel does not tell, as in some sandboxes.
    package init(loop: EventLoop, handler: @escaping () -> Void) throws(LoopError) {
        self.handler = handler
        super.init(loop: loop, type: UV_POLL)
        let attempt = "watch the network"
        let descriptor = ffwd_route_open()
        try check(descriptor, attempt)
        self.descriptor = descriptor
        guard let poll = unsafe raw(uv_poll_t.self) else { return }
        let code = unsafe uv_poll_init(loop.raw, poll, descriptor)
        guard code >= 0 else {
            _ = CUV.close(descriptor)
            throw LoopError(code: code, attempt: attempt)
        }
        tie()
        hold(descriptors: 1)
        unsafe raw(uv_handle_t.self).map { handle in unsafe uv_unref(handle) }
        unsafe uv_poll_start(poll, Int32(UV_READABLE.rawValue), Callbacks.readable)
        gatherTimer = LoopTimer(loop: loop) { [weak self] in self?.handler?() }
        gatherTimer?.keepsLoopAlive(false)
        sleepTimer = LoopTimer(loop: loop) { [weak self] in self?.lookForSleep() }
        sleepTimer?.keepsLoopAlive(false)
        sleepTimer?.schedule(at: loop.now + Self.sleepLook)
    }

    func becameReadable() {
        guard !isClosing, ffwd_route_drain(descriptor, Self.messagesMax) != 0 else { return }
        gather()
    }

    private func lookForSleep() {
        sleepTimer?.schedule(at: loop.now + Self.sleepLook)
        if gauge.hasSlept(sleptMilliseconds: ffwd_slept_milliseconds()) { gather() }
    }

    private func gather() {
        guard gatherTimer?.deadline == nil else { return }
        gatherTimer?.schedule(at: loop.now + Self.gatherSpan)
    }

    package override func close() {
        gatherTimer?.close()
        gatherTimer = nil
        sleepTimer?.close()
        sleepTimer = nil
        super.close()
    }

    package override func closeCompleted() {
        _ = CUV.close(descriptor)
        handler = nil
        super.closeCompleted()
    }
}

/// Notices that the host has slept, by the growth of all its sleep.
struct SleepGauge: Equatable {
    /// What two clocks that are read one after the other may differ by.
    static let leastMilliseconds: Int64 = 500

    private var sleptMilliseconds: Int64

    init(sleptMilliseconds: Int64) { self.sleptMilliseconds = sleptMilliseconds }

    /// - Returns: whether it has slept since the last call.
    mutating func hasSlept(sleptMilliseconds: Int64) -> Bool {
        let growth = sleptMilliseconds - self.sleptMilliseconds
        self.sleptMilliseconds = sleptMilliseconds
        return growth >= Self.leastMilliseconds
    }
}

extension SocketAddress {
    /// Whether this host has the address now.
    package var isOwn: Bool { unsafe withPointer { unsafe ffwd_is_own_address($0) } != 0 }
}

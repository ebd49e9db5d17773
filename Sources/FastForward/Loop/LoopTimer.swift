internal import CUV

/// Calls its handler at an instant, at most once for each ``schedule(at:)``.
///
/// Where this process has stood still (stopped, asleep, starved), timers would be first to hear of it, before what has come
/// meanwhile is looked at, and take our own pause for the silence of others. So one that is very late waits a moment more.
package final class LoopTimer: LoopHandle {
    /// How late a timer may be without that.
    private static let latenessMax = TimeSpan.seconds(1)
    /// For how long what has come is looked at first.
    private static let secondLook = TimeSpan.milliseconds(250)

    private var handler: (() -> Void)?
    /// When it will fire; nil: it will not.
    package private(set) var deadline: Instant?
    /// The deadline, or the soonest that it could be met.
    private var due = Instant(nanoseconds: 0)
    /// Until when what has come is looked at first; nil: this process has not stood still.
    private var putOffEnd: Instant?
    /// A pause of this process's that the handler has not heard of yet.
    private var noticedPause = TimeSpan.zero
    /// For how long this process had stood still when it fired last; 0: it had not.
    package private(set) var ownPause = TimeSpan.zero

    package init(loop: EventLoop, handler: @escaping () -> Void) {
        self.handler = handler
        super.init(loop: loop, type: UV_TIMER)
        unsafe raw(uv_timer_t.self).map { timer in _ = unsafe uv_timer_init(loop.raw, timer) }
        tie()
    }

    /// Fires at `instant`, or as soon as possible if that is past; replaces an earlier schedule.
    package func schedule(at instant: Instant) {
        guard deadline != instant else { return }
        if deadline != nil { noticePause() }
        deadline = instant
        start(at: max(instant, putOffEnd ?? loop.now))
    }

    private func start(at instant: Instant) {
        guard let timer = unsafe raw(uv_timer_t.self) else { return }
        due = instant
        unsafe uv_timer_start(timer, Callbacks.timer, (instant - loop.now).millisecondsRoundedUp, 0)
    }

    /// - Returns: whether it is so late that this process must have stood still.
    @discardableResult private func noticePause() -> Bool {
        guard putOffEnd == nil, loop.now > due + Self.latenessMax else { return false }
        noticedPause = loop.now - due
        putOffEnd = loop.now + Self.secondLook
        return true
    }

    package func cancel() {
        guard deadline != nil, let timer = unsafe raw(uv_timer_t.self) else { return }
        deadline = nil
        putOffEnd = nil
        noticedPause = .zero
        unsafe uv_timer_stop(timer)
    }

    /// Does or does not keep the loop running.
    package func keepsLoopAlive(_ keeps: Bool) {
        guard let handle = unsafe raw(uv_handle_t.self) else { return }
        unsafe keeps ? uv_ref(handle) : uv_unref(handle)
    }

    func fire() {
        if noticePause(), let putOffEnd {
            start(at: putOffEnd)
            return
        }
        ownPause = noticedPause
        noticedPause = .zero
        putOffEnd = nil
        deadline = nil
        handler?()
    }

    package override func closeCompleted() {
        handler = nil
        super.closeCompleted()
    }
}

/// Calls its handler each time the process gets a signal; does not keep the loop running.
package final class SignalWatcher: LoopHandle {
    private var handler: (() -> Void)?

    package init(loop: EventLoop, signal number: Int32, handler: @escaping () -> Void) throws(LoopError) {
        self.handler = handler
        super.init(loop: loop, type: UV_SIGNAL)
        guard let watcher = unsafe raw(uv_signal_t.self) else { return }
        unsafe uv_signal_init(loop.raw, watcher)
        tie()
        unsafe raw(uv_handle_t.self).map { handle in unsafe uv_unref(handle) }
        let code = unsafe uv_signal_start(watcher, Callbacks.signal, number)
        if code < 0 { close() }
        try check(code, "watch for signal \(number)")
    }

    func fire() { handler?() }

    package override func closeCompleted() {
        handler = nil
        super.closeCompleted()
    }
}

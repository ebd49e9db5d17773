internal import CUV

/// Calls its handler at an instant, at most once for each ``schedule(at:)``.
package final class LoopTimer: LoopHandle {
    private var handler: (() -> Void)?
    /// When it will fire; nil: it will not.
    package private(set) var deadline: Instant?

    package init(loop: EventLoop, handler: @escaping () -> Void) {
        self.handler = handler
        super.init(loop: loop, type: UV_TIMER)
        unsafe raw(uv_timer_t.self).map { timer in _ = unsafe uv_timer_init(loop.raw, timer) }
        tie()
    }

    /// Fires at `instant`, or as soon as possible if that is past; replaces an earlier schedule.
    package func schedule(at instant: Instant) {
        guard deadline != instant, let timer = unsafe raw(uv_timer_t.self) else { return }
        deadline = instant
        unsafe uv_timer_start(timer, Callbacks.timer, (instant - loop.now).millisecondsRoundedUp, 0)
    }

    package func cancel() {
        guard deadline != nil, let timer = unsafe raw(uv_timer_t.self) else { return }
        deadline = nil
        unsafe uv_timer_stop(timer)
    }

    /// Does or does not keep the loop running.
    package func keepsLoopAlive(_ keeps: Bool) {
        guard let handle = unsafe raw(uv_handle_t.self) else { return }
        unsafe keeps ? uv_ref(handle) : uv_unref(handle)
    }

    func fire() {
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

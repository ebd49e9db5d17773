import FastForward
import Logging

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Runs one forward until a signal or a failure ends it.
///
/// Where it is to drain, the first SIGINT or SIGTERM only stops it from accepting: it ends when its last client has
/// gone, when the time is up, or with the second signal.
final class ForwardSession {
    private enum End {
        case status(Int32)
        case signal(Int32)
    }

    private let loop: EventLoop
    private let console: Console
    private var forwarder: Forwarder?
    private var watchers: [SignalWatcher] = []
    private var end: End?
    private var isReady = false
    private let options: Options
    /// How it will end when it has drained.
    private var endAfterDrain: End?
    private var drainTimer: LoopTimer?
    /// How long the first moments last: half a second on, the pods are read once more and then watched.
    private static let startSpan = TimeSpan.milliseconds(750)
    private var startTimer: LoopTimer?

    /// What the forward itself does not need to know.
    struct Options {
        /// How long live connections may go on after the first signal.
        var drain = TimeSpan.zero
        /// Whether what was done is told at the end.
        var summarizes = false
    }

    init(
        _ request: Forwarder.Request,
        _ options: Options,
        logger: Logger,
        isQuiet: Bool
    ) throws {
        self.options = options
        var request = request
        request.descriptorsMax = ProcessLimits.raiseOpenFiles()
        loop = try EventLoop()
        console = Console(loop: loop, logger: logger, isQuiet: isQuiet)
        forwarder = Forwarder(loop: loop, request: request) { [weak self] event in self?.handle(event) }
        // kubectl ends with 0 on SIGINT only, and only once it forwards; the other two kill it, unless it was started
        // to ignore them.
        try watch(ProcessSignal.interrupt, .status(0))
        try watch(ProcessSignal.terminate, .signal(ProcessSignal.terminate))
        if !ProcessSignal.isIgnored(ProcessSignal.hangUp) {
            try watch(ProcessSignal.hangUp, .signal(ProcessSignal.hangUp))
        }
        // As Go's run time, which tells its state first; a plugin must not stay behind.
        if !ProcessSignal.isIgnored(ProcessSignal.quit) {
            try watch(ProcessSignal.quit, .signal(ProcessSignal.quit))
        }
        let reporter = try SignalWatcher(loop: loop, signal: ProcessSignal.report) { [weak self] in
            self?.summarize()
        }
        watchers.append(reporter)
    }

    private func watch(_ number: Int32, _ end: End) throws {
        watchers.append(try SignalWatcher(loop: loop, signal: number) { [weak self] in self?.signalled(end) })
    }

    /// Runs, and ends the process.
    func run() -> Never {
        forwarder?.start()
        loop.run()
        // Bounded: a plugin that does not end is killed.
        while forwarder?.isPluginAlive ?? false { loop.runOnce() }
        console.close()
        switch end {
        case .status(let status): exit(status)
        case .signal(let number): ProcessSignal.end(by: number)
        case nil: exit(1)
        }
    }

    private func handle(_ event: ForwarderEvent) {
        console.show(event)
        switch event {
        case .failed: stop(.status(1))
        case .ready:
            isReady = true
            dropStartMemory()
        case .drained: if let endAfterDrain { stop(endAfterDrain) }
        case .listening, .listenFailed, .accepted, .acceptingPaused, .acceptingResumed, .queueFull,
            .queueDropped,
            .connectionFailed, .tunnelLost, .tunnelNotOpened, .tunnelRestored, .podChanged, .podMissing,
            .podJoined, .podLeft, .fact:
            break
        }
    }

    /// Once, when the first clients have been served: the work at the start is over then.
    private func dropStartMemory() {
        guard startTimer == nil else { return }
        let timer = LoopTimer(loop: loop) { ProcessLimits.dropStartMemory() }
        timer.keepsLoopAlive(false)
        timer.schedule(at: loop.now + Self.startSpan)
        startTimer = timer
    }

    private func signalled(_ wanted: End) {
        var end = wanted
        if case .status = wanted, !isReady { end = .signal(ProcessSignal.interrupt) }
        guard let forwarder, options.drain > .zero, endAfterDrain == nil, forwarder.connectionCount > 0 else {
            stop(end)
            return
        }
        endAfterDrain = end
        let timer = LoopTimer(loop: loop) { [weak self] in
            if let self, let count = self.forwarder?.connectionCount { self.console.drainIsOver(count) }
            self?.stop(end)
        }
        timer.schedule(at: loop.now + options.drain)
        drainTimer = timer
        // Nobody gets in any more when that is said.
        forwarder.drain()
        console.draining(forwarder.connectionCount, for: options.drain)
    }

    private func summarize() {
        if let forwarder { console.show(forwarder.statistics) }
    }

    private func stop(_ end: End) {
        guard self.end == nil else { return }
        self.end = end
        if options.summarizes { summarize() }
        forwarder?.close()
        loop.stop()
    }
}

import FastForward
import Logging

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Runs one forward until a signal or a failure ends it.
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

    init(_ request: Forwarder.Request, logger: Logger, isQuiet: Bool) throws {
        loop = try EventLoop()
        console = Console(loop: loop, logger: logger, isQuiet: isQuiet)
        forwarder = Forwarder(loop: loop, request: request) { [weak self] event in self?.handle(event) }
        // kubectl ends with 0 on SIGINT only; the other two kill it, unless it was started to ignore them.
        try watch(ProcessSignal.interrupt, .status(0))
        try watch(ProcessSignal.terminate, .signal(ProcessSignal.terminate))
        if !ProcessSignal.isIgnored(ProcessSignal.hangUp) {
            try watch(ProcessSignal.hangUp, .signal(ProcessSignal.hangUp))
        }
    }

    private func watch(_ number: Int32, _ end: End) throws {
        watchers.append(try SignalWatcher(loop: loop, signal: number) { [weak self] in self?.stop(end) })
    }

    /// Runs, and ends the process.
    func run() -> Never {
        ProcessLimits.raiseOpenFiles()
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
        if case .failed = event { stop(.status(1)) }
    }

    private func stop(_ end: End) {
        guard self.end == nil else { return }
        self.end = end
        forwarder?.close()
        loop.stop()
    }
}

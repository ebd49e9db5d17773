import FastForward
import Logging

/// Makes kubectl's lines of a forwarder's events.
final class Console {
    /// How long a line may be, in Unicode scalars: longer than the longest reason that is kept.
    private static let lineScalarsMax = 4096

    private let loop: EventLoop
    private let standardOutput: LineOutput
    private let standardError: LineOutput
    private let facts: FactLog
    /// Whether each accepted connection is left unsaid.
    private let isQuiet: Bool
    private var accepted = LineBudget<UInt16>()
    private var failures = LineBudget<String>()
    private var timer: LoopTimer?

    init(loop: EventLoop, logger: Logger, isQuiet: Bool) {
        self.loop = loop
        standardOutput = LineOutput(loop: loop, stream: .output)
        standardError = LineOutput(loop: loop, stream: .error)
        self.isQuiet = isQuiet
        facts = FactLog(logger: logger)
    }

    /// Prints what the event says.
    func show(_ event: ForwarderEvent) {
        switch event {
        case .listening(let address, let remotePort):
            output("Forwarding from \(address) -> \(remotePort)")
        case .listenFailed(let localPort, let remotePort, let errors):
            error(Self.listenText(localPort: localPort, remotePort: remotePort, errors))
        case .ready, .drained:
            break
        case .failed(.upstream(.credential(let problem))):
            // A plugin's hint may have several lines, which are escaped already.
            standardError.write(problem.terminalText + "\n")
        case .failed(let failure):
            error("\(failure)")
        case .accepted where isQuiet:
            break
        case .accepted(let localPort):
            guard accepted.line(ofKind: localPort, at: loop.now) == .count else {
                output(Self.acceptedText(localPort))
                return
            }
            scheduleCounts()
        case .acceptingPaused(let count, let limit):
            budgeted("as many connections as there is room for", Self.fullText(count, limit))
        case .acceptingResumed:
            budgeted("accepting connections again", "accepting connections again")
        case .queueFull(let localPort, let most):
            budgeted(
                "more clients at once than a port's queue holds",
                "more clients came to port \(localPort) at once than its queue of \(most) holds: some have to wait a second "
                    + "or more (a larger net.core.somaxconn helps, set before ffwd starts)"
            )
        case .queueDropped(let count):
            error(
                "\(count.counting("client")) had connected and waited to be accepted: reset, as there was no room"
            )
        case .connectionFailed(let localPort, let remotePort, let failure):
            let kind = "an error occurred forwarding \(localPort) -> \(remotePort): \(failure.kind)"
            budgeted(kind, "an error occurred forwarding \(localPort) -> \(remotePort): \(failure.reason)")
        case .tunnelLost(let reason, let isLast):
            let kind =
                isLast ? "lost connection to pod (reconnecting)" : "lost one of several connections to pod"
            budgeted(kind, "lost connection to pod: \(reason.lossText)" + (isLast ? " (reconnecting)" : ""))
        case .tunnelNotOpened(let reason):
            let beginning = "could not open another connection to pod"
            budgeted(beginning, "\(beginning): \(reason.lossText)")
        case .podChanged(let old, let new, let loss):
            budgeted("forwarding to another pod", Self.changeText(old, new, loss))
        case .podMissing(let name, let loss):
            budgeted(
                "waiting for a pod",
                "pod/\(name) is \(loss), and there is no other: clients wait for one"
            )
        case .podJoined(let name):
            budgeted("pods joined", "forwarding to pod/\(name) too")
        case .podLeft(let name, let loss):
            budgeted("pods left", "pod/\(name) is \(loss): no longer forwarding to it")
        case .tunnelRestored:
            budgeted("connection to pod restored", "connection to pod restored")
        case .fact(let fact):
            facts.tell(fact)
        }
    }

    /// Tells what has been done so far, on stderr: one line for all, one for each pod.
    func show(_ statistics: ForwarderStatistics) {
        flush()
        for line in Self.summary(of: statistics) { error(line) }
    }

    static func summary(of statistics: ForwarderStatistics) -> [String] {
        let failed = statistics.failures.reduce(0) { $0 + $1.count }
        var line =
            "summary: \(statistics.accepted.counting("connection")) accepted, \(statistics.open) open, \(failed) failed"
        if failed > 0 {
            line += " (" + statistics.failures.map { "\($0.count) \($0.kind)" }.joined(separator: ", ") + ")"
        }
        return [line]
            + statistics.pods.map { name, pod in
                "summary: pod/\(name): \(pod.connections.counting("connection")), \(pod.toPodBytes.counting("byte")) "
                    + "to it, \(pod.fromPodBytes) from it, \(pod.opened.counting("tunnel")) opened, \(pod.lost) lost"
            }
    }

    /// Tells that only what is open goes on.
    func draining(_ count: Int, for span: TimeSpan) {
        error(Self.drainText(count, for: span))
    }

    /// Tells that what is still open is reset.
    func drainIsOver(_ count: Int) {
        error("the time of --drain is over: \(count.counting("open connection")) reset")
    }

    static func drainText(_ count: Int, for span: TimeSpan) -> String {
        "waiting up to \(span.text) for \(count.counting("open connection")) (the same signal again ends it at once)"
    }

    private static func acceptedText(_ localPort: UInt16) -> String { "Handling connection for \(localPort)" }

    /// A line on stderr, or a count of its kind.
    private func budgeted(_ kind: String, _ line: @autoclosure () -> String) {
        guard failures.line(ofKind: kind, at: loop.now) == .count else {
            error(line())
            return
        }
        scheduleCounts()
    }

    /// A line on stderr.
    func error(_ line: String) { standardError.write(Self.oneLine(line) + "\n") }

    private func output(_ line: String) { standardOutput.write(line + "\n") }

    /// Prints what was only counted so far.
    func flush() {
        for (port, count) in accepted.drain() { output("\(Self.acceptedText(port)) (\(count) more)") }
        for (line, count) in failures.drain() { error("\(line) (\(count) more)") }
    }

    func close() {
        flush()
        timer?.close()
        timer = nil
        standardOutput.close()
        standardError.close()
    }

    private func scheduleCounts() {
        if timer == nil {
            timer = LoopTimer(loop: loop) { [weak self] in self?.flush() }
        }
        guard timer?.deadline == nil else { return }
        timer?.schedule(at: loop.now + .seconds(1))
    }

    /// What servers say may have several lines and escape sequences, which a terminal would obey; a log line has
    /// neither.
    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ").escapedForTerminal(
            upTo: lineScalarsMax
        )
    }

    private static func changeText(_ old: String, _ new: String, _ loss: PodLoss) -> String {
        old == new
            ? "pod/\(old) is \(loss): forwarding to its successor of the same name"
            : "pod/\(old) is \(loss): forwarding to pod/\(new)"
    }

    static func fullText(_ count: Int, _ limit: AcceptGate.Limit) -> String {
        let open = "\(count.counting("connection")) \(count == 1 ? "is" : "are") open"
        return switch limit {
        case .connections:
            "\(open), as many as --max-connections allows: others wait until one ends"
        case .memory:
            "\(open), each with a WebSocket of its own, as many as --memory-limit allows: "
                + "others wait until one ends"
        case .descriptors(let descriptors):
            "\(open), as many as this process's limit of \(descriptors) descriptors allows: "
                + "others wait until one ends (a higher hard limit helps: ulimit -Hn)"
        }
    }

    /// Why an address could not be bound, as kubectl's run time words it.
    private static func goReason(_ error: LoopError) -> String {
        error.code == LoopError.addressNotAvailable ? "cannot assign requested address" : error.reason
    }

    private static func listenText(
        localPort: UInt16,
        remotePort: UInt16,
        _ errors: [(address: SocketAddress, error: LoopError)]
    ) -> String {
        let causes = errors.map { address, error in
            "unable to create listener: Error listen \(address.isIPv6 ? "tcp6" : "tcp4") \(address): bind: "
                + goReason(error)
        }
        var advice = ""
        if errors.contains(where: { $0.error.code == LoopError.addressInUse }) {
            advice = " (choose another local port, for example :\(remotePort))"
        } else if errors.contains(where: { $0.error.code == LoopError.permissionDenied }) {
            advice =
                " (ports below 1024 need a privilege; choose another local port, for example :\(remotePort))"
        }
        return
            "Unable to listen on port \(localPort): Listeners failed to create with the following errors: ["
            + causes.joined(separator: " ") + "]" + advice
    }
}

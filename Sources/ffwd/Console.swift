import FastForward

/// Makes kubectl's lines of a forwarder's events.
final class Console {
    /// How long a line may be, in Unicode scalars: longer than the longest reason that is kept.
    private static let lineScalarsMax = 4096

    private let loop: EventLoop
    private var accepted = LineBudget()
    private var failures = LineBudget()
    private var timer: LoopTimer?

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// Prints what the event says.
    func show(_ event: ForwarderEvent) {
        switch event {
        case .listening(let address, let remotePort):
            output("Forwarding from \(address) -> \(remotePort)")
        case .listenFailed(let localPort, let remotePort, let errors):
            error(Self.listenText(localPort: localPort, remotePort: remotePort, errors))
        case .ready:
            break
        case .failed(.upstream(.credential(let problem))):
            // A plugin's hint may have several lines, which are escaped already.
            StandardStreams.write(problem.terminalText + "\n", to: .error)
        case .failed(let failure):
            error("\(failure)")
        case .accepted(let localPort):
            let line = "Handling connection for \(localPort)"
            guard accepted.line(ofKind: line) == .count else {
                output(line)
                return
            }
            scheduleCounts()
        case .connectionFailed(let localPort, let remotePort, let failure):
            let kind = "an error occurred forwarding \(localPort) -> \(remotePort): \(Self.kind(of: failure))"
            guard failures.line(ofKind: kind) == .count else {
                error("an error occurred forwarding \(localPort) -> \(remotePort): \(failure.reason)")
                return
            }
            scheduleCounts()
        case .tunnelLost(let reason, let isLast):
            let kind =
                isLast ? "lost connection to pod (reconnecting)" : "lost one of several connections to pod"
            budgeted(kind, "lost connection to pod: \(reason)" + (isLast ? " (reconnecting)" : ""))
        case .tunnelRestored:
            budgeted("connection to pod restored", "connection to pod restored")
        }
    }

    /// A line on stderr, or a count of its kind.
    private func budgeted(_ kind: String, _ line: String) {
        guard failures.line(ofKind: kind) == .count else {
            error(line)
            return
        }
        scheduleCounts()
    }

    /// A line on stderr.
    func error(_ line: String) { StandardStreams.write(Self.oneLine(line) + "\n", to: .error) }

    private func output(_ line: String) { StandardStreams.write(line + "\n", to: .output) }

    /// Prints what was only counted so far.
    func flush() {
        for (line, count) in accepted.drain() { output("\(line) (\(count) more)") }
        for (line, count) in failures.drain() { error("\(line) (\(count) more)") }
    }

    func close() {
        flush()
        timer?.close()
        timer = nil
    }

    private func scheduleCounts() {
        if timer == nil {
            timer = LoopTimer(loop: loop) { [weak self] in self?.flush() }
        }
        guard timer?.deadline == nil else { return }
        timer?.schedule(at: loop.now + .seconds(1))
    }

    private static func kind(of failure: ConnectionFailure) -> String {
        switch failure {
        case .reported: "reported by the server"
        case .reset: "reset by the server"
        case .stalled: "stalled in the server"
        case .heldUpOthers: "held up others"
        case .noTunnel: "no tunnel"
        case .tunnelLost: "tunnel lost"
        }
    }

    /// What servers say may have several lines and escape sequences, which a terminal would obey; a log line has
    /// neither.
    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ").escapedForTerminal(
            upTo: lineScalarsMax
        )
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

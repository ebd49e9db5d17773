import FastForward
import Foundation

/// One attack, and all that may come of it.
struct HostileRow: Sendable {
    /// What is seen of an attack.
    enum Outcome: Sendable {
        /// ffwd ends at the start, with one line that contains this.
        case refusal(String)
        /// The tunnel is lost, with one line that contains this; its client is reset.
        case tunnelLost(String)
        /// The client is reset, with one line that contains this; the tunnel lives.
        case connectionFails(String)
        /// A running forward loses its tunnels, meets the attack when it makes new ones, and goes on after it.
        case recovery
        /// Nothing.
        case nothing
    }

    /// The most resident memory that an attack may cost, in bytes: what an idle ffwd has, batches, and the marks of a
    /// tunnel or two.
    static let memoryBytesMax = 48 << 20
    /// How long an attack may go unnoticed beyond the time that it was given, on a busy machine.
    static let slack = Duration.seconds(Programs.isFullSize ? 15 : 60)

    let name: String
    let place: AttackPlace
    let outcome: Outcome
    /// More options for ffwd.
    var options: [String] = []
    var memoryBytesMax = HostileRow.memoryBytesMax
    /// After how long ffwd has to have had enough, in seconds.
    var seconds = 1
    var isTLS = false
    /// The kubeconfig's proxy, by its scheme; the attack is the proxy's then.
    var proxyScheme: String?
    let attack: @Sendable (Attacked) throws -> Void

    init(
        _ name: String,
        _ place: AttackPlace,
        _ outcome: Outcome,
        options: [String] = [],
        memoryBytesMax: Int = HostileRow.memoryBytesMax,
        seconds: Int = 1,
        isTLS: Bool = false,
        proxyScheme: String? = nil,
        attack: @escaping @Sendable (Attacked) throws -> Void
    ) {
        self.name = name
        self.place = place
        self.outcome = outcome
        self.options = options
        self.memoryBytesMax = memoryBytesMax
        self.seconds = seconds
        self.isTLS = isTLS
        self.proxyScheme = proxyScheme
        self.attack = attack
    }

    /// An attack that says this and ends its direction.
    init(
        _ name: String,
        _ place: AttackPlace,
        _ outcome: Outcome,
        options: [String] = [],
        proxyScheme: String? = nil,
        saying text: String
    ) {
        self.init(name, place, outcome, options: options, proxyScheme: proxyScheme) { try $0.wire.send(text) }
    }

    // MARK: Running

    /// Runs the rows, several at a time, and tells what was wrong.
    static func problems(of rows: [HostileRow], width: Int = 16 / Programs.patience) -> [String] {
        let next = NSLock()
        let done = DispatchGroup()
        nonisolated(unsafe) var left = rows[...]
        nonisolated(unsafe) var problems: [String] = []
        for _ in 0..<min(width, rows.count) {
            done.enter()
            Thread.detachNewThread {
                while let row = next.withLock({ left.popFirst() }) {
                    let found = row.problems()
                    next.withLock { problems += found.map { "\(row.name): \($0)" } }
                }
                done.leave()
            }
        }
        done.wait()
        return problems
    }

    private func problems() -> [String] {
        var problems: [String] = []
        do {
            let limit = Duration.seconds(seconds) + Self.slack
            try Scenario.run(within: limit) { scenario in
                let run = try HostileRun(self, in: scenario)
                switch outcome {
                case .refusal(let text): try run.expectRefusal(text)
                case .tunnelLost, .connectionFails, .nothing, .recovery: try run.expectLife()
                }
                problems = run.problems
            }
        } catch {
            problems.append("\(error)")
        }
        return problems
    }
}

/// A row under way.
private final class HostileRun {
    private let row: HostileRow
    private let scenario: Scenario
    private let server: HostileServer
    private let kubeconfig: String
    private(set) var problems: [String] = []

    init(_ row: HostileRow, in scenario: Scenario) throws {
        self.row = row
        self.scenario = scenario
        let maker = row.isTLS ? try CertificateMaker(commonName: "hostile") : nil
        let server = HostileServer(
            identity: try maker?.issueServer(),
            place: row.place,
            attack: row.attack
        )
        self.server = server
        let stub = try scenario.stub { server.serve($0) }
        let url = "\(row.isTLS || row.proxyScheme != nil ? "https" : "http")://127.0.0.1:\(stub.port)"
        let authority = maker.map {
            ", certificate-authority-data: \(Data($0.authorityPEM).base64EncodedString())"
        }
        let proxy = row.proxyScheme.map { ", proxy-url: \"\($0)://127.0.0.1:\(stub.port)\"" }
        kubeconfig = try scenario.kubeconfig(server: url, (authority ?? "") + (proxy ?? ""))
    }

    private var arguments: [String] { ["--kubeconfig", kubeconfig] + row.options }

    private func expect(_ isTrue: Bool, _ problem: @autoclosure () -> String) {
        if !isTrue { problems.append(problem()) }
    }

    private func check(_ peakBytes: Int) {
        guard Programs.isMemoryMeasurable else { return }
        expect(peakBytes <= row.memoryBytesMax, "it took \(peakBytes >> 20) MiB")
    }

    private func checkLines(_ lines: [String]) {
        for line in lines {
            let isPlain = line.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            expect(isPlain, "control characters in \(line.debugDescription)")
        }
    }

    // MARK: At the start

    func expectRefusal(_ text: String) throws {
        server.arm(true)
        let begin = ContinuousClock.now
        let process = try scenario.start([Programs.ffwd] + arguments + ["pod/demo", ":80"])
        let (exit, peakBytes) = try process.waitForExit(measuringUntil: scenario.deadline)
        let span = ContinuousClock.now - begin
        expect(exit == .status(1), "it ended with \(exit)")
        expect(span < (.seconds(row.seconds) + HostileRow.slack / 2) * Programs.patience, "it took \(span)")
        expect(process.output.text.isEmpty, "on stdout: \(process.output.text)")
        let lines = process.errors.lines
        expect(lines.count == 1, "\(lines.count) lines: \(lines)")
        expect(lines.first?.contains(text) ?? false, "it said \(lines.first ?? "nothing")")
        checkLines(lines)
        check(peakBytes)
    }

    // MARK: Within a forward

    func expectLife() throws {
        let process = try scenario.start([Programs.ffwd] + arguments + ["pod/demo", ":80"])
        let forward = try Forward(process, remotePorts: [80], until: scenario.deadline)
        let port = forward[80]
        let bystander = try echoing(port)
        server.arm(true)
        switch (row.place, row.outcome) {
        case (.tunnel, _):
            try attackTunnel(port, besides: bystander, process)
            server.arm(false)
            try exchange("still", on: bystander)
        case (_, .recovery):
            server.cutTunnels()
            try scenario.poll(for: "an attack") { server.attacks.count >= (row.seconds > 1 ? 1 : 2) }
            server.arm(false)
            expect(bystander.receiveToEnd().ending == .reset, "the client of a lost tunnel saw no reset")
        case (_, _):
            try scenario.poll(for: "four attacks") { server.attacks.count >= 4 || !process.isRunning }
            try checkPace()
            try exchange("still", on: bystander)
            server.arm(false)
        }
        try awaitRecovery(port)
        checkLines(process.errors.lines)
        expect(process.isRunning, "it has ended")
        check(process.peakBytes() ?? .max)
    }

    /// Requests that are refused again and again must not be made without a pause.
    private func checkPace() throws {
        let attacks = server.attacks
        guard attacks.count >= 4 else { return }
        let span = attacks[3] - attacks[0]
        expect(span >= .milliseconds(900), "four requests within \(span)")
    }

    /// A new client on another tunnel than the bystander.
    private func placed(_ port: UInt16, besides bystander: ClientSocket) throws -> ClientSocket {
        guard !row.options.contains("channels") else { return try echoing(port) }
        let place = try ask(bystander)
        while true {
            let client = try echoing(port)
            if try ask(client) != place { return client }
        }
    }

    private func ask(_ client: ClientSocket) throws -> [UInt8] {
        try client.send(HostileServer.question)
        return try client.receive(1)
    }

    private func attackTunnel(_ port: UInt16, besides bystander: ClientSocket, _ process: Subprocess) throws {
        let client = try placed(port, besides: bystander)
        let before = process.errors.lines
        expect(before.isEmpty, "before the attack: \(before)")
        try client.send(HostileServer.trigger)
        switch row.outcome {
        case .tunnelLost(let text):
            expect(client.receiveToEnd().ending == .reset, "its client saw no reset")
            try expectLine("lost connection to pod: ", text, process)
            let errors = process.errors.lines.count { $0.hasPrefix("an error occurred forwarding") }
            expect(errors == 1, "\(errors) errors of connections")
        case .connectionFails(let text):
            expect(client.receiveToEnd().ending == .reset, "its client saw no reset")
            try expectLine("an error occurred forwarding ", text, process)
            let lost = process.errors.lines.filter { $0.hasPrefix("lost") }
            expect(lost.isEmpty, "\(lost)")
        case .nothing:
            // The answer comes when the attack is over.
            try exchange("after", on: client)
            expect(process.errors.lines.isEmpty, "it said \(process.errors.lines)")
        case .refusal, .recovery:
            break
        }
    }

    private func expectLine(_ prefix: String, _ text: String, _ process: Subprocess) throws {
        let line = try process.errors.line(beginningWith: prefix, until: scenario.deadline)
        expect(line.contains(text), "it said \(line)")
        let count = process.errors.lines.count { $0.hasPrefix(prefix) }
        expect(count == 1, "\(count) lines \(prefix)")
    }

    /// A new client that has been answered.
    private func echoing(_ port: UInt16) throws -> ClientSocket {
        let client = try scenario.connect(to: port)
        try exchange("hello", on: client)
        return client
    }

    /// Waits until a new client is answered; where tunnels were lost, one may still be lost with its clients.
    private func awaitRecovery(_ port: UInt16) throws {
        guard case .recovery = row.outcome else {
            _ = try echoing(port)
            return
        }
        while (try? echoing(port)) == nil {
            if scenario.deadline.isOver { throw ScenarioError("time was up before it went on") }
        }
    }

    private func exchange(_ text: String, on client: ClientSocket) throws {
        try client.send(text)
        let answer = try client.receive(text.utf8.count)
        expect(answer == Array(text.utf8), "\(String(decoding: answer, as: UTF8.self)) for \(text)")
    }
}

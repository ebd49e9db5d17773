import Foundation

/// What stands for `{…}` in command lines: ports that are free, and ports that somebody else listens on.
struct ParityPorts: Sendable {
    private let busy: [String: UInt16]
    /// Listen on the busy ones.
    let listeners: [Int32]

    init() throws {
        var listeners: [Int32] = []
        func occupy(_ address: String, _ port: UInt16) -> UInt16? {
            let descriptor = socket(
                address.contains(":") ? AF_INET6 : AF_INET,
                Int32(SOCK_STREAM.rawValue) | O_CLOEXEC,
                0
            )
            guard SocketName.loopback(address, port).withPointer({ bind(descriptor, $0, $1) }) == 0,
                listen(descriptor, 1) == 0
            else {
                Foundation.close(descriptor)
                return nil
            }
            listeners.append(descriptor)
            return port
        }
        // Clients draw theirs from 32768 on, as the kernel is set: one of those might be in the way at any time.
        var drawn = (20_000..<32_000).shuffled().lazy.map { UInt16($0) }.filter { Self.isFree($0) }.prefix(3)
            .makeIterator()
        guard let both = drawn.next(), occupy("127.0.0.1", both) != nil, occupy("::1", both) != nil,
            let four = drawn.next(), occupy("127.0.0.1", four) != nil,
            let six = drawn.next(), occupy("::1", six) != nil
        else { throw ScenarioError("no ports to occupy") }
        busy = ["{busy}": both, "{busy4}": four, "{busy6}": six]
        self.listeners = listeners
    }

    /// Whether nobody listens on it, so that a command line that names it can.
    static func isFree(_ port: UInt16) -> Bool {
        ["127.0.0.1", "::1"].allSatisfy { address in
            let family = address.contains(":") ? AF_INET6 : AF_INET
            let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
            defer { Foundation.close(descriptor) }
            var on: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
            return SocketName.loopback(address, port).withPointer { bind(descriptor, $0, $1) } == 0
        }
    }

    func close() { for listener in listeners { Foundation.close(listener) } }

    /// `words` with ports in them; `{a}` is `free`.
    func fill(_ words: [String], free: UInt16) -> [String] {
        words.map { word in
            var word = word.replacing("{a}", with: "\(free)")
            for (name, port) in busy { word = word.replacing(name, with: "\(port)") }
            return word
        }
    }

    /// `text` with names for ports: those of ``fill(_:free:)``, and `{1}`, `{2}` for those that were drawn.
    func unfill(_ text: String, free: UInt16, drawn: [UInt16]) -> String {
        var text = Self.replacing(free, with: "{a}", in: text)
        for (name, port) in busy { text = Self.replacing(port, with: name, in: text) }
        for (index, port) in drawn.enumerated() {
            text = Self.replacing(port, with: "{\(index + 1)}", in: text)
        }
        return text
    }

    /// Numbers are replaced as a whole only.
    private static func replacing(_ port: UInt16, with name: String, in text: String) -> String {
        text.replacing(/\d+/) { $0.0 == "\(port)" ? name : String($0.0) }
    }
}

/// Runs command lines, several at a time.
final class ParityRunner: @unchecked Sendable {
    /// What a program made of a command line.
    struct Outcome: Equatable, CustomStringConvertible {
        var output: String
        var errors: String
        var exit: Subprocess.Exit
        /// What came through each local address.
        var heard: [String]

        var description: String {
            "\(exit)\nstdout: \(output)\nstderr: \(errors)\nheard: \(heard)"
        }
    }

    struct Result: CustomStringConvertible {
        let row: ParityRow
        let kubectl: Outcome
        let ffwd: Outcome

        var description: String { "\(row.text)\nkubectl: \(kubectl)\nffwd: \(ffwd)" }
    }

    /// How the programs are started.
    struct Setting {
        /// What stands before the program's name: a program that starts it.
        var wrapper: [String] = []
        var environment: [String: String] = [:]
        /// Whether the programs are told where the kubeconfig is.
        var hasKubeconfig = true
    }

    /// How many command lines run at a time: kubectl takes a tenth of a second of one core to start.
    private static let lanes = 3
    /// How long one program may take.
    private static let programLimit = Duration.seconds(20)

    private let scenario: Scenario
    private let ports: ParityPorts
    private let setting: Setting
    private let kubectl: String
    /// Guards what follows, and the starting of processes: their pipes must not be inherited by each other.
    private let lock = NSLock()
    private var waiting: [ParityRow]
    /// Rows that want a certain port go one after the other; those whose port somebody else has do not run.
    private var waitingForPorts: [ParityRow]
    private var results: [Result] = []
    private var problems: [String] = []

    init(
        _ rows: [ParityRow],
        in scenario: Scenario,
        ports: ParityPorts,
        setting: Setting = Setting()
    ) throws {
        self.scenario = scenario
        self.ports = ports
        self.setting = setting
        kubectl = try Programs.kubectl()
        waiting = rows.filter { $0.fixedPort == nil }
        waitingForPorts = rows.filter { $0.fixedPort.map { ParityPorts.isFree($0) } ?? false }
    }

    /// - Returns: what both programs did, and what kept a row from being run.
    func run() throws -> (results: [Result], problems: [String]) {
        try fillKubectlsCache()
        DispatchQueue.concurrentPerform(iterations: Self.lanes) { lane in
            while let row = next(isFirst: lane == 0) {
                do {
                    let result = try self.run(row)
                    lock.withLock { results.append(result) }
                } catch {
                    lock.withLock { problems.append("\(row.text): \(error)") }
                }
            }
        }
        return (results, problems)
    }

    /// Has kubectl learn the server's types: what it says of a refused credential depends on whether it knows them.
    private func fillKubectlsCache() throws {
        let configured = setting.hasKubeconfig ? ["--kubeconfig", try scenario.cluster.kubeconfig] : []
        let process = try scenario.start(
            setting.wrapper + [kubectl] + configured + ["api-resources"],
            environment: setting.environment
        )
        guard try process.waitForExit(until: scenario.deadline) == .status(0) else {
            throw ScenarioError("kubectl api-resources failed: \(process.transcript)")
        }
    }

    private func next(isFirst: Bool) -> ParityRow? {
        lock.withLock {
            if isFirst, let row = waitingForPorts.popLast() { return row }
            return waiting.popLast()
        }
    }

    private func run(_ row: ParityRow) throws -> Result {
        let free = try SocketName.freePort()
        let words = ports.fill(row.words == [""] ? [] : row.words, free: free)
        let kubeconfig = try scenario.cluster.directory.appendingPathComponent("kubeconfig" + row.user).path
        let configured = setting.hasKubeconfig ? ["--kubeconfig", kubeconfig] : []
        let theirs = try outcome([kubectl] + configured + ["port-forward"] + words, row.listening, free)
        var listening = row.listening
        if row.difference?.isRefusal == true { listening = 0 }
        let ours = try outcome([Programs.ffwd] + configured + words, listening, free)
        return Result(row: row, kubectl: theirs, ffwd: ours)
    }

    private func outcome(_ arguments: [String], _ listening: Int, _ free: UInt16) throws -> Outcome {
        let process = try lock.withLock {
            try scenario.start(setting.wrapper + arguments, environment: setting.environment)
        }
        defer { process.kill() }
        let deadline = Deadline(in: Self.programLimit)
        var heard: [String] = []
        var drawn: [UInt16] = []
        if listening > 0 {
            let lines = try process.output.wait(until: deadline, for: "“Forwarding from”") {
                $0.count { $0.hasPrefix("Forwarding from ") } >= listening
            }
            for line in lines {
                guard let place = ForwardedPlace(line) else { continue }
                if !arguments.contains(where: { $0.hasPrefix("\(place.port):") || $0 == "\(place.port)" }),
                    !drawn.contains(place.port), place.port != place.remote
                {
                    drawn.append(place.port)
                }
                heard.append(try listen(at: place, until: deadline))
            }
            process.send(signal: SIGINT)
        }
        let exit = try process.waitForExit(until: deadline)
        return Outcome(
            output: ports.unfill(process.output.text, free: free, drawn: drawn),
            errors: ports.unfill(
                Self.withoutLogPrefixes(process.errors.text),
                free: free,
                drawn: drawn
            ),
            exit: exit,
            heard: heard
        )
    }

    /// Sends a byte, or hears the pod's greeting, and ends in order.
    private func listen(at place: ForwardedPlace, until deadline: Deadline) throws -> String {
        guard place.remote == 7000 || place.remote == 7009 else { return "" }
        let client = try ClientSocket(
            port: place.port,
            address: place.clientAddress,
            until: deadline
        )
        defer { client.close() }
        if place.remote == 7000 { try client.send("x") }
        var bytes = try client.receive(1)
        if place.remote == 7009 {
            while bytes.last != UInt8(ascii: "\n") { bytes += try client.receive(1) }
        }
        client.shutdownWriting()
        let (rest, ending) = client.receiveToEnd()
        return String(decoding: bytes + rest, as: UTF8.self) + "\(ending)"
    }

    /// kubectl logs what fails later, with the time and the place in its source.
    private static func withoutLogPrefixes(_ text: String) -> String {
        let logged = /[EWI]\d{4} .*?\] "Unhandled Error" err="(.*)"(?: logger="UnhandledError")?\n/
        let help = /See 'kubectl port-forward (-h|--help)' for (help and examples|usage)\.?/
        return text.replacing(logged) { "\($0.1)\n" }.replacing(
            help,
            with: "See 'ffwd --help' for help and examples"
        )
    }
}

/// A line that tells where a program listens.
private struct ForwardedPlace {
    let address: String
    let port: UInt16
    let remote: UInt16

    init?(_ line: String) {
        guard let match = line.wholeMatch(of: /Forwarding from (.*):(\d+) -> (\d+)/),
            let port = UInt16(match.2), let remote = UInt16(match.3)
        else { return nil }
        address = match.1.filter { $0 != "[" && $0 != "]" }
        self.port = port
        self.remote = remote
    }

    /// Where a client goes that is on this machine.
    var clientAddress: String {
        switch address {
        case "0.0.0.0": "127.0.0.1"
        case "::": "::1"
        case _: address
        }
    }
}

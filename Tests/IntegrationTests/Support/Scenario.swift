import Foundation
import Testing

/// One test's world: a cluster, ffwd, clients, a directory for files, and the time it may take.
///
/// Nothing of it is left when ``run(_:within:_:)`` returns.
final class Scenario {
    let deadline: Deadline
    let directory: URL
    private(set) var processes: [Subprocess] = []
    private var stubs: [StubServer] = []
    private let clusterOrNil: Cluster?

    /// Runs `body` in a world with a cluster.
    static func run(
        _ kind: ClusterKind,
        within limit: Duration,
        _ body: (Scenario) throws -> Void
    ) throws {
        try run(Optional(kind), within: limit, body)
    }

    /// Runs `body` in a world without one.
    static func run(within limit: Duration, _ body: (Scenario) throws -> Void) throws {
        try run(nil, within: limit, body)
    }

    private static func run(
        _ kind: ClusterKind?,
        within limit: Duration,
        _ body: (Scenario) throws -> Void
    ) throws {
        let scenario = try Scenario(kind, within: limit)
        defer { scenario.end() }
        do {
            try body(scenario)
        } catch let error as ScenarioError {
            let transcripts = scenario.processes.suffix(4).map(\.transcript).joined(separator: "\n")
            throw ScenarioError("\(error)\n\(transcripts)")
        }
    }

    private init(_ kind: ClusterKind?, within limit: Duration) throws {
        let deadline = Deadline(in: limit)
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("ffwd-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        self.deadline = deadline
        self.directory = directory
        var started: [Subprocess] = []
        do {
            clusterOrNil = try kind.map { kind in
                try Cluster(kind, in: directory, until: deadline) { arguments in
                    let process = try Subprocess(arguments)
                    started.append(process)
                    return process
                }
            }
        } catch {
            let transcripts = started.map(\.transcript).joined(separator: "\n")
            for process in started { process.kill() }
            try? FileManager.default.removeItem(at: directory)
            throw error is ScenarioError ? ScenarioError("\(error)\n\(transcripts)") : error
        }
        processes = started
    }

    private func end() {
        for process in processes.reversed() { process.kill() }
        for stub in stubs { stub.close() }
        try? FileManager.default.removeItem(at: directory)
    }

    var cluster: Cluster {
        get throws {
            guard let clusterOrNil else { throw ScenarioError("this scenario has no cluster") }
            return clusterOrNil
        }
    }

    // MARK: Processes

    /// Starts a program, which ends with the scenario.
    func start(_ arguments: [String], environment: [String: String] = [:]) throws -> Subprocess {
        // A user's own configuration must not decide what a test sees.
        let quiet = ["KUBECONFIG": "/dev/null/none", "HOME": directory.path]
        let process = try Subprocess(arguments, environment: quiet.merging(environment) { $1 })
        processes.append(process)
        return process
    }

    /// Runs ffwd to its end.
    func ffwd(_ arguments: [String], environment: [String: String] = [:]) throws -> (
        exit: Subprocess.Exit, process: Subprocess
    ) {
        let process = try start([Programs.ffwd] + arguments, environment: environment)
        return (try process.waitForExit(until: deadline), process)
    }

    /// Forwards free local ports to `remotePorts` of the pod `demo`, by the way that the cluster's kind names.
    ///
    /// - Parameter kubeconfig: nil: the cluster's own.
    func forward(
        _ remotePorts: UInt16...,
        options: [String] = [],
        kubeconfig chosen: String? = nil,
        environment: [String: String] = [:]
    ) throws -> Forward {
        let kubeconfig = try chosen ?? cluster.kubeconfig
        // ffwd comes by the first way on its own.
        let kind = clusterOrNil?.kind
        let way = kind.map { $0.way == .webSocket ? [] : ["--transport", $0.way.rawValue] } ?? []
        let arguments =
            [Programs.ffwd, "--kubeconfig", kubeconfig] + way + options + ["pod/demo"]
            + remotePorts.map { ":\($0)" }
        return try Forward(
            start(arguments, environment: environment),
            remotePorts: remotePorts,
            until: deadline
        )
    }

    /// Starts a run of the load client.
    func startLoad(_ command: String, on port: UInt16, _ options: String...) throws -> LoadRun {
        try startLoad(command, on: port, options: options)
    }

    private func startLoad(_ command: String, on port: UInt16, options: [String]) throws -> LoadRun {
        // Its own limit ends it first, with a report of how far it came.
        let seconds = max(1, deadline.remaining.components.seconds - 2)
        var arguments = [
            try Programs.peer("client"), command, "--port", "\(port)", "--timeout", "\(seconds)s",
        ]
        if !options.contains("--seed") { arguments += ["--seed", "\(Self.seed)"] }
        return LoadRun(process: try start(arguments + options), deadline: deadline)
    }

    /// Runs the load client to its end.
    func load(_ command: String, on port: UInt16, _ options: String...) throws -> LoadReport {
        try startLoad(command, on: port, options: options).report()
    }

    /// The seed of all random bytes: `FFWD_SEED`, else a fixed one.
    private static let seed =
        ProcessInfo.processInfo.environment["FFWD_SEED"].flatMap { UInt64($0) } ?? 20_250_101

    /// Waits for what no event tells, by asking again and again.
    func poll(for what: String, _ isThere: () throws -> Bool) throws {
        while try !isThere() {
            if deadline.isOver { throw ScenarioError("time was up while waiting for \(what)") }
            usleep(20_000)
        }
    }

    /// Waits until the process has read bulk, and reads no more of it for so many looks at 20 ms.
    func waitForStandstill(of process: Subprocess, after bytes: Int, looks: Int = 10) throws {
        var last = 0
        var quietRounds = 0
        try poll(for: "a standstill of \(process.name)") {
            let now = try process.bytesRead()
            // A ping's answer is not bulk.
            quietRounds = now >= bytes && now - last < 4096 ? quietRounds + 1 : 0
            last = now
            return quietRounds == looks
        }
    }

    /// Waits until as many watches are open at MiniCluster.
    func waitForWatches(_ count: Int) throws {
        try poll(for: "\(count) watches") {
            try cluster.admin("GET", "/stats").contains("\"watches\":\(count),")
        }
    }

    // MARK: What is not there as a program

    /// Writes a kubeconfig for a server that is no cluster's.
    ///
    /// - Parameters:
    ///   - more: further fields of the cluster, each behind a comma.
    ///   - user: in YAML's flow style.
    func kubeconfig(server url: String, _ more: String = "", user: String = "{}") throws -> String {
        try file(
            "config-\(UUID().uuidString)",
            """
            apiVersion: v1
            kind: Config
            clusters: [{name: c, cluster: {server: "\(url)"\(more)}}]
            users: [{name: u, user: \(user)}]
            contexts: [{name: x, context: {cluster: c, user: u}}]
            current-context: x
            """
        )
    }

    /// A TCP server that treats each connection as `handler` does.
    func stub(_ handler: @escaping @Sendable (ClientSocket) -> Void) throws -> StubServer {
        let stub = try StubServer(until: deadline, handler: handler)
        stubs.append(stub)
        return stub
    }

    /// Writes a file into the scenario's directory.
    ///
    /// - Returns: its path.
    func file(_ name: String, _ text: String) throws -> String {
        let url = directory.appendingPathComponent(name)
        try text.write(to: url, atomically: true, encoding: .utf8)
        return url.path
    }

    /// A client connection of the test's own that an echo has answered already.
    func connectToEcho(_ port: UInt16) throws -> ClientSocket {
        let socket = try connect(to: port)
        try socket.send("before")
        #expect(try socket.receive(6) == Array("before".utf8))
        return socket
    }

    /// A client connection of the test's own.
    func connect(to port: UInt16, at address: String = "127.0.0.1", receiveBufferBytes: Int? = nil) throws
        -> ClientSocket
    {
        try ClientSocket(
            port: port,
            address: address,
            receiveBufferBytes: receiveBufferBytes,
            until: deadline
        )
    }
}

/// A running ffwd whose ports are open.
struct Forward {
    let process: Subprocess
    private let locals: [UInt16: UInt16]

    /// Waits for the lines that say so.
    init(_ process: Subprocess, remotePorts: [UInt16], until deadline: Deadline) throws {
        self.process = process
        var locals: [UInt16: UInt16] = [:]
        _ = try process.output.wait(until: deadline, for: "Forwarding from") { lines in
            locals = [:]
            for line in lines where line.hasPrefix("Forwarding from 127.0.0.1:") {
                let words = line.split(separator: " ")
                guard words.count == 5, let remote = UInt16(words[4]),
                    let local = words[2].split(separator: ":").last.flatMap({ UInt16($0) })
                else { continue }
                locals[remote] = local
            }
            return locals.count == remotePorts.count
        }
        self.locals = locals
    }

    /// The local port that leads to a port of the pod.
    subscript(remote: UInt16) -> UInt16 {
        guard let local = locals[remote] else { preconditionFailure("port \(remote) is not forwarded") }
        return local
    }
}

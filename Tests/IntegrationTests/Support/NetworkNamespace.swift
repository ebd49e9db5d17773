import Foundation
import Testing

/// A network of its own for some processes of a scenario: its loopback, addresses and limits can be changed.
///
/// Where this user may not make one, the test is skipped with the reason.
final class NetworkNamespace {
    private let name: String
    private let ip: String
    private let scenario: Scenario

    private init(_ name: String, ip: String, in scenario: Scenario) {
        self.name = name
        self.ip = ip
        self.scenario = scenario
    }

    /// Makes one.
    static func make(in scenario: Scenario) throws -> NetworkNamespace {
        guard geteuid() == 0 else { try Test.cancel("a network namespace needs root") }
        let ip = try Programs.installed("ip")
        let name = "ffwd-test-\(UUID().uuidString.prefix(8))"
        let process = try scenario.start([ip, "netns", "add", name])
        guard try process.waitForExit(until: scenario.deadline) == .status(0) else {
            try Test.cancel("no network namespace can be made here: \(process.errors.text)")
        }
        let network = NetworkNamespace(name, ip: ip, in: scenario)
        try network.ip("link", "set", "lo", "up")
        return network
    }

    /// Takes the name away; the network itself goes with its last process.
    func end() {
        let process = try? scenario.start([ip, "netns", "delete", name])
        _ = try? process?.waitForExit(until: scenario.deadline)
    }

    /// What starts a program within it.
    func command(_ arguments: [String]) -> [String] { [ip, "netns", "exec", name] + arguments }

    /// Starts a program within it.
    func start(_ arguments: [String]) throws -> Subprocess { try scenario.start(command(arguments)) }

    /// Runs a program within it to its end.
    func run(_ arguments: String...) throws {
        let process = try start(arguments)
        guard try process.waitForExit(until: scenario.deadline) == .status(0) else {
            throw ScenarioError("\(arguments): \(process.errors.text)")
        }
    }

    /// Changes its links, addresses or routes, as ip(8) does.
    func ip(_ arguments: String...) throws {
        let process = try scenario.start([ip, "-n", name] + arguments)
        guard try process.waitForExit(until: scenario.deadline) == .status(0) else {
            throw ScenarioError("ip \(arguments): \(process.errors.text)")
        }
    }

    /// Sets a limit of its kernel, such as `net.core.somaxconn`.
    func set(_ limit: String, to value: String) throws {
        let path = "/proc/sys/" + limit.replacingOccurrences(of: ".", with: "/")
        try run("/bin/sh", "-c", "echo '\(value)' > \(path)")
    }

    /// Starts our own cluster within it.
    ///
    /// - Returns: its process, and its URL.
    func startCluster(_ options: String...) throws -> (process: Subprocess, url: String) {
        let process = try start(
            [Programs.miniCluster, "--dir", scenario.directory.path, "--runtime", "ideal"] + options
        )
        let ready = try process.output.line(beginningWith: "ready ", until: scenario.deadline)
        return (process, String(ready.dropFirst(6)))
    }

    /// Forwards free local ports within it.
    func forward(_ remotePorts: UInt16..., options: [String] = []) throws -> Forward {
        let kubeconfig = scenario.directory.appendingPathComponent("kubeconfig").path
        return try Forward(
            start(
                [Programs.ffwd, "--kubeconfig", kubeconfig] + options + ["pod/demo"]
                    + remotePorts.map { ":\($0)" }
            ),
            remotePorts: remotePorts,
            until: scenario.deadline
        )
    }

    /// Starts a run of the load client within it.
    func startLoad(_ command: String, on port: UInt16, _ options: String...) throws -> LoadRun {
        let seconds = max(1, scenario.deadline.remaining.components.seconds - 2)
        let arguments = [
            try Programs.peer("client"), command, "--port", "\(port)", "--timeout", "\(seconds)s",
        ]
        return LoadRun(process: try start(arguments + options), deadline: scenario.deadline)
    }
}

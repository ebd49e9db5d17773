import Foundation
import Testing

/// How a container runtime ends forwarded connections.
enum Runtime: String, Sendable {
    /// A half-close is passed on, both ways.
    case ideal
    /// FIN on the data stream, then the text; one second for the other direction.
    case containerd = "containerd-1.6"
    /// The text, then resets.
    case streaming = "streaming-1.32"
}

/// The way into the API server that ffwd is told to take.
enum Way: String, Sendable {
    /// SPDY inside a WebSocket.
    case webSocket = "websocket"
    /// SPDY as it is.
    case spdy
    /// A WebSocket for each connection; it knows no half-close.
    case channels
}

/// Which server a scenario runs against, in which dialect it ends connections, and by which way ffwd comes.
struct ClusterKind: Sendable, CustomTestStringConvertible {
    enum Server: String, Sendable, CaseIterable {
        /// Ours: fast, but it shares ffwd's codecs.
        case miniCluster
        /// On the Go libraries that Kubernetes is built on.
        case goPeer
    }

    let server: Server
    let runtime: Runtime
    var way = Way.webSocket
    /// More of the server's options.
    var options: [String] = []

    static func miniCluster(_ runtime: Runtime) -> Self { Self(server: .miniCluster, runtime: runtime) }
    static func goPeer(_ runtime: Runtime) -> Self { Self(server: .goPeer, runtime: runtime) }

    /// Both servers, in each of the dialects.
    static func all(_ runtimes: Runtime...) -> [Self] {
        Server.allCases.flatMap { server in runtimes.map { Self(server: server, runtime: $0) } }
    }

    static let everything = all(.ideal, .containerd, .streaming)

    /// The Go peer by the two other ways, SPDY as it is in each of the dialects.
    ///
    /// WebSocket channels end the same in all of them.
    static func otherWays(_ runtimes: Runtime...) -> [Self] {
        runtimes.map { goPeer($0).by(.spdy) } + [goPeer(.containerd).by(.channels)]
    }

    /// Our own server by the two other ways.
    static let ourOtherWays = [
        miniCluster(.ideal).by(.spdy), miniCluster(.containerd).by(.channels),
    ]

    static let otherWaysOfEverything = otherWays(.ideal, .containerd, .streaming) + ourOtherWays

    /// The same by another way.
    func by(_ way: Way) -> Self { Self(server: server, runtime: runtime, way: way, options: options) }

    /// The same with more options for the server.
    func with(_ options: String...) -> Self {
        Self(server: server, runtime: runtime, way: way, options: self.options + options)
    }

    /// Whether the end of one direction can be told the other side.
    var hasHalfClose: Bool { way != .channels }

    /// A size that by the first way shows speed and memory, and by the others only that they work.
    func scaled(_ size: Int) -> Int { Programs.scaled(way == .webSocket ? size : max(1, size / 8)) }

    var testDescription: String {
        let words = [server.rawValue, runtime.rawValue] + (way == .webSocket ? [] : [way.rawValue])
        return (words + options).joined(separator: ", ")
    }
}

/// A running API server with the pod `demo`, which offers what `Tests/Peers/README.md` says.
final class Cluster {
    let kind: ClusterKind
    let directory: URL
    /// `https://127.0.0.1:PORT`.
    let url: String
    private var adminPort: UInt16 = 0
    private var server: Subprocess
    private let deadline: Deadline

    /// Starts it with the processes that `start` makes.
    init(
        _ kind: ClusterKind,
        in directory: URL,
        until deadline: Deadline,
        start: ([String]) throws -> Subprocess
    ) throws {
        self.kind = kind
        self.directory = directory
        self.deadline = deadline
        switch kind.server {
        case .miniCluster:
            server = try start(Self.miniClusterArguments(kind, directory))
        case .goPeer:
            let address =
                "127.\((1...254).map { _ in Int.random(in: 1...254) }.prefix(3).map(String.init).joined(separator: "."))"
            let pod = try start([try Programs.peer("pod"), "--address", address])
            _ = try pod.output.line(beginningWith: "ready ", until: deadline)
            server = try start(
                [
                    try Programs.peer("apiserver"), "--dir", directory.path, "--runtime",
                    kind.runtime.rawValue, "--pod-address", address,
                ] + kind.options
            )
        }
        url = String(try server.output.line(beginningWith: "ready ", until: deadline).dropFirst(6))
        try readAdminPort()
    }

    private static func miniClusterArguments(_ kind: ClusterKind, _ directory: URL) -> [String] {
        [Programs.miniCluster, "--dir", directory.path, "--runtime", kind.runtime.rawValue, "--admin"]
            + kind.options
    }

    private func readAdminPort() throws {
        let admin = try server.output.line(beginningWith: "admin ", until: deadline)
        adminPort = admin.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
    }

    /// Kills the server, and its pods with it.
    func killServer() throws {
        server.kill()
        _ = try server.waitForExit(until: deadline)
    }

    /// Has the server stand still.
    func pauseServer() { server.send(signal: SIGSTOP) }

    /// Goes on after ``pauseServer()``.
    func resumeServer() { server.send(signal: SIGCONT) }

    /// Starts our own server again on its port: with other certificates and tokens, and a new kubeconfig for them.
    func startServer(_ start: ([String]) throws -> Subprocess) throws {
        let port = url.split(separator: ":").last.map(String.init) ?? ""
        server = try start(Self.miniClusterArguments(kind, directory) + ["--port", port])
        _ = try server.output.line(beginningWith: "ready ", until: deadline)
        try readAdminPort()
    }

    var kubeconfig: String { directory.appendingPathComponent("kubeconfig").path }
    var tokenKubeconfig: String { directory.appendingPathComponent("kubeconfig-token").path }

    /// Ends every tunnel in the middle of a frame, as a load balancer that is restarted does.
    func cutTunnels() throws {
        switch kind.server {
        case .miniCluster: _ = try admin("POST", "/cut?tunnel=all")
        case .goPeer: _ = try admin("POST", "/admin/cut?how=rst")
        }
    }

    /// How many HTTP requests the server has read.
    func requestCount() throws -> Int { try statistic("requests") }

    /// How many upgrades by a way the Go peer was asked for.
    func upgradeCount(_ way: Way) throws -> Int {
        switch way {
        case .webSocket: try statistic("tunnelUpgrades")
        case .spdy: try statistic("spdyUpgrades")
        case .channels: try statistic("channelsUpgrades")
        }
    }

    /// How many connections the Go peer had at once that waited for their first answer.
    func mostOpening() throws -> Int { try statistic("mostOpening") }

    /// How many connections to the pod are open.
    func liveConnectionCount() throws -> Int {
        switch kind.server {
        case .goPeer: try statistic("podConnections")
        // Two streams make a pair, which has one connection.
        case .miniCluster: try statistic("streams") / 2
        }
    }

    private func statistic(_ name: String) throws -> Int {
        let body = try admin("GET", kind.server == .goPeer ? "/admin/stats" : "/stats")
        let counts = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
        guard let value = counts?[name] as? Int else {
            throw ScenarioError("the server's statistics lack \(name): \(body)")
        }
        return value
    }

    /// One request to the server's switches.
    @discardableResult
    func admin(_ method: String, _ path: String) throws -> String {
        let socket = try ClientSocket(port: adminPort, until: deadline)
        try socket.send(
            "\(method) \(path) HTTP/1.1\r\nHost: admin\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        let (bytes, ending) = socket.receiveToEnd()
        let answer = String(decoding: bytes, as: UTF8.self)
        guard ending == .end, answer.hasPrefix("HTTP/1.1 200"), let head = answer.range(of: "\r\n\r\n") else {
            throw ScenarioError("\(method) \(path): \(ending): \(answer)")
        }
        return String(answer[head.upperBound...])
    }
}

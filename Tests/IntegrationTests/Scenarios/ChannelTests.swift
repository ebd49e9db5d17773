import Foundation
import Testing

extension Integration {
    /// WebSocket channels beyond what every way is tested for.
    @Suite struct `Forwarding over WebSocket channels` {
        @Test func `where only base64 is spoken, text messages carry everything`() throws {
            let kind = ClusterKind.goPeer(.containerd).by(.channels).with("--ways", "base64")
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7000, 7001, 7009, 7999)
                let echo = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "32",
                    "--bytes",
                    "300000",
                    "--one-byte",
                    "2"
                )
                #expect(echo.counts == ["complete": 32], "\(echo)")
                let bytes = Programs.scaled(128 << 20)
                let source = try scenario.load("source", on: forward[7001], "--bytes", "\(bytes)")
                #expect(source.counts == ["complete": 1], "\(source)")
                #expect(source.bytesReceived == bytes)
                let compared = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--bytes",
                    "\(bytes / 4)",
                    "--chunk",
                    "262144"
                )
                #expect(compared.counts == ["complete": 1], "\(compared)")
                let greeting = try scenario.load("greeting", on: forward[7009])
                #expect(greeting.counts == ["complete": 1], "\(greeting)")
                let refused = try scenario.load("refused", on: forward[7999], "--connections", "2")
                #expect(refused.counts == ["reset": 2], "\(refused)")
                let line = try forward.process.errors.line(
                    beginningWith: "an error occurred forwarding \(forward[7999]) -> 7999: ",
                    until: scenario.deadline
                )
                #expect(line.contains("failed to connect to localhost:7999"))
            }
        }

        @Test func `a message that is no base64 ends its own connection with a reason`() throws {
            let kind = ClusterKind.goPeer(.containerd).by(.channels).with("--ways", "base64")
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7000)
                let bystander = try scenario.connectToEcho(forward[7000])
                let victim = try scenario.connect(to: forward[7000])
                try victim.send("x")
                #expect(try victim.receive(1) == Array("x".utf8))
                try scenario.cluster.admin("POST", "/admin/spoil")
                try victim.send("y")
                #expect(victim.receiveToEnd().ending == .reset)
                let line = try forward.process.errors.line(
                    beginningWith: "an error occurred forwarding",
                    until: scenario.deadline
                )
                #expect(line.contains("the server sent no base64"), "\(line)")
                try bystander.send("after")
                #expect(try bystander.receive(5) == Array("after".utf8))
            }
        }

        /// A hundred upgrades that the server lets hang, more than are opened at a time.
        @Test func `upgrades that hang hold up nobody else`() throws {
            let kind = ClusterKind.goPeer(.containerd).by(.channels)
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7000)
                try scenario.cluster.admin("POST", "/admin/hold?count=100")
                let hanging = try (0..<100).map { _ in try scenario.connect(to: forward[7000]) }
                // Behind the one that asked whether there are channels at all.
                try scenario.poll(for: "the upgrades to hang") {
                    try scenario.cluster.upgradeCount(.channels) == 1 + 100
                }
                // Well before the hanging ones are given up.
                let others = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "50",
                    "--timeout",
                    "6s"
                )
                #expect(others.counts == ["complete": 50], "\(others)")
                try scenario.cluster.admin("POST", "/admin/thaw")
                for client in hanging { try client.send("x") }
                for client in hanging { #expect(try client.receive(1) == Array("x".utf8)) }
                #expect(forward.process.errors.text.isEmpty)
            }
        }

        /// The new server has other certificates, which only the new kubeconfig trusts.
        ///
        /// Clients come before and after the server is missed, over channels that were forced or found.
        @Test(arguments: [
            ClusterKind.miniCluster(.containerd).by(.channels),
            .miniCluster(.containerd).with("--ways", "channels"),
        ])
        func `clients wait for a server that is restarted`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000)
                try scenario.cluster.killServer()
                var clients = try (0..<20).map { _ in try scenario.connect(to: forward[7000]) }
                _ = try forward.process.errors.line(
                    beginningWith: "lost connection to pod: ",
                    until: scenario.deadline
                )
                clients += try (0..<80).map { _ in try scenario.connect(to: forward[7000]) }
                for client in clients { try client.send("patience") }
                try scenario.cluster.startServer { try scenario.start($0) }
                for client in clients { #expect(try client.receive(8) == Array("patience".utf8)) }
                _ = try forward.process.errors.line(
                    beginningWith: "connection to pod restored",
                    until: scenario.deadline
                )
                #expect(!forward.process.errors.text.contains("an error occurred"))
            }
        }

        @Test(arguments: [Way.webSocket, .channels])
        func `while ffwd itself stands still nobody waits`(way: Way) throws {
            try Scenario.run(ClusterKind.miniCluster(.containerd).by(way), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--hold", "2s"])
                let load = try scenario.startLoad("echo", on: forward[7000], "--connections", "300")
                // Some have been given their own by then, and the others wait for it.
                try scenario.poll(for: "the first clients") {
                    try scenario.cluster.liveConnectionCount() > 0
                }
                forward.process.send(signal: SIGSTOP)
                let late = try scenario.connect(to: forward[7000])
                try late.send("x")
                #expect(!late.hears(within: 4_000))
                forward.process.send(signal: SIGCONT)
                #expect(try late.receive(1) == Array("x".utf8))
                let report = try load.report()
                #expect(report.counts == ["complete": 300], "\(report)")
            }
        }

        @Test(arguments: ["500", "garbage", "401"])
        func `clients wait for a server that answers badly, and do not all ask it`(answer: String) throws {
            let kind = ClusterKind.miniCluster(.containerd).by(.channels)
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000)
                let early = try scenario.connectToEcho(forward[7000])
                try scenario.cluster.admin("POST", "/answer?status=\(answer)")
                let first = try scenario.connect(to: forward[7000])
                // The early one goes on, so that not everything is lost.
                let line = "could not open another connection to pod: "
                _ = try forward.process.errors.line(beginningWith: line, until: scenario.deadline)
                let count = try scenario.cluster.requestCount()
                let others = try (0..<100).map { _ in try scenario.connect(to: forward[7000]) }
                _ = try forward.process.errors.line(
                    number: 3,
                    beginningWith: line,
                    until: scenario.deadline
                )
                // The probes, and lists of pods.
                #expect(try scenario.cluster.requestCount() - count < 50)
                try scenario.cluster.admin("POST", "/answer?status=normal")
                for client in [first] + others { try client.send("patience") }
                for client in [first] + others {
                    #expect(try client.receive(8) == Array("patience".utf8))
                }
                try early.send("behind")
                #expect(try early.receive(6) == Array("behind".utf8))
                #expect(!forward.process.errors.text.contains("an error occurred"))
            }
        }

        @Test func `a new token in the kubeconfig is shown to a server that refuses the old one`() throws {
            let kind = ClusterKind.miniCluster(.containerd).by(.channels)
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                func config() throws -> String {
                    try String(contentsOfFile: scenario.cluster.tokenKubeconfig, encoding: .utf8)
                }
                let kubeconfig = try scenario.file("kubeconfig-rotated", config())
                let forward = try scenario.forward(7000, kubeconfig: kubeconfig)
                try scenario.cluster.admin("POST", "/rotate")
                let client = try scenario.connect(to: forward[7000])
                let line = try forward.process.errors.line(
                    beginningWith: "lost connection to pod: ",
                    until: scenario.deadline
                )
                #expect(line.contains("Unauthorized"))
                _ = try scenario.file("kubeconfig-rotated", config())
                try client.send("patience")
                #expect(try client.receive(8) == Array("patience".utf8))
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "4")
                #expect(echo.counts == ["complete": 4], "\(echo)")
                #expect(!forward.process.errors.text.contains("an error occurred"))
            }
        }

        @Test func `clients wait for a server no longer than --hold, which is told once for each`() throws {
            let kind = ClusterKind.miniCluster(.containerd).by(.channels)
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--hold", "1s"])
                try scenario.cluster.killServer()
                let clients = try (0..<3).map { _ in try scenario.connect(to: forward[7000]) }
                for client in clients { #expect(client.receiveToEnd().ending == .reset) }
                _ = try forward.process.errors.line(
                    number: 3,
                    beginningWith: "an error occurred forwarding \(forward[7000]) -> 7000: ",
                    until: scenario.deadline
                )
                forward.process.send(signal: SIGUSR1)
                _ = try forward.process.errors.line(
                    beginningWith: "summary: 3 connections accepted, 0 open, 3 failed (3 no tunnel)",
                    until: scenario.deadline
                )
            }
        }

        @Test func `an upgrade that hangs is sent once more within --hold`() throws {
            let kind = ClusterKind.miniCluster(.containerd).by(.channels)
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--hold", "10s"])
                let before = try scenario.cluster.requestCount()
                try scenario.cluster.admin("POST", "/answer?status=hang")
                let client = try scenario.connect(to: forward[7000])
                try scenario.poll(for: "the upgrade to hang") {
                    try scenario.cluster.requestCount() > before
                }
                try scenario.cluster.admin("POST", "/answer?status=normal")
                try client.send("patience")
                #expect(try client.receive(8) == Array("patience".utf8))
            }
        }

        /// Whether somebody is there who loses the connection, or it is the next client who cannot have one.
        @Test(arguments: [true, false])
        func `--no-reconnect ends with the server`(isCarrying: Bool) throws {
            let kind = ClusterKind.miniCluster(.containerd).by(.channels)
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--no-reconnect"])
                let client = try scenario.connectToEcho(forward[7000])
                if !isCarrying {
                    client.shutdownWriting()
                    client.close()
                    try scenario.poll(for: "the client's end") {
                        try scenario.cluster.liveConnectionCount() == 0
                    }
                }
                try scenario.cluster.killServer()
                let last = isCarrying ? client : try scenario.connect(to: forward[7000])
                #expect(last.receiveToEnd().ending == .reset)
                #expect(try forward.process.waitForExit(until: scenario.deadline) == .status(1))
                #expect(forward.process.errors.text.hasSuffix("error: lost connection to pod\n"))
            }
        }

        @Test(arguments: [ProxyKind.http, .https, .socks])
        func `hundreds of WebSockets pass a proxy, each on a connection of its own`(proxyKind: ProxyKind)
            throws
        {
            let kind = ClusterKind.goPeer(.containerd).by(.channels)
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let proxy = try Proxy(proxyKind, in: scenario, rules: "MaxClients 1000")
                let kubeconfig = try scenario.cluster.kubeconfig(
                    proxy: proxy.url(),
                    trusting: proxy.authorityPEM
                )
                let forward = try scenario.forward(7000, kubeconfig: kubeconfig)
                let report = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "300",
                    "--bytes",
                    "20000"
                )
                #expect(report.counts == ["complete": 300], "\(report)")
                #expect(try scenario.cluster.mostOpening() <= 200)
                #expect(forward.process.errors.text.isEmpty)
            }
        }
    }
}

import Foundation
import Testing

extension Integration {
    @Suite struct `Losing the server` {
        /// The server goes away in the middle of a frame, with connections on every tunnel.
        @Test(arguments: ClusterKind.everything + ClusterKind.otherWays(.containerd))
        func `clients see a reset, and ffwd goes on`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, 7001)
                // Some idle, then one in the middle of a download that it has ceased to read.
                var sockets: [ClientSocket] = []
                for _ in 0..<12 {
                    let socket = try scenario.connect(to: forward[7000])
                    try socket.send("x")
                    _ = try socket.receive(1)
                    sockets.append(socket)
                }
                let download = try scenario.connect(to: forward[7001])
                try download.send([0, 0, 0, 16, 0, 0, 0, 0])
                _ = try download.receive(100_000)
                sockets.append(download)
                try scenario.cluster.cutTunnels()
                for socket in sockets {
                    #expect(socket.receiveToEnd().ending == .reset)
                }
                // Where each connection has a WebSocket of its own, each tells of its loss.
                _ = try forward.process.errors.line(
                    beginningWith: kind.way == .channels
                        ? "an error occurred forwarding" : "lost connection to pod: ",
                    until: scenario.deadline
                )
                // A client that comes now waits for the new tunnel, if there is none yet.
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "4")
                #expect(echo.counts == ["complete": 4], "\(echo)")
                // A tunnel that was being opened meanwhile may have kept it from being without any.
                if forward.process.errors.text.contains("(reconnecting)") {
                    _ = try forward.process.errors.line(
                        beginningWith: "connection to pod restored",
                        until: scenario.deadline
                    )
                }
                #expect(forward.process.isRunning)
            }
        }

        /// More than wait for a tunnel at a time: the others wait to be accepted.
        @Test func `a server that is away while thousands of clients come loses none`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7002)
                let count = 6000
                try scenario.cluster.killServer()
                let load = try scenario.load(
                    "send-and-go",
                    on: forward[7002],
                    "--connections",
                    "\(count)",
                    "--bytes",
                    "100"
                )
                #expect(load.counts == ["complete": count], "\(load)")
                try scenario.cluster.startServer { try scenario.start($0) }
                try scenario.poll(for: "\(count * 100) bytes in the pod") {
                    try scenario.cluster.admin("GET", "/stats").contains("\"bytesToPods\":\(count * 100),")
                }
                #expect(!forward.process.errors.text.contains("an error occurred"))
            }
        }

        @Test(arguments: ClusterKind.all(.ideal) + ClusterKind.otherWays(.containerd))
        func `it can be lost again and again`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000)
                for round in 1...4 {
                    let client = try scenario.connect(to: forward[7000])
                    try client.send("round \(round)")
                    #expect(try client.receive(7) == Array("round \(round)".utf8))
                    try scenario.cluster.cutTunnels()
                    #expect(client.receiveToEnd().ending == .reset)
                }
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "4")
                #expect(echo.counts == ["complete": 4], "\(echo)")
            }
        }

        /// What gathers of uploads is written while a client is asked where its next bytes go: a write that fails then must
        /// not end the tunnel, and with it this client, at once.
        @Test(arguments: [ClusterKind.goPeer(.ideal), .goPeer(.containerd).by(.channels)])
        func `it can be lost in the middle of uploads`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7003, 7000)
                for _ in 1...20 {
                    let before = try forward.process.bytesRead()
                    let load = try scenario.startLoad(
                        "counted-sink",
                        on: forward[7003],
                        "--connections",
                        "8",
                        "--bytes",
                        "\(64 << 20)",
                        "--chunk",
                        "262144"
                    )
                    try scenario.poll(for: "uploads") {
                        try forward.process.bytesRead() - before > 4 << 20
                    }
                    try scenario.cluster.cutTunnels()
                    let report = try load.report()
                    // One that had not begun moves to the next tunnel, and comes to its end there.
                    let counts = report.counts
                    #expect(
                        counts["reset", default: 0] + counts["complete", default: 0] == 8,
                        "\(report)"
                    )
                    #expect(forward.process.isRunning)
                }
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "4")
                #expect(echo.counts == ["complete": 4], "\(echo)")
            }
        }

        @Test(arguments: [ClusterKind.goPeer(.containerd), .goPeer(.containerd).by(.channels)])
        func `a network that is gone without a word is noticed`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7000)
                let client = try scenario.connectToEcho(forward[7000])
                try scenario.cluster.admin("POST", "/admin/blackhole")
                try client.send("lost")
                #expect(client.receiveToEnd().ending == .reset)
                _ = try forward.process.errors.line(
                    containing: "has acknowledged nothing for 15 s",
                    until: scenario.deadline
                )
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "4")
                #expect(echo.counts == ["complete": 4], "\(echo)")
            }
        }

        @Test(arguments: [ClusterKind.miniCluster(.ideal), .goPeer(.containerd)])
        func `who has not spoken yet moves to the next tunnel unseen`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000)
                let sockets = try (0..<6).map { _ in try scenario.connect(to: forward[7000]) }
                for number in 1...6 {
                    _ = try forward.process.output.line(
                        number: number,
                        beginningWith: "Handling connection",
                        until: scenario.deadline
                    )
                }
                try scenario.cluster.cutTunnels()
                _ = try forward.process.errors.line(
                    beginningWith: "lost connection to pod: ",
                    until: scenario.deadline
                )
                for socket in sockets {
                    try socket.send("still here")
                    #expect(try socket.receive(10) == Array("still here".utf8))
                }
                #expect(!forward.process.errors.text.contains("an error occurred"))
            }
        }

        @Test(arguments: [ClusterKind.miniCluster(.ideal), .miniCluster(.ideal).by(.spdy)])
        func `a server that takes no more connections ends those that it has`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--tunnels", "1"])
                let early = try (0..<3).map { _ in try scenario.connect(to: forward[7000]) }
                for client in early {
                    try client.send("before")
                    #expect(try client.receive(6) == Array("before".utf8))
                }
                try scenario.cluster.admin("POST", "/goaway")
                // The new one carries who comes now, the old one who was there.
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "20")
                #expect(echo.counts == ["complete": 20], "\(echo)")
                for client in early {
                    try client.send("behind")
                    #expect(try client.receive(6) == Array("behind".utf8))
                    client.shutdownWriting()
                    #expect(client.receiveToEnd().ending == .end)
                }
                try scenario.poll(for: "the end of the old tunnel") {
                    try scenario.cluster.admin("GET", "/stats").contains("\"tunnels\":1,")
                }
                #expect(forward.process.errors.text.isEmpty, "\(forward.process.errors.text)")
            }
        }

        @Test func `a tunnel that carries nobody is closed when it takes no more connections`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--tunnels", "1", "-v", "4"])
                try scenario.cluster.admin("POST", "/goaway")
                _ = try forward.process.errors.line(
                    containing: "tunnel closed, as it took no more connections",
                    until: scenario.deadline
                )
                _ = try forward.process.errors.line(
                    number: 2,
                    containing: "tunnel opened",
                    until: scenario.deadline
                )
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "4")
                #expect(echo.counts == ["complete": 4], "\(echo)")
            }
        }

        @Test func `a second tunnel that cannot be opened is no loss`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000)
                let first = try scenario.connect(to: forward[7000])
                try first.send("first")
                #expect(try first.receive(5) == Array("first".utf8))
                try scenario.cluster.admin("POST", "/answer?status=500")
                let second = try scenario.connect(to: forward[7000])
                try second.send("second")
                #expect(try second.receive(6) == Array("second".utf8))
                _ = try forward.process.errors.line(
                    beginningWith: "could not open another connection to pod: ",
                    until: scenario.deadline
                )
                #expect(!forward.process.errors.text.contains("lost connection"))
            }
        }

        @Test func `--no-reconnect ends as kubectl does`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--no-reconnect"])
                let client = try scenario.connectToEcho(forward[7000])
                try scenario.cluster.cutTunnels()
                #expect(client.receiveToEnd().ending == .reset)
                #expect(try forward.process.waitForExit(until: scenario.deadline) == .status(1))
                #expect(forward.process.errors.text.hasSuffix("error: lost connection to pod\n"))
            }
        }

        @Test func `clients wait for a tunnel no longer than --hold`() throws {
            try Scenario.run(.goPeer(.containerd), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--hold", "2s"])
                try scenario.cluster.admin("POST", "/admin/freeze?what=api")
                try scenario.cluster.cutTunnels()
                _ = try forward.process.errors.line(
                    beginningWith: "lost connection to pod: ",
                    until: scenario.deadline
                )
                let client = try scenario.connect(to: forward[7000])
                #expect(client.receiveToEnd().ending == .reset)
                try scenario.cluster.admin("POST", "/admin/thaw")
                let echo = try scenario.load("echo", on: forward[7000])
                #expect(echo.counts == ["complete": 1], "\(echo)")
            }
        }

        /// Nothing is read of those who wait, so that no event tells of their going.
        @Test func `who waits for a tunnel and has gone gives its place back`() throws {
            try Scenario.run(.goPeer(.containerd), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(
                    7000,
                    options: ["--max-connections", "4", "--hold", "60s"]
                )
                try scenario.cluster.admin("POST", "/admin/freeze?what=api")
                try scenario.cluster.cutTunnels()
                _ = try forward.process.errors.line(
                    beginningWith: "lost connection to pod: ",
                    until: scenario.deadline
                )
                for _ in 0..<8 { try scenario.connect(to: forward[7000]).close() }
                try scenario.poll(for: "all to be let go") {
                    forward.process.send(signal: SIGUSR1)
                    return forward.process.errors.text.contains(
                        "summary: 8 connections accepted, 0 open, 0 failed"
                    )
                }
                let client = try scenario.connect(to: forward[7000])
                try client.send("patience")
                try scenario.cluster.admin("POST", "/admin/thaw")
                #expect(try client.receive(8) == Array("patience".utf8))
            }
        }
    }
}

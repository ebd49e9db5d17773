import Testing

extension Integration {
    /// The client may only see a clean end where the server said that all is well; in every dialect.
    @Suite struct `Ending connections` {
        @Test(arguments: ClusterKind.everything + ClusterKind.otherWaysOfEverything)
        func `a reset by the pod is a reset for the client, never an end`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7005, 7000)
                let report = try scenario.load("pod-reset", on: forward[7005], "--connections", "8")
                #expect(report.counts == ["reset": 8], "\(report)")
                let line = try forward.process.errors.line(
                    beginningWith: "an error occurred forwarding \(forward[7005]) -> 7005: ",
                    until: scenario.deadline
                )
                #expect(line.contains("connection reset by peer"))
                let echo = try scenario.load("echo", on: forward[7000])
                #expect(echo.counts == ["complete": 1], "\(echo)")
            }
        }

        @Test(arguments: ClusterKind.everything + ClusterKind.otherWaysOfEverything)
        func `a port where nobody listens is a reset, with the server's reason`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7999, 7000)
                // A connection that nothing of this may touch.
                let bystander = try scenario.connect(to: forward[7000])
                try bystander.send("still ")
                #expect(try bystander.receive(6) == Array("still ".utf8))
                let report = try scenario.load(
                    "refused",
                    on: forward[7999],
                    "--connections",
                    "4",
                    "--bytes",
                    "0"
                )
                #expect(report.counts == ["reset": 4], "\(report)")
                let line = try forward.process.errors.line(
                    beginningWith: "an error occurred forwarding \(forward[7999]) -> 7999: ",
                    until: scenario.deadline
                )
                #expect(line.contains("refused"))
                try bystander.send("here")
                #expect(try bystander.receive(4) == Array("here".utf8))
            }
        }

        /// Servers before Kubernetes 1.32 leave the bytes of a refused connection in one of their workers' way for
        /// good (moby/spdystream); whoever comes next must not end up behind them.
        @Test(arguments: ClusterKind.everything + ClusterKind.otherWaysOfEverything)
        func `ports refused again and again, with bytes under way, wear nothing out`(kind: ClusterKind) throws
        {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7999, 7000)
                for round in 1...12 {
                    let refused = try scenario.load(
                        "refused",
                        on: forward[7999],
                        "--connections",
                        "2",
                        "--bytes",
                        "1000",
                        "--timeout",
                        "20s"
                    )
                    #expect(refused.counts == ["reset": 2], "round \(round): \(refused)")
                    let echo = try scenario.load(
                        "echo",
                        on: forward[7000],
                        "--connections",
                        "2",
                        "--timeout",
                        "20s"
                    )
                    #expect(echo.counts == ["complete": 2], "round \(round): \(echo)")
                }
            }
        }

        @Test(
            arguments: ClusterKind.all(.ideal, .containerd) + ClusterKind.otherWays(.containerd),
            ["rst", "fin"]
        )
        func `a client that goes away in the middle leaves nothing behind`(kind: ClusterKind, how: String)
            throws
        {
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7001, 7000)
                let before = try forward.process.openDescriptors()
                let report = try scenario.load(
                    "abandon",
                    on: forward[7001],
                    "--connections",
                    "8",
                    "--bytes",
                    "\(4 << 20)",
                    "--how",
                    how
                )
                #expect(report.counts == ["complete": 8], "\(report)")
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "8")
                #expect(echo.counts == ["complete": 8], "\(echo)")
                // Tunnels stay, at most eight of them; the clients' descriptors do not.
                try scenario.poll(for: "the clients' descriptors to be closed") {
                    try forward.process.openDescriptors() <= before + 7
                }
                try scenario.poll(for: "the pod's connections to be closed") {
                    try scenario.cluster.liveConnectionCount() == 0
                }
            }
        }

        @Test(arguments: ClusterKind.everything + ClusterKind.otherWays(.containerd))
        func `an answer that is awaited comes, and ends cleanly`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7008, 7001, 8080)
                let waiting = try scenario.startLoad(
                    "wait",
                    on: forward[7008],
                    "--connections",
                    "4",
                    "--ms",
                    "1500"
                )
                let downloading = try scenario.startLoad(
                    "source",
                    on: forward[7001],
                    "--connections",
                    "16",
                    "--bytes",
                    "1000000"
                )
                let page = try scenario.load("http", on: forward[8080])
                #expect(page.counts == ["complete": 1], "\(page)")
                let source = try downloading.report()
                #expect(source.counts == ["complete": 16], "\(source)")
                let late = try waiting.report()
                #expect(late.counts == ["complete": 4], "\(late)")
                #expect(page.details?.status == 200)
                #expect(forward.process.errors.text.isEmpty)
            }
        }
    }

    /// One direction ends, the other goes on: where the runtime can do it.
    @Suite struct `Half-closing` {
        @Test(arguments: ClusterKind.all(.ideal) + [.goPeer(.ideal).by(.spdy)])
        func `a client ends its direction and reads its answer`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7002, 7004, 7008)
                let echo = try scenario.load(
                    "half-close",
                    on: forward[7004],
                    "--connections",
                    "8",
                    "--bytes",
                    "3000000"
                )
                #expect(echo.counts == ["complete": 8], "\(echo)")
                let sink = try scenario.load(
                    "sink",
                    on: forward[7002],
                    "--connections",
                    "8",
                    "--bytes",
                    "3000000"
                )
                #expect(sink.counts == ["complete": 8], "\(sink)")
                let late = try scenario.load("wait", on: forward[7008], "--ms", "2500", "--half-close")
                #expect(late.counts == ["complete": 1], "\(late)")
            }
        }

        @Test(arguments: ClusterKind.all(.ideal) + [.goPeer(.ideal).by(.spdy)])
        func `a pod ends its direction and goes on reading`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7006)
                let report = try scenario.load(
                    "pod-half-close",
                    on: forward[7006],
                    "--connections",
                    "4",
                    "--bytes",
                    "1000000",
                    "--over",
                    "1500ms"
                )
                #expect(report.counts == ["complete": 4], "\(report)")
                #expect(report.bytesSent == 4_000_000)
                #expect(forward.process.errors.text.isEmpty)
            }
        }

        /// WebSocket channels cannot say that one direction is over: the pod learns of the client's end with the last of it.
        @Test(arguments: [ClusterKind.goPeer(.containerd).by(.channels)])
        func `without half-close an answer still comes, and the pod learns of the client's close`(
            kind: ClusterKind
        ) throws {
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7004, 7008)
                let late = try scenario.load("wait", on: forward[7008], "--ms", "1500", "--half-close")
                #expect(late.counts == ["complete": 1], "\(late)")
                // This port of the pod answers at the client's end, which it does not hear of while the client is there.
                let waiting = try scenario.load(
                    "half-close",
                    on: forward[7004],
                    "--bytes",
                    "1000",
                    "--timeout",
                    "1500ms"
                )
                #expect(waiting.counts == ["timeout": 1], "\(waiting)")
                try scenario.poll(for: "the pod's connections to be closed") {
                    try scenario.cluster.liveConnectionCount() == 0
                }
                #expect(forward.process.errors.text.isEmpty)
            }
        }

        @Test(arguments: [ClusterKind.goPeer(.containerd).by(.channels)])
        func `without half-close the end of a pod is the end of the connection`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7006)
                let socket = try scenario.connect(to: forward[7006])
                let (bytes, ending) = socket.receiveToEnd()
                #expect(bytes.isEmpty && ending == .end)
                try scenario.poll(for: "the pod's connection to be closed") {
                    try scenario.cluster.liveConnectionCount() == 0
                }
            }
        }
    }
}

import Foundation
import Testing

extension Integration {
    /// Where something is used up.
    @Suite struct `Coming to a limit` {
        /// As many clients as a process of few descriptors can have, and twice as many that wait.
        @Test(arguments: [ClusterKind.miniCluster(.ideal), .goPeer(.containerd)])
        func `clients beyond the limit of descriptors wait, and nobody is closed`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let arguments = [
                    "prlimit", "--nofile=256:256", Programs.ffwd, "--kubeconfig",
                    try scenario.cluster.kubeconfig,
                    "pod/demo", ":7000",
                ]
                let prlimit = try Programs.installed("prlimit")
                let process = try scenario.start([prlimit] + arguments.dropFirst())
                let forward = try Forward(process, remotePorts: [7000], until: scenario.deadline)
                let load = try scenario.load(
                    "sequential",
                    on: forward[7000],
                    "--connections",
                    "2000",
                    "--parallel",
                    "400"
                )
                #expect(load.counts == ["complete": 2000], "\(load)")
                let line = try process.errors.line(
                    containing: "others wait until one ends",
                    until: scenario.deadline
                )
                #expect(line.contains("limit of 256 descriptors"))
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "20")
                #expect(echo.counts == ["complete": 20], "\(echo)")
            }
        }

        /// Tunnels come with the clients, and take what was free when the first ones came.
        @Test(arguments: [
            (limit: 40, pods: 1, options: ["pod/demo"]),
            (limit: 64, pods: 20, options: ["--balance", "round-robin", "deploy/demo"]),
        ])
        func `tunnels leave room for clients, and nobody is closed`(
            limit: Int,
            pods: Int,
            options: [String]
        ) throws {
            let names = (0..<pods).map { $0 == 0 ? "demo" : "demo\($0)" }
            let cluster = names.reduce(ClusterKind.miniCluster(.ideal)) { $0.with("--pod", $1) }
            try Scenario.run(cluster, within: .seconds(60)) { scenario in
                let process = try scenario.start(
                    [
                        try Programs.installed("prlimit"), "--nofile=\(limit):\(limit)", Programs.ffwd,
                        "--kubeconfig", try scenario.cluster.kubeconfig,
                    ] + options + [":7000"]
                )
                let forward = try Forward(process, remotePorts: [7000], until: scenario.deadline)
                for _ in 1..<pods {
                    _ = try process.errors.line(containing: "forwarding to pod/", until: scenario.deadline)
                }
                // All are there before the first one ends.
                let clients = try (0..<120).map { _ in try scenario.connect(to: forward[7000]) }
                let line = try process.errors.line(
                    containing: "others wait until one ends",
                    until: scenario.deadline
                )
                #expect(line.contains("limit of \(limit) descriptors"))
                for client in clients {
                    try client.send("hello")
                    #expect(try client.receive(5) == Array("hello".utf8))
                    client.close()
                }
                #expect(!process.errors.text.contains("too many open files"), "\(process.errors.text)")
            }
        }

        /// A pipe that stays full: whoever started it has ceased to read, or its terminal is stopped.
        ///
        /// A terminal says that it has room while there is any, and blocks for what does not fit.
        @Test(arguments: [false, true])
        func `output that nobody reads stops neither connections nor signals`(onTerminal: Bool) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let drawn = try scenario.stub { _ in }
                let port = drawn.port
                drawn.close()
                let script = #"mkfifo "$0" && exec 3<>"$0" && exec "$@" >"$0" 2>&1"#
                let pipe = scenario.directory.appendingPathComponent("pipe").path
                var command = [
                    Programs.ffwd, "--kubeconfig", try scenario.cluster.kubeconfig, "-v", "6", "pod/demo",
                    "\(port):7000",
                ]
                if onTerminal {
                    // script(1) copies its terminal to the pipe, and ceases to when that is full.
                    let words = command.map { "'\($0)'" }.joined(separator: " ")
                    command = [try Programs.installed("script"), "-qec", "exec \(words)", "/dev/null"]
                }
                let process = try scenario.start(["/bin/sh", "-c", script, pipe] + command)
                try scenario.poll(for: "the port") {
                    let client = try? scenario.connect(to: port)
                    defer { client?.close() }
                    return (try? client?.send("x")) != nil && (try? client?.receive(1)) != nil
                }
                // Each has two lines of some hundred bytes; the pipe holds 64 KiB.
                let load = try scenario.load("sequential", on: port, "--connections", "1500")
                #expect(load.counts == ["complete": 1500], "\(load)")
                // A signal would end script(1).
                guard !onTerminal else { return }
                process.send(signal: 2)
                #expect(try process.waitForExit(until: scenario.deadline) == .status(0))
            }
        }

        @Test func `a process without a descriptor for a client says so`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let process = try scenario.start(
                    [
                        try Programs.installed("prlimit"), "--nofile=13:13", Programs.ffwd, "--kubeconfig",
                        try scenario.cluster.kubeconfig, "pod/demo", ":7000",
                    ],
                    // Without descriptors a sanitizer cannot name the functions by which it knows foreign leaks.
                    environment: ["LSAN_OPTIONS": "detect_leaks=0"]
                )
                #expect(try process.waitForExit(until: scenario.deadline) == .status(1))
                #expect(process.errors.text.contains("ulimit -n"), "\(process.errors.text)")
                let words = try #require(
                    process.errors.text.firstMatch(of: /may have 13 descriptors, and needs (\d+) to forward/)
                )
                #expect(try #require(Int(words.1)) > 13)
                #expect(process.output.text.isEmpty)
            }
        }

        @Test func `--max-connections lets others wait, and says so once`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--max-connections", "3"])
                let load = try scenario.load(
                    "sequential",
                    on: forward[7000],
                    "--connections",
                    "60",
                    "--parallel",
                    "20"
                )
                #expect(load.counts == ["complete": 60], "\(load)")
                let text = forward.process.errors.text
                #expect(
                    text.contains("3 connections are open, as many as --max-connections allows"),
                    "\(text)"
                )
            }
        }

        @Test func `clients of all ports have their turn`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7000, 7009, options: ["--max-connections", "1"])
                let clients = try [7000, 7000, 7009].map { try scenario.connect(to: forward[$0]) }
                for client in clients.dropLast() { try client.send("hello") }
                #expect(try clients[0].receive(5) == Array("hello".utf8))
                clients[0].close()
                #expect(try clients[2].receive(1).count == 1)
            }
        }
    }

    @Suite struct `Being told to end` {
        private static let interrupt: Int32 = 2
        private static let report: Int32 = 10

        @Test func `with --drain live connections go on and others are refused`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--drain", "20s", "--summary"])
                let client = try scenario.connectToEcho(forward[7000])
                forward.process.send(signal: Self.interrupt)
                _ = try forward.process.errors.line(
                    beginningWith: "waiting up to 20 s",
                    until: scenario.deadline
                )
                #expect(throws: ScenarioError.self) { try scenario.connect(to: forward[7000]).receive(1) }
                try client.send("after")
                #expect(try client.receive(5) == Array("after".utf8))
                client.close()
                #expect(try forward.process.waitForExit(until: scenario.deadline) == .status(0))
                let text = forward.process.errors.text
                #expect(text.contains("summary: 1 connection accepted, 0 open, 0 failed"), "\(text)")
                #expect(
                    text.contains("summary: pod/demo: 1 connection, 11 bytes to it, 11 from it"),
                    "\(text)"
                )
            }
        }

        /// They came before the signal, so they are served.
        @Test func `with --drain who stands in the kernel's queue is accepted first`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--drain", "20s"])
                let live = try scenario.connectToEcho(forward[7000])
                forward.process.send(signal: SIGSTOP)
                let clients = try (0..<300).map { _ in try scenario.connect(to: forward[7000]) }
                forward.process.send(signal: Self.interrupt)
                forward.process.send(signal: SIGCONT)
                for client in clients {
                    try client.send("hello")
                    #expect(try client.receive(5) == Array("hello".utf8))
                    client.close()
                }
                live.close()
                #expect(try forward.process.waitForExit(until: scenario.deadline) == .status(0))
            }
        }

        @Test func `with --drain who waits for room is counted`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let options = ["--drain", "20s", "--max-connections", "2", "--summary"]
                let forward = try scenario.forward(7000, options: options)
                let clients = try (0..<2).map { _ in try scenario.connectToEcho(forward[7000]) }
                let others = try (0..<3).map { _ in try scenario.connect(to: forward[7000]) }
                _ = try forward.process.errors.line(
                    containing: "others wait until one ends",
                    until: scenario.deadline
                )
                forward.process.send(signal: Self.interrupt)
                for other in others { #expect(other.receiveToEnd().ending == .reset) }
                for client in clients { client.close() }
                #expect(try forward.process.waitForExit(until: scenario.deadline) == .status(0))
                let text = forward.process.errors.text
                #expect(text.contains("3 clients had connected and waited to be accepted"), "\(text)")
                #expect(text.contains("2 connections accepted, 0 open, 3 failed (3 not accepted)"), "\(text)")
            }
        }

        @Test func `when the time of --drain is over the others are reset and counted`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--drain", "1s"])
                let clients = try (0..<2).map { _ in try scenario.connectToEcho(forward[7000]) }
                forward.process.send(signal: Self.interrupt)
                for client in clients { #expect(client.receiveToEnd().ending == .reset) }
                #expect(try forward.process.waitForExit(until: scenario.deadline) == .status(0))
                let text = forward.process.errors.text
                #expect(text.contains("the time of --drain is over: 2 open connections reset"), "\(text)")
            }
        }

        @Test func `the second signal ends what drains`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, options: ["--drain", "60s"])
                let client = try scenario.connectToEcho(forward[7000])
                forward.process.send(signal: Self.interrupt)
                _ = try forward.process.errors.line(
                    beginningWith: "waiting up to 60 s",
                    until: scenario.deadline
                )
                forward.process.send(signal: Self.interrupt)
                #expect(client.receiveToEnd().ending == .reset)
                #expect(try forward.process.waitForExit(until: scenario.deadline) == .status(0))
            }
        }

        @Test(arguments: [ClusterKind.miniCluster(.ideal), .miniCluster(.ideal).by(.channels)])
        func `SIGUSR1 tells what was done`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7000, 7999)
                let echo = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "4",
                    "--bytes",
                    "1000"
                )
                #expect(echo.counts == ["complete": 4], "\(echo)")
                _ = try scenario.load("refused", on: forward[7999])
                forward.process.send(signal: Self.report)
                let all = try forward.process.errors.line(
                    beginningWith:
                        "summary: 5 connections accepted, 0 open, 1 failed (1 reported by the server)",
                    until: scenario.deadline
                )
                #expect(all.hasSuffix("1 failed (1 reported by the server)"), "\(all)")
                let pod = try forward.process.errors.line(
                    beginningWith: "summary: pod/demo",
                    until: scenario.deadline
                )
                #expect(pod.contains(": 5 connections, "), "\(pod)")
                #expect(pod.contains(", 4000 from it"), "\(pod)")
            }
        }
    }
}

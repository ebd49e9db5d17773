import Foundation
import Testing

extension Integration {
    @Suite struct `Being used like kubectl` {
        /// A port that was free a moment ago.
        private func freePort() throws -> UInt16 {
            let stub = try StubServer(until: Deadline(in: .seconds(1))) { $0.close() }
            defer { stub.close() }
            return stub.port
        }

        @Test(arguments: ClusterKind.all(.ideal))
        func `its lines come in kubectl's order, and a connection made then is carried`(kind: ClusterKind)
            throws
        {
            try Scenario.run(kind, within: .seconds(20)) { scenario in
                let ports = [try freePort(), try freePort()]
                let process = try scenario.start([
                    Programs.ffwd, "--kubeconfig", scenario.cluster.kubeconfig, "demo",
                    "\(ports[0]):7009", "\(ports[1]):7000",
                ])
                var expected: [String] = []
                for (port, remote) in zip(ports, [7009, 7000]) {
                    expected.append("Forwarding from 127.0.0.1:\(port) -> \(remote)")
                    if SocketName.hasIPv6 { expected.append("Forwarding from [::1]:\(port) -> \(remote)") }
                }
                // The first line is enough to begin.
                try process.output.wait(until: scenario.deadline, for: expected[0]) { !$0.isEmpty }
                let socket = try scenario.connect(to: ports[0])
                #expect(try socket.receive(16) == Array("hello from demo\n".utf8))
                let lines = try process.output.wait(until: scenario.deadline, for: "Handling connection") {
                    $0.count > expected.count
                }
                #expect(lines == expected + ["Handling connection for \(ports[0])"])
                #expect(process.errors.text.isEmpty)
            }
        }

        @Test func `the same local port on both addresses is drawn for a port that begins with a colon`()
            throws
        {
            try Scenario.run(.goPeer(.ideal), within: .seconds(20)) { scenario in
                let forward = try scenario.forward(7000, 7009)
                #expect(forward[7000] != 0 && forward[7009] != 0 && forward[7000] != forward[7009])
                guard SocketName.hasIPv6 else { return }
                let lines = try forward.process.output.wait(until: scenario.deadline, for: "four lines") {
                    $0.count == 4
                }
                #expect(lines[1] == "Forwarding from [::1]:\(forward[7000]) -> 7000")
                for address in ["127.0.0.1", "::1"] {
                    let report = try scenario.load("echo", on: forward[7000], "--address", address)
                    #expect(report.counts == ["complete": 1], "\(report)")
                }
            }
        }

        @Test func `a port of the pod is known by its name`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(20)) { scenario in
                let pods = try scenario.ffwd([
                    "--kubeconfig", scenario.cluster.kubeconfig, "pod/demo", ":nosuchname",
                ])
                #expect(pods.exit == .status(1))
                #expect(pods.process.errors.text.contains("does not have a named port 'nosuchname'"))
                let process = try scenario.start([
                    Programs.ffwd, "--kubeconfig", scenario.cluster.kubeconfig, "pod/demo", ":http",
                ])
                let line = try process.output.line(beginningWith: "Forwarding from", until: scenario.deadline)
                #expect(line.hasSuffix("-> 8080"))
            }
        }

        @Test(arguments: [
            ["127.0.0.1"], ["127.0.0.1,127.0.0.2"], ["127.0.0.2", "127.0.0.1"], ["localhost,127.0.0.2"],
        ])
        func `it listens on the addresses that it is given and on no other`(addresses: [String]) throws {
            try Scenario.run(.goPeer(.ideal), within: .seconds(20)) { scenario in
                let options = addresses.flatMap { ["--address", $0] }
                let forward = try scenario.forward(7009, options: options)
                let port = forward[7009]
                let listed = addresses.joined(separator: ",").split(separator: ",").map(String.init)
                let expected = Set(
                    listed.flatMap {
                        $0 == "localhost" ? ["127.0.0.1"] + (SocketName.hasIPv6 ? ["::1"] : []) : [$0]
                    }
                )
                let lines = try forward.process.output.wait(until: scenario.deadline, for: "all addresses") {
                    $0.count == expected.count
                }
                #expect(lines.count == expected.count)
                for address in ["127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"] {
                    if address == "::1", !SocketName.hasIPv6 { continue }
                    let socket = try? scenario.connect(to: port, at: address)
                    #expect((socket != nil) == expected.contains(address), "\(address)")
                    if let socket { #expect(try socket.receive(5) == Array("hello".utf8)) }
                }
            }
        }

        @Test func `a local port that is taken is named, and another one still forwarded`() throws {
            try Scenario.run(.goPeer(.ideal), within: .seconds(20)) { scenario in
                let taken = try scenario.stub { _ in }
                let kubeconfig = try scenario.cluster.kubeconfig
                let alone = try scenario.ffwd([
                    "--kubeconfig", kubeconfig, "--address", "127.0.0.1", "pod/demo", "\(taken.port):7000",
                ])
                #expect(alone.exit == .status(1))
                #expect(alone.process.output.text.isEmpty)
                #expect(alone.process.errors.text.contains("Unable to listen on port \(taken.port): "))
                #expect(alone.process.errors.text.contains("address already in use"))

                let process = try scenario.start([
                    Programs.ffwd, "--kubeconfig", kubeconfig, "--address", "127.0.0.1", "pod/demo",
                    "\(taken.port):7000", ":7009",
                ])
                let forward = try Forward(process, remotePorts: [7009], until: scenario.deadline)
                let socket = try scenario.connect(to: forward[7009])
                #expect(try socket.receive(5) == Array("hello".utf8))
                #expect(process.errors.text.contains("Unable to listen on port \(taken.port): "))
            }
        }

        @Test(arguments: ClusterKind.all(.ideal))
        func `a bearer token will do, and KUBECONFIG may name the file`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(20)) { scenario in
                let process = try scenario.start(
                    [Programs.ffwd, "pod/demo", ":7009"],
                    environment: ["KUBECONFIG": scenario.cluster.tokenKubeconfig]
                )
                let forward = try Forward(process, remotePorts: [7009], until: scenario.deadline)
                let socket = try scenario.connect(to: forward[7009])
                #expect(try socket.receive(5) == Array("hello".utf8))
            }
        }
    }

    @Suite struct `Being stopped` {
        @Test(arguments: [
            (SIGINT, Subprocess.Exit.status(0)), (SIGTERM, .signal(SIGTERM)), (SIGHUP, .signal(SIGHUP)),
        ])
        func `a signal ends it as it ends kubectl, and its clients with a reset`(
            signal: Int32,
            expected: Subprocess.Exit
        ) throws {
            try Scenario.run(.goPeer(.ideal), within: .seconds(20)) { scenario in
                let forward = try scenario.forward(7000)
                let client = try scenario.connect(to: forward[7000])
                try client.send("x")
                #expect(try client.receive(1) == Array("x".utf8))
                forward.process.send(signal: signal)
                #expect(try forward.process.waitForExit(until: scenario.deadline) == expected)
                // A clean end would say that the pod had nothing more to send.
                #expect(client.receiveToEnd().ending == .reset)
                try scenario.poll(for: "the pod's connection to be closed") {
                    try scenario.cluster.liveConnectionCount() == 0
                }
            }
        }

        @Test func `a hang-up is ignored where it was ignored at the start`() throws {
            try Scenario.run(.goPeer(.ideal), within: .seconds(20)) { scenario in
                let process = try scenario.start([
                    "sh", "-c", "trap '' HUP; exec \"$@\"", "sh", Programs.ffwd, "--kubeconfig",
                    scenario.cluster.kubeconfig, "pod/demo", ":7000",
                ])
                let forward = try Forward(process, remotePorts: [7000], until: scenario.deadline)
                process.send(signal: SIGHUP)
                let report = try scenario.load("echo", on: forward[7000], "--connections", "4")
                #expect(report.counts == ["complete": 4], "\(report)")
                #expect(process.isRunning)
                process.send(signal: SIGINT)
                #expect(try process.waitForExit(until: scenario.deadline) == .status(0))
            }
        }

        @Test func `it can be stopped while it waits for the server`() throws {
            try Scenario.run(within: .seconds(8)) { scenario in
                let silent = try scenario.stub { _ in }
                let kubeconfig = try scenario.kubeconfig(server: "https://127.0.0.1:\(silent.port)")
                let process = try scenario.start([
                    Programs.ffwd, "--kubeconfig", kubeconfig, "pod/demo", ":7000",
                ])
                try scenario.poll(for: "its connection") { silent.connectionCount > 0 }
                process.send(signal: SIGINT)
                // As kubectl, which has not begun to watch for it.
                #expect(try process.waitForExit(until: scenario.deadline) == .signal(SIGINT))
                #expect(process.output.text.isEmpty)
            }
        }
    }

    @Suite struct `Talking to a terminal` {
        @Test(arguments: ClusterKind.all(.containerd))
        func `of thirty equal failures ten are told and the others counted`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(20)) { scenario in
                let forward = try scenario.forward(7999)
                let report = try scenario.load(
                    "refused",
                    on: forward[7999],
                    "--connections",
                    "30",
                    "--bytes",
                    "0"
                )
                #expect(report.counts == ["reset": 30], "\(report)")
                // Counts come once a second, so there may be several.
                func counted(_ lines: [String]) -> Int {
                    lines.filter { $0.hasSuffix(" more)") }
                        .reduce(0) {
                            $0 + (Int($1.split(separator: "(").last?.prefix { $0.isNumber } ?? "") ?? 0)
                        }
                }
                let errors = try forward.process.errors.wait(until: scenario.deadline, for: "the counts") {
                    counted($0) >= 20
                }
                #expect(counted(errors) == 20)
                let whole = errors.filter { !$0.hasSuffix(" more)") }
                #expect(whole.count == 10)
                #expect(
                    whole.allSatisfy { $0.contains("\(forward[7999]) -> 7999: ") && $0.contains("refused") }
                )
                let output = try forward.process.output.wait(until: scenario.deadline, for: "the counts") {
                    counted($0) >= 20
                }
                #expect(output.filter { $0 == "Handling connection for \(forward[7999])" }.count == 10)
            }
        }

        @Test func `nobody reading its output does not stop it`() throws {
            try Scenario.run(.goPeer(.ideal), within: .seconds(20)) { scenario in
                // The reader goes after two lines; from then on every write fails.
                let pipeline = try scenario.start([
                    "sh", "-c", "\"$@\" | { head -n 2; exec 0<&-; echo gone; }", "sh", Programs.ffwd,
                    "--kubeconfig",
                    scenario.cluster.kubeconfig, "--address", "127.0.0.1", "pod/demo", ":7000", ":7999",
                ])
                let forward = try Forward(pipeline, remotePorts: [7000, 7999], until: scenario.deadline)
                _ = try pipeline.output.line(beginningWith: "gone", until: scenario.deadline)
                for _ in 0..<5 {
                    let report = try scenario.load("echo", on: forward[7000], "--connections", "4")
                    #expect(report.counts == ["complete": 4], "\(report)")
                }
                #expect(pipeline.isRunning)
            }
        }
    }
}

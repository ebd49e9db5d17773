import Foundation
import Testing

extension Integration {
    /// Pods that go and come under a forward.
    @Suite struct `Losing the pod` {
        private static let report: Int32 = 10

        private func forward(
            _ target: String,
            port: String = ":7000",
            _ options: [String] = [],
            kubeconfig: String = "kubeconfig",
            in scenario: Scenario
        ) throws -> Forward {
            let path = try scenario.cluster.directory.appendingPathComponent(kubeconfig).path
            let arguments = [Programs.ffwd, "--kubeconfig", path] + options
            return try Forward(
                scenario.start(arguments + [target, port]),
                remotePorts: [7000],
                until: scenario.deadline
            )
        }

        private func expectEcho(_ forward: Forward, _ count: Int, in scenario: Scenario) throws {
            let echo = try scenario.load("echo", on: forward[7000], "--connections", "\(count)")
            #expect(echo.counts == ["complete": count], "\(echo)")
        }

        private func expectLine(_ beginning: String, of forward: Forward, in scenario: Scenario) throws {
            _ = try forward.process.errors.line(beginningWith: beginning, until: scenario.deadline)
        }

        private func create(_ pod: String, in scenario: Scenario) throws {
            try scenario.cluster.admin("POST", "/create?pod=\(pod)&labels=app=demo")
        }

        @Test(arguments: [("deploy/demo", ":7000"), ("svc/demo", ":7")])
        func `new connections go to the next pod at once`(target: String, port: String) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try forward(target, port: port, in: scenario)
                try create("next", in: scenario)
                let client = try scenario.connectToEcho(forward[7000])
                try scenario.cluster.admin("POST", "/delete?pod=demo")
                _ = client.receiveToEnd()
                try expectLine("pod/demo is gone: forwarding to pod/next", of: forward, in: scenario)
                try expectEcho(forward, 20, in: scenario)
            }
        }

        /// Who may not read endpoint slices follows the pods alone.
        @Test func `a service's pods are followed without the right to its endpoint slices`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try forward(
                    "svc/demo",
                    port: ":7",
                    ["--balance", "round-robin"],
                    kubeconfig: "kubeconfig-token-sliceless",
                    in: scenario
                )
                try create("second", in: scenario)
                try expectLine("forwarding to pod/second too", of: forward, in: scenario)
                try scenario.cluster.admin("POST", "/delete?pod=demo")
                try expectLine("pod/demo is gone: no longer", of: forward, in: scenario)
                try expectEcho(forward, 10, in: scenario)
            }
        }

        @Test(arguments: [[], ["--balance", "least"], ["--balance", "round-robin"]])
        func `where every pod is gone clients wait for the next one`(options: [String]) throws {
            let kind = ClusterKind.miniCluster(.ideal).with("--pod", "demo", "--pod", "second")
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try forward("svc/demo", port: ":7", options, in: scenario)
                try expectEcho(forward, 4, in: scenario)
                for pod in ["demo", "second"] { try scenario.cluster.admin("POST", "/delete?pod=\(pod)") }
                try scenario.poll(for: "the last pod's loss to be told") {
                    forward.process.errors.text.contains("and there is no other: clients wait for one")
                }
                let client = try scenario.connect(to: forward[7000])
                try client.send("patience")
                try create("third", in: scenario)
                #expect(try client.receive(8) == Array("patience".utf8))
                try expectEcho(forward, 4, in: scenario)
            }
        }

        @Test func `a right to list pods that is granted later is noticed`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                try scenario.cluster.admin("POST", "/forbid-lists?on=1")
                let forward = try forward("pod/demo", in: scenario)
                try scenario.poll(for: "a list that is refused") {
                    try !scenario.cluster.admin("GET", "/stats").contains("\"listsForbidden\":0,")
                }
                #expect(forward.process.errors.text.isEmpty)
                try scenario.cluster.admin("POST", "/forbid-lists?on=0")
                try scenario.waitForWatches(1)
                try scenario.cluster.admin("POST", "/delete?pod=demo")
                try expectLine("pod/demo is gone, and there is no other", of: forward, in: scenario)
            }
        }

        @Test func `a list that comes in pages is read to its end`() throws {
            let kind = ClusterKind.miniCluster(.ideal)
                .with("--page-max", "1", "--pod", "demo", "--pod", "second", "--pod", "third")
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try forward("svc/demo", port: ":7", ["--balance", "round-robin"], in: scenario)
                for pod in ["second", "third"] {
                    try expectLine("forwarding to pod/\(pod) too", of: forward, in: scenario)
                }
                try create("fourth", in: scenario)
                try expectLine("forwarding to pod/fourth too", of: forward, in: scenario)
                try expectEcho(forward, 8, in: scenario)
            }
        }

        /// Forwards to all pods of a service with `publishNotReadyAddresses`, of which one is not ready.
        private func forwardEager(in scenario: Scenario) throws -> Forward {
            try create("unready&ready=0", in: scenario)
            return try forward("svc/eager", port: ":7", ["--balance", "round-robin"], in: scenario)
        }

        /// `publishNotReadyAddresses`: only the endpoint slices tell.
        @Test func `a service that leads to pods before they are ready is believed`() throws {
            let kind = ClusterKind.miniCluster(.ideal).with("--examples")
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try forwardEager(in: scenario)
                try expectLine("forwarding to pod/unready too", of: forward, in: scenario)
                try expectEcho(forward, 10, in: scenario)
                let other = try self.forward("svc/demo", port: ":7", ["--balance", "least"], in: scenario)
                try create("ready", in: scenario)
                try expectLine("forwarding to pod/ready too", of: other, in: scenario)
                #expect(!other.process.errors.text.contains("unready"), "\(other.process.errors.text)")
            }
        }

        @Test func `a right to endpoint slices that is granted later is noticed`() throws {
            let kind = ClusterKind.miniCluster(.ideal).with("--examples")
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                try scenario.cluster.admin("POST", "/forbid-lists?on=1&of=endpointslices")
                let forward = try forwardEager(in: scenario)
                try scenario.poll(for: "a list that is refused") {
                    try !scenario.cluster.admin("GET", "/stats").contains("\"listsForbidden\":0,")
                }
                try scenario.cluster.admin("POST", "/forbid-lists?on=0")
                try expectLine("forwarding to pod/unready too", of: forward, in: scenario)
                try expectEcho(forward, 10, in: scenario)
            }
        }

        /// kubectl refuses it.
        @Test func `of a service without a selector the pods are followed that its endpoint slices name`()
            throws
        {
            let kind = ClusterKind.miniCluster(.ideal).with("--examples")
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try forward("svc/adopted", port: ":echo", in: scenario)
                try expectEcho(forward, 4, in: scenario)
                try create("stranger", in: scenario)
                try scenario.cluster.admin("POST", "/delete?pod=demo")
                try expectLine("pod/demo is gone, and there is no other", of: forward, in: scenario)
                try create("second", in: scenario)
                try expectLine("pod/demo is gone: forwarding to pod/second", of: forward, in: scenario)
                try expectEcho(forward, 4, in: scenario)
            }
        }

        /// Has the only pod lost: who comes then waits until `event`, and is served.
        private func expectPatience(
            _ forward: Forward,
            after loss: String,
            in scenario: Scenario,
            until event: () throws -> Void
        ) throws {
            try scenario.cluster.admin("POST", loss)
            _ = try forward.process.errors.line(
                containing: ", and there is no other",
                until: scenario.deadline
            )
            let client = try scenario.connect(to: forward[7000])
            try client.send("patience")
            try event()
            #expect(try client.receive(8) == Array("patience".utf8))
        }

        @Test func `clients wait for a pod that comes later`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try forward("deploy/demo", in: scenario)
                try expectPatience(forward, after: "/delete?pod=demo", in: scenario) {
                    try create("late", in: scenario)
                }
                try expectEcho(forward, 4, in: scenario)
            }
        }

        /// The second pod is ready, but nothing of it listens on the port.
        @Test(
            arguments: [Runtime.ideal, .containerd, .streaming].flatMap { runtime in
                [Way.webSocket, .channels].map { (runtime, $0) }
            }
        )
        func `what a pod refuses another one gets, with all that the client has sent`(
            runtime: Runtime,
            way: Way
        ) throws {
            try Scenario.run(.miniCluster(runtime), within: .seconds(40)) { scenario in
                try create("deaf&life=starting", in: scenario)
                try scenario.cluster.admin("POST", "/phase?pod=deaf&phase=Running")
                try scenario.cluster.admin("POST", "/ready?pod=deaf&on=1")
                let options = ["--balance", "round-robin", "--transport", way.rawValue]
                let forward = try forward("deploy/demo", options, in: scenario)
                try expectLine("forwarding to pod/deaf too", of: forward, in: scenario)
                try expectEcho(forward, 40, in: scenario)
                #expect(
                    !forward.process.errors.text.contains("an error occurred"),
                    "\(forward.process.errors.text)"
                )
            }
        }

        /// The pod is dead before that is known, and it is known before the server says that it refuses.
        @Test(arguments: ["least", "round-robin", "random", nil])
        func `what a pod refuses that is being left another one gets`(balance: String?) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                try create("second", in: scenario)
                let options = balance.map { ["--balance", $0] } ?? []
                let forward = try forward("deploy/demo", options, in: scenario)
                if balance == nil {
                    try scenario.waitForWatches(1)
                } else {
                    try expectLine("forwarding to pod/second too", of: forward, in: scenario)
                }
                try expectEcho(forward, 4, in: scenario)
                // Where it stands still, the clients come to its notice right before the pod's end does.
                forward.process.send(signal: SIGSTOP)
                var clients: [ClientSocket] = []
                for number in 10..<30 {
                    let client = try scenario.connect(to: forward[7000])
                    try client.send("hello \(number)")
                    clients.append(client)
                }
                let lost = balance == nil ? "demo" : "second"
                try scenario.cluster.admin("POST", "/delete?pod=\(lost)")
                try scenario.poll(for: "the end of its process") {
                    try scenario.cluster.admin("GET", "/stats").contains("\"podProcesses\":1,")
                }
                forward.process.send(signal: SIGCONT)
                for (index, client) in clients.enumerated() {
                    #expect(try client.receive(8) == Array("hello \(index + 10)".utf8))
                }
                #expect(!forward.process.errors.text.contains("an error occurred"))
            }
        }

        /// Its grace is not over, but its process is: who comes then waits for the next one.
        @Test(arguments: [[], ["--balance", "least"], ["--transport", "channels"]])
        func `what a pod refuses while it ends waits for the next one`(options: [String]) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try forward("deploy/demo", options, in: scenario)
                try scenario.waitForWatches(1)
                let loss = "/delete?pod=demo&grace=60000&serving=0"
                try expectPatience(forward, after: loss, in: scenario) {
                    try create("next", in: scenario)
                }
                try expectEcho(forward, 4, in: scenario)
                #expect(!forward.process.errors.text.contains("an error occurred"))
            }
        }

        /// Nobody can tell whether the pod has got them.
        @Test func `what a client has sent into a tunnel that is lost is sent to no other pod`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                try create("second", in: scenario)
                let forward = try Forward(
                    scenario.start([
                        Programs.ffwd, "--kubeconfig", try scenario.cluster.kubeconfig, "--balance", "least",
                        "deploy/demo", ":7002",
                    ]),
                    remotePorts: [7002],
                    until: scenario.deadline
                )
                try expectLine("forwarding to pod/second too", of: forward, in: scenario)
                let client = try scenario.connect(to: forward[7002])
                try client.send("deposit 100")
                try scenario.poll(for: "the bytes in the pod") {
                    try scenario.cluster.admin("GET", "/stats").contains("\"bytesToPods\":11,")
                }
                try scenario.cluster.cutTunnels()
                #expect(client.receiveToEnd().ending == .reset)
                #expect(try scenario.cluster.admin("GET", "/stats").contains("\"bytesToPods\":11,"))
            }
        }

        /// Each pod serves on for a moment after it was told to end, as well-behaved ones do.
        @Test(arguments: [[], ["--balance", "round-robin"]])
        func `a rolling restart under load loses no new connection`(options: [String]) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                for number in 1...4 { try create("old-\(number)", in: scenario) }
                let forward = try forward("deploy/demo", options, in: scenario)
                try scenario.waitForWatches(1)
                let load = try scenario.startLoad(
                    "sequential",
                    on: forward[7000],
                    "--connections",
                    "1000000",
                    "--parallel",
                    "4"
                )
                for name in ["demo", "old-1", "old-2", "old-3", "old-4"] {
                    try create("new-of-\(name)", in: scenario)
                    try scenario.cluster.admin("POST", "/delete?pod=\(name)&grace=400")
                    // The next one when this one is gone.
                    try scenario.poll(for: "the end of \(name)") {
                        do {
                            try scenario.cluster.admin("POST", "/ready?pod=\(name)&on=0")
                            return false
                        } catch { return true }
                    }
                }
                load.process.send(signal: SIGUSR1)
                let report = try load.report()
                #expect(report.counts == ["complete": report.connections], "\(report)")
            }
        }

        /// containerd takes a second to end the way of a client that has gone.
        @Test func `a client that has closed behind its answer has not failed, whatever becomes of the pod`()
            throws
        {
            let kind = ClusterKind.miniCluster(.containerd).with("--pods-reset-when-killed")
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try forward("deploy/demo", in: scenario)
                try scenario.waitForWatches(1)
                let stays = try scenario.connectToEcho(forward[7000])
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "40")
                #expect(echo.counts == ["complete": 40], "\(echo)")
                try scenario.cluster.admin("POST", "/delete?pod=demo")
                #expect(stays.receiveToEnd().ending == .reset)
                try expectLine("pod/demo is gone, and there is no other", of: forward, in: scenario)
                try scenario.poll(for: "the ends in the server") {
                    try scenario.cluster.liveConnectionCount() == 0
                }
                forward.process.send(signal: Self.report)
                let line = try forward.process.errors.line(
                    beginningWith: "summary: 41 connections accepted",
                    until: scenario.deadline
                )
                #expect(line.contains(", 1 failed ("), "\(line)")
            }
        }

        /// kubectl notices it with its next connection.
        @Test(arguments: [("pod/demo", []), ("deploy/demo", []), ("svc/demo", ["--balance", "least"])])
        func `--no-reconnect ends when its pod has gone, and not while it still serves`(
            target: String,
            options: [String]
        ) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try forward(
                    target,
                    port: target.hasPrefix("svc/") ? ":7" : ":7000",
                    ["--no-reconnect"] + options,
                    in: scenario
                )
                // With its service a pod's endpoint slices are followed too.
                try scenario.waitForWatches(options.isEmpty ? 1 : 2)
                if options.isEmpty { try create("other", in: scenario) }
                try scenario.cluster.admin("POST", "/delete?pod=demo&grace=2000")
                try expectEcho(forward, 4, in: scenario)
                #expect(try forward.process.waitForExit(until: scenario.deadline) == .status(1))
                #expect(
                    forward.process.errors.text
                        == "pod/demo is gone: no longer forwarding to it\nerror: lost connection to pod\n"
                )
            }
        }

        @Test func `a pod of the same name is taken up again`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try forward("pod/demo", in: scenario)
                try scenario.waitForWatches(1)
                try expectEcho(forward, 4, in: scenario)
                try scenario.cluster.admin("POST", "/delete?pod=demo")
                try create("demo", in: scenario)
                _ = try forward.process.errors.line(
                    containing: "forwarding to its successor",
                    until: scenario.deadline
                )
                try expectEcho(forward, 4, in: scenario)
                forward.process.send(signal: Self.report)
                try expectLine("summary: pod/demo: 8 connections", of: forward, in: scenario)
            }
        }

        /// It was forwarded to at the start, ready or not.
        @Test(arguments: [
            ("pod/demo", ":7000", "demo"), ("deploy/demo", ":7000", "next"), ("svc/demo", ":7", "next"),
        ])
        func `a pod that does not become ready is taken where there is no other, before clients give up`(
            target: String,
            port: String,
            next: String
        ) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try forward(target, port: port, ["--hold", "4s"], in: scenario)
                // With its service a pod's endpoint slices are followed too.
                try scenario.waitForWatches(target.hasPrefix("svc/") ? 2 : 1)
                try expectPatience(forward, after: "/delete?pod=demo", in: scenario) {
                    try create("\(next)&ready=0", in: scenario)
                }
                try expectEcho(forward, 4, in: scenario)
            }
        }

        @Test func `a pod that may become ready is waited for`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                try create("next&ready=0", in: scenario)
                let forward = try forward("deploy/demo", ["--hold", "60s"], in: scenario)
                try scenario.waitForWatches(1)
                try expectPatience(forward, after: "/delete?pod=demo", in: scenario) {
                    try scenario.cluster.admin("POST", "/ready?pod=next&on=1")
                }
            }
        }

        @Test func `a pod that serves to its end is not left for one that is not ready`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                try create("next&ready=0", in: scenario)
                let forward = try forward("deploy/demo", ["--hold", "2s"], in: scenario)
                try scenario.waitForWatches(1)
                try scenario.cluster.admin("POST", "/delete?pod=demo&grace=3000")
                try expectLine("pod/demo is terminating, and there is no other", of: forward, in: scenario)
                try expectLine("pod/demo is gone: forwarding to pod/next", of: forward, in: scenario)
                try expectEcho(forward, 4, in: scenario)
            }
        }

        /// As where the slices of a service without a selector name it again.
        @Test(arguments: [[], ["--balance", "least"]])
        func `a pod that was lost and is there again is forwarded to`(options: [String]) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let forward = try forward("deploy/demo", options, in: scenario)
                try scenario.waitForWatches(1)
                try expectPatience(forward, after: "/phase?pod=demo&phase=Failed", in: scenario) {
                    try scenario.cluster.admin("POST", "/phase?pod=demo&phase=Running")
                }
                try expectEcho(forward, 4, in: scenario)
            }
        }

        @Test(arguments: ["pod/demo", "po/demo", "demo"])
        func `--balance is refused for a single pod`(target: String) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(20)) { scenario in
                let (exit, process) = try scenario.ffwd([
                    "--kubeconfig", scenario.cluster.kubeconfig, "--balance", "least", target, ":7000",
                ])
                #expect(exit == .status(1))
                #expect(
                    process.errors.text
                        == "error: --balance needs a service or a workload, and pod/demo is one pod\n"
                )
                #expect(process.output.text.isEmpty)
            }
        }

        @Test(arguments: ["least", "round-robin"])
        func `--balance spreads connections over all pods, those that come later too`(how: String) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                try create("second", in: scenario)
                let forward = try forward("deploy/demo", ["--balance", how], in: scenario)
                try expectLine("forwarding to pod/second too", of: forward, in: scenario)
                try create("third", in: scenario)
                try expectLine("forwarding to pod/third too", of: forward, in: scenario)
                // The first ones may come before every pod has a tunnel.
                try expectEcho(forward, 3, in: scenario)
                try expectEcho(forward, 60, in: scenario)
                forward.process.send(signal: Self.report)
                for pod in ["demo", "second", "third"] {
                    let line = try forward.process.errors.line(
                        beginningWith: "summary: pod/\(pod): ",
                        until: scenario.deadline
                    )
                    let count = line.split(separator: " ").dropFirst(2).first.flatMap { Int($0) } ?? 0
                    #expect((18...23).contains(count), "\(line)")
                }
                try scenario.cluster.admin("POST", "/delete?pod=second")
                try expectLine("pod/second is gone: no longer", of: forward, in: scenario)
                try expectEcho(forward, 40, in: scenario)
            }
        }
    }
}

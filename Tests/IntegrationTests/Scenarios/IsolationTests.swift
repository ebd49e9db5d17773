import Foundation
import Testing

extension Integration {
    /// Connections that share a tunnel, or do not, beside one that stands still.
    @Suite struct `Keeping connections apart` {
        /// A client that stops reading for so long, or until SIGUSR1.
        private func stalledReader(
            of bytes: Int,
            for span: String,
            on forward: Forward,
            in scenario: Scenario
        ) throws -> LoadRun {
            try scenario.startLoad(
                "stall-reader",
                on: forward[7001],
                "--bytes",
                "\(bytes)",
                "--hold",
                span
            )
        }

        @Test(arguments: [ClusterKind.miniCluster(.ideal), .goPeer(.containerd)])
        func `who does not read is reset once others on the only tunnel have waited for it`(kind: ClusterKind)
            throws
        {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7001, 7000, options: ["--tunnels", "1"])
                // For somebody who shares the tunnel it is read on, up to its own mark: only then do others wait.
                let bystander = try scenario.connectToEcho(forward[7000])
                let stalled = try stalledReader(of: 256 << 20, for: "50s", on: forward, in: scenario)
                try scenario.waitForStandstill(of: forward.process, after: 1 << 20)
                let others = try scenario.load("echo", on: forward[7000], "--connections", "16")
                #expect(others.counts == ["complete": 16], "\(others)")
                _ = try forward.process.errors.line(
                    containing: "the client read nothing for 5 s while 16 other connections waited behind it",
                    until: scenario.deadline
                )
                stalled.process.send(signal: SIGUSR1)
                #expect(try stalled.report().counts == ["reset": 1])
                try bystander.send("behind")
                #expect(try bystander.receive(6) == Array("behind".utf8))
            }
        }

        /// The client reads on while ffwd is stopped, which is the last that ffwd learns of.
        @Test func `a pause of ffwd itself is no client's`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7001, 7000, options: ["--tunnels", "1"])
                let bystander = try scenario.connectToEcho(forward[7000])
                let stalled = try stalledReader(of: 64 << 20, for: "50s", on: forward, in: scenario)
                try scenario.waitForStandstill(of: forward.process, after: 1 << 20)
                let others = try scenario.startLoad("echo", on: forward[7000], "--connections", "16")
                try scenario.poll(for: "the others to be there") {
                    try scenario.cluster.liveConnectionCount() == 18
                }
                forward.process.send(signal: SIGSTOP)
                stalled.process.send(signal: SIGUSR1)
                // Longer than others wait for somebody who does not read.
                #expect(!bystander.hears(within: 7_000))
                forward.process.send(signal: SIGCONT)
                #expect(try stalled.report().counts == ["complete": 1])
                #expect(try others.report().counts == ["complete": 16])
                #expect(forward.process.errors.text.isEmpty, "\(forward.process.errors.text)")
            }
        }

        @Test func `who does not read is left alone while nobody waits for it`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7001, 7000, options: ["--tunnels", "1"])
                let bystander = try scenario.connectToEcho(forward[7000])
                let stalled = try stalledReader(of: 64 << 20, for: "7s", on: forward, in: scenario)
                #expect(try stalled.report().counts == ["complete": 1])
                #expect(forward.process.errors.text.isEmpty)
                try bystander.send("behind")
                #expect(try bystander.receive(6) == Array("behind".utf8))
            }
        }

        @Test func `none of many that stop reading together is reset for the others`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(90)) { scenario in
                let count = Programs.scaled(480)
                let forward = try scenario.forward(7001)
                let stalled = try scenario.load(
                    "stall-reader",
                    on: forward[7001],
                    "--connections",
                    "\(count)",
                    "--bytes",
                    "\(2 << 20)",
                    "--read",
                    "1000",
                    "--hold",
                    "7s"
                )
                #expect(stalled.counts == ["complete": count], "\(stalled)")
            }
        }

        @Test(arguments: [ClusterKind.miniCluster(.ideal), .goPeer(.streaming)])
        func `many that do not read harm none of those that came at another time`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(90)) { scenario in
                let forward = try scenario.forward(7001, 7000)
                let early = try scenario.startLoad(
                    "hold",
                    on: forward[7000],
                    "--connections",
                    "200",
                    "--release-on-stdin-eof=false",
                    "--hold",
                    "9s"
                )
                _ = try early.process.output.line(beginningWith: "held ", until: scenario.deadline)
                let stalled = try scenario.startLoad(
                    "stall-reader",
                    on: forward[7001],
                    "--connections",
                    "\(Programs.scaled(48))",
                    "--bytes",
                    "\(16 << 20)",
                    "--read",
                    "1000",
                    "--hold",
                    "12s"
                )
                // Longer than connections count as having come together.
                try scenario.waitForStandstill(of: forward.process, after: 1 << 20, looks: 75)
                let late = try scenario.load("echo", on: forward[7000], "--connections", "200")
                #expect(late.counts == ["complete": 200], "\(late)")
                // Those that were there are tried while the others still stand.
                let report = try early.report()
                #expect(report.counts == ["complete": 200], "\(report)")
                #expect(
                    stalled.process.isRunning,
                    "the others had to be through while the clients stood still"
                )
                // One that had read all that it had when it stopped counts as waiting: nobody can tell that it does not
                // read. That costs the one who stands before it.
                let counts = try stalled.report().counts
                #expect(counts["reset", default: 0] <= 2, "\(counts)")
                #expect(counts["complete", default: 0] + counts["reset", default: 0] == Programs.scaled(48))
            }
        }
    }
}

import Foundation
import Testing

extension Integration {
    @Suite struct `Standing still` {
        @Test(arguments: ClusterKind.all(.ideal, .containerd) + ClusterKind.otherWays(.containerd))
        func `a client that does not read holds up nobody and loses nothing`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7001)
                let bytes = 24 << 20
                let stalled = try scenario.connect(to: forward[7001])
                try stalled.send([0, 0, 0, 0, 1, 128, 0, 0])
                let pattern = PodPattern.bytes
                #expect(try stalled.receive(1000) == Array(pattern[..<1000]))
                try scenario.waitForStandstill(of: forward.process, after: 1 << 20)

                let others = try scenario.load(
                    "source",
                    on: forward[7001],
                    "--connections",
                    "16",
                    "--bytes",
                    "\(4 << 20)"
                )
                #expect(others.counts == ["complete": 16], "\(others)")

                var received = 1000
                while received < bytes {
                    let count = min(pattern.count - received % pattern.count, bytes - received)
                    let from = received % pattern.count
                    let piece = try stalled.receive(count)
                    // Data compares as fast in an unoptimised build.
                    guard Data(piece) == Data(pattern[from..<from + count]) else {
                        Issue.record("wrong bytes among \(received)..<\(received + count)")
                        return
                    }
                    received += count
                }
                let (rest, ending) = stalled.receiveToEnd()
                #expect(rest.isEmpty && ending == .end)
            }
        }

        @Test(arguments: ClusterKind.all(.ideal, .containerd) + ClusterKind.otherWays(.containerd))
        func `a pod that does not read holds up nobody else`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7007, 7000)
                // A handful that is there already.
                let bystanders = try (0..<3).map { _ in try scenario.connect(to: forward[7000]) }
                for bystander in bystanders {
                    try bystander.send("before")
                    #expect(try bystander.receive(6) == Array("before".utf8))
                }
                // It writes until nothing was taken for three seconds.
                let stalled = try scenario.startLoad(
                    "stall-pod",
                    on: forward[7007],
                    "--connections",
                    "2",
                    "--bytes",
                    "\(1 << 40)",
                    "--hold",
                    "3s"
                )
                try scenario.waitForStandstill(of: forward.process, after: 1 << 20)
                for bystander in bystanders {
                    try bystander.send("during")
                    #expect(try bystander.receive(6) == Array("during".utf8))
                }
                let others = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "40",
                    "--bytes",
                    "\(Programs.scaled(1 << 20))"
                )
                #expect(others.counts == ["complete": 40], "\(others)")
                let late = try scenario.load("sequential", on: forward[7000], "--connections", "50")
                #expect(late.counts == ["complete": 50], "\(late)")
                #expect(stalled.process.isRunning, "the others had to be through while the pod stood still")
                let report = try stalled.report()
                #expect(report.counts == ["blocked": 2], "\(report)")
            }
        }

        /// For longer than others wait where a single pod does not read: nobody else would be served any better.
        @Test func `a server that stands still as a whole costs nobody his connection`() throws {
            try Scenario.run(.goPeer(.containerd), within: .seconds(90)) { scenario in
                let forward = try scenario.forward(7000, options: ["--tunnels", "1"])
                let clients = try (0..<12).map { _ in try scenario.connectToEcho(forward[7000]) }
                try scenario.cluster.pauseServer()
                for client in clients { try client.send(Array(repeating: 7, count: 1000)) }
                let late = try scenario.connect(to: forward[7000])
                try late.send("late")
                // It has not begun, and may as well try somewhere else.
                let (bytes, ending) = late.receiveToEnd()
                #expect(bytes.isEmpty && ending == .reset)
                _ = try forward.process.errors.line(
                    containing: "the server has not answered for 30 s",
                    until: scenario.deadline
                )
                #expect(!clients[0].hears(within: 3_000))
                try scenario.cluster.resumeServer()
                for client in clients {
                    #expect(try client.receive(1000) == Array(repeating: 7, count: 1000))
                }
            }
        }
    }
}

/// What a pod's source sends.
enum PodPattern {
    static let bytes: [UInt8] = (0..<256 << 10).map { UInt8(truncatingIfNeeded: 7 * $0 + ($0 >> 8)) }
}

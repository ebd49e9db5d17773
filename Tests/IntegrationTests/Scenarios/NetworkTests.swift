import Foundation
import Testing

extension Integration {
    /// In a network of its own, which only root can make.
    @Suite struct `Changing the network` {
        @Test func `a pause before the next attempt ends with it`() throws {
            try Scenario.run(within: .seconds(60)) { scenario in
                let network = try NetworkNamespace.make(in: scenario)
                defer { network.end() }
                let (cluster, url) = try network.startCluster()
                let forward = try network.forward(7000, options: ["-v", "4"])
                cluster.kill()
                // It fails again and again, with growing pauses.
                for number in 1...6 {
                    _ = try forward.process.errors.line(
                        number: number,
                        containing: "no tunnel",
                        until: scenario.deadline
                    )
                }
                let port = try #require(url.split(separator: ":").last)
                _ = try network.startCluster("--port", "\(port)")
                var number = 0
                while !forward.process.errors.text.contains("reconnecting=at once"),
                    !forward.process.errors.text.contains("connection to pod restored")
                {
                    number += 1
                    let (name, peer) = ("change\(number)", "other\(number)")
                    try network.ip("link", "add", name, "type", "veth", "peer", "name", peer)
                    _ = try forward.process.errors.line(
                        number: number,
                        containing: "the network has changed",
                        until: scenario.deadline
                    )
                }
                _ = try forward.process.errors.line(
                    beginningWith: "connection to pod restored",
                    until: scenario.deadline
                )
                let echo = try network.startLoad("echo", on: forward[7000], "--connections", "4").report()
                #expect(echo.counts == ["complete": 4], "\(echo)")
            }
        }

        @Test func `a tunnel whose address is gone is given up, and one whose address comes back is not`()
            throws
        {
            try Scenario.run(within: .seconds(60)) { scenario in
                let network = try NetworkNamespace.make(in: scenario)
                defer { network.end() }
                _ = try network.startCluster()
                let forward = try network.forward(7000, options: ["-v", "4"])
                try network.ip("address", "delete", "127.0.0.1/8", "dev", "lo")
                try network.ip("address", "add", "127.0.0.1/8", "dev", "lo")
                _ = try forward.process.errors.line(
                    containing: "the network has changed",
                    until: scenario.deadline
                )
                let echo = try network.startLoad("echo", on: forward[7000], "--connections", "4").report()
                #expect(echo.counts == ["complete": 4], "\(echo)")
                #expect(!forward.process.errors.text.contains("lost connection"))

                try network.ip("address", "delete", "127.0.0.1/8", "dev", "lo")
                let line = try forward.process.errors.line(
                    beginningWith: "lost connection to pod: ",
                    until: scenario.deadline
                )
                #expect(line.contains("this host has no address 127.0.0.1 any more"), "\(line)")
                try network.ip("address", "add", "127.0.0.1/8", "dev", "lo")
                _ = try forward.process.errors.line(
                    beginningWith: "connection to pod restored",
                    until: scenario.deadline
                )
                let again = try network.startLoad("echo", on: forward[7000], "--connections", "4").report()
                #expect(again.counts == ["complete": 4], "\(again)")
            }
        }
    }

    /// Limits of the kernel's, in a network of its own.
    @Suite struct `Coming to a limit of the kernel's` {
        private static let stop: Int32 = 19
        private static let goOn: Int32 = 18

        /// How many connections wait for an accept on a port.
        private func queueLength(of port: UInt16, seenBy process: Subprocess) throws -> Int {
            let table = try String(contentsOfFile: "/proc/\(process.pid)/net/tcp", encoding: .utf8)
            let local = ":" + String(port, radix: 16, uppercase: true)
            for line in table.split(separator: "\n") {
                let fields = line.split(separator: " ")
                guard fields.count > 4, fields[1].hasSuffix(local), fields[3] == "0A" else { continue }
                return fields[4].split(separator: ":").last.flatMap { Int($0, radix: 16) } ?? 0
            }
            return 0
        }

        @Test(arguments: [[], ["--max-connections", "2"]])
        func `more clients at once than the queue holds are told of once, and served`(options: [String])
            throws
        {
            try Scenario.run(within: .seconds(60)) { scenario in
                let network = try NetworkNamespace.make(in: scenario)
                defer { network.end() }
                try network.set("net.core.somaxconn", to: "8")
                // With cookies, what a client has sent into a full queue may be lost, and the kernel resets it.
                try network.set("net.ipv4.tcp_syncookies", to: "0")
                _ = try network.startCluster()
                let forward = try network.forward(7000, options: options)
                forward.process.send(signal: Self.stop)
                let load = try network.startLoad("echo", on: forward[7000], "--connections", "40")
                try scenario.poll(for: "a full queue") {
                    try queueLength(of: forward[7000], seenBy: forward.process) >= 9
                }
                forward.process.send(signal: Self.goOn)
                let report = try load.report()
                #expect(report.counts == ["complete": 40], "\(report)")
                let line = try forward.process.errors.line(
                    containing: "its queue of 8 holds",
                    until: scenario.deadline
                )
                #expect(line.contains("net.core.somaxconn"))
            }
        }

        @Test func `without a local port left for the server, what to do is told`() throws {
            try Scenario.run(within: .seconds(60)) { scenario in
                let network = try NetworkNamespace.make(in: scenario)
                defer { network.end() }
                _ = try network.startCluster()
                let forward = try network.forward(
                    7000,
                    options: ["--transport", "channels", "--hold", "1s"]
                )
                try network.set("net.ipv4.ip_local_port_range", to: "50000 50001")
                // As many as there are ports, for them and for their WebSockets.
                let held = try network.startLoad("hold", on: forward[7000], "--connections", "2")
                _ = try held.process.output.line(beginningWith: "held 2", until: scenario.deadline)
                // Its own family has ports left.
                let late = try network.startLoad("echo", on: forward[7000], "--address", "::1").report()
                #expect(late.counts == ["reset": 1], "\(late)")
                let line = try forward.process.errors.line(
                    beginningWith: "could not open another connection to pod: ",
                    until: scenario.deadline
                )
                #expect(line.contains("net.ipv4.ip_local_port_range"), "\(line)")
                held.process.closeInput()
                let report = try held.report()
                #expect(report.counts == ["complete": 2], "\(report)")
            }
        }
    }
}

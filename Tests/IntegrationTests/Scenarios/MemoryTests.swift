import Testing

extension Integration {
    /// What waits in memory for those who do not take it.
    @Suite struct `Keeping to --memory-limit` {
        private static let clientCount = Programs.scaled(1000)
        /// Of those that ask for more than the kernel's buffers hold, and get it in the end.
        private static let readerCount = Programs.scaled(300)

        /// Lets clients ask for 12 MiB each and read nothing of it for a while, then all.
        ///
        /// - Parameter shares: whether they share tunnels, so that some wait behind those that do not read, which are reset.
        private func expectBound(_ limitBytes: Int, shares: Bool, on forward: Forward, in scenario: Scenario)
            throws
        {
            let stalled = try scenario.startLoad(
                "stall-reader",
                on: forward[7001],
                "--connections",
                "\(Self.readerCount)",
                "--bytes",
                "\(12 << 20)",
                "--read",
                "1000",
                "--hold",
                "7s"
            )
            let report = try stalled.report()
            try expectMemory(within: limitBytes, of: forward)
            let resets = shares ? report.counts["reset", default: 0] : 0
            var expected = ["complete": Self.readerCount - resets]
            if resets > 0 { expected["reset"] = resets }
            #expect(report.counts == expected, "\(report)")
            for line in forward.process.errors.text.split(separator: "\n") where line.contains("an error") {
                let isExplained = line.contains("read nothing for 5 s") || line.contains("held up others")
                #expect(shares && isExplained, "\(line)")
            }
        }

        private func expectMemory(within limitBytes: Int, of forward: Forward) throws {
            guard Programs.isMemoryMeasurable else { return }
            let most = try forward.process.mostResidentBytes()
            #expect(most <= limitBytes, "\(most >> 20) MiB")
        }

        @Test func `clients that do not read keep it over WebSockets of their own`() throws {
            try Scenario.run(.miniCluster(.ideal).by(.channels), within: .seconds(120)) { scenario in
                let forward = try scenario.forward(7001, options: ["--memory-limit", "96MiB"])
                try expectBound(96 << 20, shares: false, on: forward, in: scenario)
            }
        }

        @Test func `a server that does not read keeps it over WebSockets of their own`() throws {
            try Scenario.run(.miniCluster(.ideal).by(.channels), within: .seconds(120)) { scenario in
                let limitBytes = 256 << 20
                let forward = try scenario.forward(7007)
                let load = try scenario.load(
                    "stall-pod",
                    on: forward[7007],
                    "--connections",
                    "\(Self.clientCount)",
                    "--bytes",
                    "\(64 << 20)",
                    "--hold",
                    "3s"
                )
                #expect(load.counts == ["blocked": Self.clientCount], "\(load)")
                try expectMemory(within: limitBytes, of: forward)
            }
        }

        @Test func `clients that do not read keep it with --balance`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(120)) { scenario in
                for number in 2...5 {
                    try scenario.cluster.admin("POST", "/create?pod=number-\(number)&labels=app=demo")
                }
                let forward = try Forward(
                    scenario.start([
                        Programs.ffwd, "--kubeconfig", try scenario.cluster.kubeconfig, "--balance",
                        "round-robin", "--memory-limit", "96MiB", "deploy/demo", ":7001",
                    ]),
                    remotePorts: [7001],
                    until: scenario.deadline
                )
                for number in 2...5 {
                    _ = try forward.process.errors.line(
                        beginningWith: "forwarding to pod/number-\(number) too",
                        until: scenario.deadline
                    )
                }
                try expectBound(96 << 20, shares: true, on: forward, in: scenario)
            }
        }
    }
}

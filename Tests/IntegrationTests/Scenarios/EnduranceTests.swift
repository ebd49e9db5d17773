import Testing

extension Integration {
    @Suite struct `Running for long` {
        /// What 9,000 further connections may add to the memory, in bytes.
        ///
        /// The six large buffers that the pool keeps, where it kept none before, and half a mebibyte. A leak of a kilobyte each is more than twice that.
        private static let growthBytesMax = 6 * (513 << 10) + (512 << 10)

        /// By the other ways a tenth: on channels, each connection is a TLS handshake.
        @Test(arguments: ClusterKind.all(.ideal) + ClusterKind.otherWays(.containerd))
        func `ten thousand connections, one after the other, leave no trace`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(100)) { scenario in
                let forward = try scenario.forward(7000)
                let warmUpCount = kind.way == .webSocket ? 1000 : 300
                let first = try scenario.load(
                    "sequential",
                    on: forward[7000],
                    "--connections",
                    "\(warmUpCount)",
                    "--parallel",
                    "4"
                )
                #expect(first.counts == ["complete": warmUpCount], "\(first)")
                let descriptors = try settledDescriptors(forward, scenario)
                let memory = try forward.process.anonymousBytes()

                let count = kind.way == .webSocket ? max(2000, Programs.scaled(9000)) : 900
                let rest = try scenario.load(
                    "sequential",
                    on: forward[7000],
                    "--connections",
                    "\(count)",
                    "--parallel",
                    "4"
                )
                #expect(rest.counts == ["complete": count], "\(rest)")
                #expect(try settledDescriptors(forward, scenario) <= descriptors + 15, "tunnels more or less")
                if Programs.isMemoryMeasurable {
                    let growth = try forward.process.anonymousBytes() - memory
                    #expect(growth < Self.growthBytesMax, "grew by \(growth) bytes from \(memory)")
                }
                #expect(forward.process.errors.text.isEmpty)
            }
        }

        /// The number of open descriptors once every client's is closed: listeners, tunnels and the loop's own.
        private func settledDescriptors(_ forward: Forward, _ scenario: Scenario) throws -> Int {
            var count = 0
            try scenario.poll(for: "the clients' descriptors to be closed") {
                count = try forward.process.openDescriptors()
                return count < 40
            }
            return count
        }
    }
}

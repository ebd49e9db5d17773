import Testing

extension Integration {
    @Suite struct `Carrying bytes` {
        @Test(arguments: ClusterKind.all(.ideal, .containerd), [1, 64])
        func `what is sent comes back, on one connection and on 64`(kind: ClusterKind, connections: Int)
            throws
        {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7000)
                let report = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "\(connections)",
                    "--bytes",
                    "\(1 << 20)"
                )
                #expect(report.counts == ["complete": connections], "\(report)")
                #expect(report.bytesReceived == connections << 20)
            }
        }
    }
}

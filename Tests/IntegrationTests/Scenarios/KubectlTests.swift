import Testing

extension Integration {
    /// MiniCluster shares ffwd's codecs; that the real kubectl can use it shows that it speaks Kubernetes.
    @Suite struct `Serving the real kubectl` {
        @Test func `kubectl forwards eight connections and a half-close`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let process = try scenario.start([
                    Programs.kubectl(), "--kubeconfig", scenario.cluster.kubeconfig, "port-forward",
                    "pod/demo",
                    ":7000", ":7004", ":8080",
                ])
                let forward = try Forward(process, remotePorts: [7000, 7004, 8080], until: scenario.deadline)
                let echo = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "8",
                    "--bytes",
                    "\(8 << 20)"
                )
                #expect(echo.counts == ["complete": 8], "\(echo)")
                #expect(echo.bytesReceived == 64 << 20)
                let halfClose = try scenario.load("half-close", on: forward[7004], "--bytes", "3000000")
                #expect(halfClose.counts == ["complete": 1], "\(halfClose)")
                let page = try scenario.load("http", on: forward[8080])
                #expect(page.details?.status == 200, "\(page)")
            }
        }

        @Test func `kubectl sees the pod`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let process = try scenario.start([
                    Programs.kubectl(), "--kubeconfig", scenario.cluster.tokenKubeconfig, "get", "pods",
                ])
                #expect(
                    try process.waitForExit(until: scenario.deadline) == .status(0),
                    "\(process.transcript)"
                )
                #expect(process.output.text.contains("demo"))
            }
        }
    }
}

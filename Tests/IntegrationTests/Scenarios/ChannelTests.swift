import Testing

extension Integration {
    /// WebSocket channels beyond what every way is tested for.
    @Suite struct `Forwarding over WebSocket channels` {
        @Test func `where only base64 is spoken, text messages carry everything`() throws {
            let kind = ClusterKind.goPeer(.containerd).by(.channels).with("--ways", "base64")
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7000, 7001, 7009, 7999)
                let echo = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "32",
                    "--bytes",
                    "300000",
                    "--one-byte",
                    "2"
                )
                #expect(echo.counts == ["complete": 32], "\(echo)")
                let bytes = Programs.scaled(128 << 20)
                let source = try scenario.load("source", on: forward[7001], "--bytes", "\(bytes)")
                #expect(source.counts == ["complete": 1], "\(source)")
                #expect(source.bytesReceived == bytes)
                let compared = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--bytes",
                    "\(bytes / 4)",
                    "--chunk",
                    "262144"
                )
                #expect(compared.counts == ["complete": 1], "\(compared)")
                let greeting = try scenario.load("greeting", on: forward[7009])
                #expect(greeting.counts == ["complete": 1], "\(greeting)")
                let refused = try scenario.load("refused", on: forward[7999], "--connections", "2")
                #expect(refused.counts == ["reset": 2], "\(refused)")
                let line = try forward.process.errors.line(
                    beginningWith: "an error occurred forwarding \(forward[7999]) -> 7999: ",
                    until: scenario.deadline
                )
                #expect(line.contains("failed to connect to localhost:7999"))
            }
        }

        @Test func `a message that is no base64 ends its own connection with a reason`() throws {
            let kind = ClusterKind.goPeer(.containerd).by(.channels).with("--ways", "base64")
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7000)
                let bystander = try scenario.connect(to: forward[7000])
                try bystander.send("before")
                #expect(try bystander.receive(6) == Array("before".utf8))
                let victim = try scenario.connect(to: forward[7000])
                try victim.send("x")
                #expect(try victim.receive(1) == Array("x".utf8))
                try scenario.cluster.admin("POST", "/admin/spoil")
                try victim.send("y")
                #expect(victim.receiveToEnd().ending == .reset)
                let line = try forward.process.errors.line(
                    beginningWith: "an error occurred forwarding",
                    until: scenario.deadline
                )
                #expect(line.contains("the server sent no base64"), "\(line)")
                try bystander.send("after")
                #expect(try bystander.receive(5) == Array("after".utf8))
            }
        }

        /// A hundred upgrades that the server lets hang, more than are opened at a time.
        @Test func `upgrades that hang hold up nobody else`() throws {
            let kind = ClusterKind.goPeer(.containerd).by(.channels)
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7000)
                try scenario.cluster.admin("POST", "/admin/hold?count=100")
                let hanging = try (0..<100).map { _ in try scenario.connect(to: forward[7000]) }
                // Behind the one that asked whether there are channels at all.
                try scenario.poll(for: "the upgrades to hang") {
                    try scenario.cluster.upgradeCount(.channels) == 1 + 100
                }
                // Well before the hanging ones are given up.
                let others = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "50",
                    "--timeout",
                    "6s"
                )
                #expect(others.counts == ["complete": 50], "\(others)")
                try scenario.cluster.admin("POST", "/admin/thaw")
                for client in hanging { try client.send("x") }
                for client in hanging { #expect(try client.receive(1) == Array("x".utf8)) }
                #expect(forward.process.errors.text.isEmpty)
            }
        }

        @Test(arguments: [ProxyKind.http, .https, .socks])
        func `hundreds of WebSockets pass a proxy, each on a connection of its own`(proxyKind: ProxyKind)
            throws
        {
            let kind = ClusterKind.goPeer(.containerd).by(.channels)
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let proxy = try Proxy(proxyKind, in: scenario, rules: "MaxClients 1000")
                let kubeconfig = try scenario.cluster.kubeconfig(
                    proxy: proxy.url(),
                    trusting: proxy.authorityPEM
                )
                let forward = try scenario.forward(7000, kubeconfig: kubeconfig)
                let report = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "300",
                    "--bytes",
                    "20000"
                )
                #expect(report.counts == ["complete": 300], "\(report)")
                #expect(try scenario.cluster.mostOpening() <= 200)
                #expect(forward.process.errors.text.isEmpty)
            }
        }
    }
}

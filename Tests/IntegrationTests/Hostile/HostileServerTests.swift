import Testing

extension Integration {
    /// Servers and proxies that break every rule, against the real ffwd: each costs bounded memory and time, and one
    /// clear line; a tunnel is lost alone, and the forward goes on when the server behaves again.
    @Suite struct `Meeting hostile servers` {
        private func expectNothingWrong(_ rows: [HostileRow]) {
            for problem in HostileRow.problems(of: rows) { Issue.record("\(problem)") }
        }

        @Test func `before HTTP, in TLS and at proxies`() {
            expectNothingWrong(
                HostileConnections.rows + HostileConnections.tlsRows + HostileUpgrades.proxyRows
            )
        }

        @Test func `in answers and upgrades`() {
            expectNothingWrong(HostileAnswers.rows + HostileUpgrades.rows)
        }

        @Test func `in lists and watches`() {
            expectNothingWrong(HostileAnswers.watchRows)
        }

        @Test func `in tunnels and channels`() {
            expectNothingWrong(
                HostileTunnels.webSocketRows + HostileTunnels.spdyRows + HostileTunnels.bareRows
                    + HostileTunnels.channelRows
            )
        }

        /// Each opens, so that who waits is placed on it and comes back.
        @Test func `a server that breaks every tunnel ends nobody's hold and gets its pauses`() throws {
            let server = HostileServer(place: .upgrade) { attacked in
                try attacked.accept()
                try attacked.wire.send(WebSocketBytes.frame(WebSocketBytes.text, Array("no".utf8)))
            }
            try Scenario.run(within: .seconds(30)) { scenario in
                let stub = try scenario.stub { server.serve($0) }
                let kubeconfig = try scenario.kubeconfig(server: "http://127.0.0.1:\(stub.port)")
                let process = try scenario.start([
                    Programs.ffwd, "--kubeconfig", kubeconfig, "--hold", "2s", "pod/demo", ":80",
                ])
                let forward = try Forward(process, remotePorts: [80], until: scenario.deadline)
                server.arm(true)
                server.cutTunnels()
                try scenario.poll(for: "a tunnel that is broken") { !server.attacks.isEmpty }
                let client = try scenario.connect(to: forward[80])
                #expect(client.receiveToEnd().ending == .reset)
                #expect(server.attacks.count < 30)
            }
        }
    }
}

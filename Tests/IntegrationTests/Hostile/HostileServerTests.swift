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
    }
}

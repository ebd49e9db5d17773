import Testing

extension Integration {
    @Suite struct `Passing a proxy` {
        @Test(arguments: ClusterKind.all(.containerd), ProxyKind.allCases)
        func `what is sent comes back, by way of the proxy`(cluster: ClusterKind, kind: ProxyKind) throws {
            try Scenario.run(cluster, within: .seconds(60)) { scenario in
                let proxy = try Proxy(kind, in: scenario)
                let kubeconfig = try scenario.cluster.kubeconfig(
                    proxy: proxy.url(),
                    trusting: proxy.authorityPEM
                )
                let forward = try scenario.forward(7000, kubeconfig: kubeconfig)
                let report = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "4",
                    "--bytes",
                    "\(4 << 20)"
                )
                #expect(report.counts == ["complete": 4], "\(report)")
                #expect(report.bytesReceived == 4 * 4 << 20)
                #expect(forward.process.errors.text.isEmpty)
                try scenario.poll(for: "the proxy's log") {
                    let log = proxy.process.output.text + proxy.process.errors.text
                    return log.contains("onnection to host \"127.0.0.1\"")
                        || log.contains("connected to 127.0.0.1:")
                }
            }
        }

        @Test func `a server's name is resolved by the proxy`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let proxy = try Proxy(.socks, in: scenario)
                // Not an address to ffwd, which takes four numbers for one.
                let server = try scenario.cluster.url.replacing("127.0.0.1", with: "127.1")
                let kubeconfig = try scenario.cluster.kubeconfig(proxy: proxy.url(), server: server)
                let forward = try scenario.forward(7000, kubeconfig: kubeconfig)
                let report = try scenario.load("echo", on: forward[7000])
                #expect(report.counts == ["complete": 1], "\(report)")
                try scenario.poll(for: "the name in the proxy's log") {
                    proxy.process.errors.text.contains("connected to 127.1:")
                }
            }
        }

        /// The credential is not sent in the clear, so the server refuses; what counts is that its words arrive.
        @Test(arguments: [ProxyKind.http, .https, .socks])
        func `a server without TLS is asked through a tunnel too`(kind: ProxyKind) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let proxy = try Proxy(kind, in: scenario)
                let port = try SocketName.freePort()
                let server = try scenario.cluster.url.replacing("https://", with: "")
                try Proxy.startStunnel(
                    "plain",
                    "client = yes\naccept = 127.0.0.1:\(port)\nconnect = \(server)",
                    in: scenario
                )
                try scenario.poll(for: "stunnel's port") { (try? scenario.connect(to: port)) != nil }
                let kubeconfig = try scenario.cluster.kubeconfig(
                    proxy: proxy.url(),
                    server: "http://127.0.0.1:\(port)",
                    trusting: proxy.authorityPEM
                )
                let (exit, process) = try scenario.ffwd(["--kubeconfig", kubeconfig, "pod/demo", ":7000"])
                #expect(exit == .status(1))
                #expect(process.errors.text.contains("system:anonymous"), "\(process.transcript)")
            }
        }

        @Test func `a proxy that is restarted is passed again`() throws {
            try Scenario.run(.goPeer(.containerd), within: .seconds(40)) { scenario in
                let first = try Proxy(.http, in: scenario)
                let forward = try scenario.forward(
                    7000,
                    kubeconfig: try scenario.cluster.kubeconfig(proxy: first.url())
                )
                let client = try scenario.connect(to: forward[7000])
                try client.send("x")
                #expect(try client.receive(1) == Array("x".utf8))
                first.process.kill()
                #expect(client.receiveToEnd().ending == .reset)
                // There may be several tunnels; the last one's loss says that it is being made again.
                _ = try forward.process.errors.wait(
                    until: scenario.deadline,
                    for: "the loss of the last tunnel"
                ) {
                    $0.contains { $0.hasPrefix("lost connection to pod: ") && $0.contains("(reconnecting)") }
                }
                _ = try Proxy(.http, port: first.port, in: scenario)
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "4")
                #expect(echo.counts == ["complete": 4], "\(echo)")
            }
        }

        // MARK: Being refused

        @Test(arguments: ProxyKind.withLogin)
        func `a wrong login is one clear line without the password`(kind: ProxyKind) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let proxy = try Proxy(kind, in: scenario)
                try expectFailure(
                    in: scenario,
                    proxy.url(login: "me:sesame@"),
                    trusting: proxy.authorityPEM,
                    "does not accept the user and the password (check them in its URL)"
                )
                try expectFailure(
                    in: scenario,
                    proxy.url(login: ""),
                    trusting: proxy.authorityPEM,
                    "wants a user and a password"
                )
            }
        }

        @Test(arguments: ["http", "https", "socks5"])
        func `a proxy that is not there is named`(scheme: String) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let url = "\(scheme)://127.0.0.1:\(try SocketName.freePort())"
                try expectFailure(
                    in: scenario,
                    url,
                    "cannot be reached: connection refused (check proxy-url in the kubeconfig, or HTTPS_PROXY)"
                )
            }
        }

        @Test func `a proxy whose certificate is not trusted is told nothing`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let proxy = try Proxy(.https, in: scenario)
                try expectFailure(in: scenario, proxy.url(), "showed a certificate that does not verify: ")
                let log = proxy.process.output.text
                #expect(!log.contains("CONNECT"), "\(log)")
            }
        }

        @Test func `a proxy's rules and a server that is down are told apart`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let strict = try Proxy(.http, in: scenario, rules: "ConnectPort 443")
                try expectFailure(
                    in: scenario,
                    strict.url(),
                    "did not connect: 403 Access violation (its rules must allow CONNECT to this host and port)"
                )
                let down = "https://127.0.0.1:\(try SocketName.freePort())"
                let tinyproxy = try Proxy(.http, in: scenario)
                try expectFailure(
                    in: scenario,
                    tinyproxy.url(),
                    server: down,
                    "did not connect: 500 Unable to connect"
                )
                let microsocks = try Proxy(.socks, in: scenario)
                try expectFailure(
                    in: scenario,
                    microsocks.url(),
                    server: down,
                    "did not connect: the server refused the connection (is it up, is the port right?)"
                )
            }
        }

        struct Answer: CustomTestStringConvertible {
            let scheme: String
            let text: String
            let line: String
            var testDescription: String { "\(scheme): \(line)" }
        }

        static let answers = [
            Answer(
                scheme: "http",
                text: "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\n\r\nno route to host\n",
                line: "did not connect: 502 Bad Gateway: no route to host "
                    + "(is the server up, and can the proxy resolve its name?)"
            ),
            Answer(
                scheme: "http",
                text: "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n",
                line: "wants to authenticate us by Negotiate, only Basic is supported "
                    + "(let a local proxy that can do that stand in between)"
            ),
            Answer(
                scheme: "http",
                text: "SSH-2.0-OpenSSH_9.2\r\n",
                line: "is no HTTP proxy: the peer does not speak HTTP/1.1, its answer begins with \"SSH-2\""
            ),
            Answer(
                scheme: "https",
                text: "HTTP/1.1 400 Bad Request\r\n\r\n",
                line: "failed: TLS failed during the handshake: wrong version number"
            ),
            Answer(
                scheme: "socks5",
                text: "HTTP/1.1 400 Bad Request\r\n\r\n",
                line: "is no SOCKS 5 proxy: its answer begins with byte 72 (check its URL's scheme and port)"
            ),
            Answer(
                scheme: "socks5",
                text: "\u{5}\u{0}\u{5}\u{2}",
                line: "did not connect: its rules do not allow it"
            ),
            Answer(
                scheme: "http",
                text: "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 1 << 20),
                line: "is no HTTP proxy: "
            ),
            Answer(
                scheme: "http",
                text: "HTTP/1.1 500 Oh\r\n\r\n" + String(repeating: "x", count: 1 << 20),
                line: "did not connect: 500 Oh"
            ),
            Answer(
                scheme: "socks5",
                text: "\u{5}\u{0}\u{5}\u{0}\u{0}\u{9}",
                line: "answered with an address of the unknown type 9"
            ),
            Answer(
                scheme: "http",
                text: "",
                line: "ended the connection without an answer (check its URL's scheme and port)"
            ),
        ]

        @Test(arguments: answers)
        func `an answer that opens nothing is told in one line`(answer: Answer) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let stub = try scenario.stub { socket in
                    // What has not been read when a socket closes would make the end a reset.
                    _ = try? socket.receive(1)
                    try? socket.send(Array(answer.text.utf8))
                    socket.shutdownWriting()
                    _ = socket.receiveToEnd()
                }
                try expectFailure(in: scenario, "\(answer.scheme)://127.0.0.1:\(stub.port)", answer.line)
            }
        }

        /// It lasts as long as ffwd waits, so the three wait together.
        @Test func `a proxy that says nothing is not waited for long`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let silent = try scenario.stub { _ = $0.receiveToEnd() }
                let talker = try scenario.stub { socket in
                    _ = try? socket.receive(1)
                    try? socket.send("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nbecause")
                    _ = socket.receiveToEnd()
                }
                let rows = [
                    ("http://127.0.0.1:\(silent.port)", "gave no answer within 10 s"),
                    ("https://127.0.0.1:\(silent.port)", "gave no TLS handshake within 10 s"),
                    ("http://127.0.0.1:\(talker.port)", "did not connect: 403 Forbidden: because"),
                ]
                let runs = try rows.map { url, line in
                    let kubeconfig = try scenario.cluster.kubeconfig(proxy: url)
                    let process = try scenario.start([
                        Programs.ffwd, "--kubeconfig", kubeconfig, "pod/demo", ":7000",
                    ])
                    return (process, line)
                }
                for (process, line) in runs {
                    #expect(try process.waitForExit(until: scenario.deadline) == .status(1))
                    #expect(process.errors.text.contains(line), "\(process.transcript)")
                }
            }
        }

        /// Runs ffwd, which must end with 1 and one line that names the proxy and goes on with `reason`.
        private func expectFailure(
            in scenario: Scenario,
            _ url: String,
            server: String? = nil,
            trusting authorityPEM: String? = nil,
            _ reason: String,
            _ location: SourceLocation = #_sourceLocation
        ) throws {
            let kubeconfig = try scenario.cluster.kubeconfig(
                proxy: url,
                server: server,
                trusting: authorityPEM
            )
            let (exit, process) = try scenario.ffwd(["--kubeconfig", kubeconfig, "pod/demo", ":7000"])
            let text = process.errors.text
            let shown = url.replacing(/[a-z0-9]+:[a-z0-9]+@/, with: "")
            #expect(exit == .status(1), sourceLocation: location)
            #expect(text.hasPrefix("Unable to connect to the server: "), "\(text)", sourceLocation: location)
            #expect(text.contains(": the proxy \(shown) \(reason)"), "\(text)", sourceLocation: location)
            #expect(text.split(separator: "\n").count == 1, "\(text)", sourceLocation: location)
            let secrets = [Proxy.password, "sesame"]
            #expect(!secrets.contains { text.contains($0) }, "\(text)", sourceLocation: location)
        }
    }
}

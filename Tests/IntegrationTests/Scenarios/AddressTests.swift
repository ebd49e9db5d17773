import Foundation
import Testing

extension Integration {
    /// Where the API server is, and how the environment leads there.
    @Suite struct `Finding the API server` {
        @Test(arguments: [Way.webSocket, .spdy, .channels])
        func `an IPv6 address and a base path are kept by every way`(way: Way) throws {
            guard SocketName.hasIPv6 else { return }
            let kind = ClusterKind.miniCluster(.ideal).by(way)
                .with("--address", "::1", "--base-path", "/k8s/clusters/c-1")
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                #expect(try scenario.cluster.url.hasPrefix("https://[::1]:"))
                let forward = try scenario.forward(7000)
                let report = try scenario.load("echo", on: forward[7000], "--connections", "4")
                #expect(report.counts == ["complete": 4], "\(report)")
            }
        }

        @Test(arguments: [ProxyKind.http, .socks])
        func `a proxy is asked for an IPv6 address`(proxyKind: ProxyKind) throws {
            guard SocketName.hasIPv6 else { return }
            let kind = ClusterKind.miniCluster(.ideal).with("--address", "::1")
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let proxy = try Proxy(proxyKind, in: scenario)
                let original = try String(contentsOfFile: scenario.cluster.kubeconfig, encoding: .utf8)
                let path = try scenario.file(
                    "proxied",
                    original.replacing(
                        "    server: ",
                        with: "    proxy-url: \(proxy.url())\n    server: "
                    )
                )
                let forward = try scenario.forward(7000, kubeconfig: path)
                let report = try scenario.load("echo", on: forward[7000])
                #expect(report.counts == ["complete": 1], "\(report)")
            }
        }

        @Test func `a name is looked up, and one that means nothing is told`() throws {
            try Scenario.run(.goPeer(.containerd), within: .seconds(30)) { scenario in
                let byName = try scenario.cluster.kubeconfig(
                    proxy: nil,
                    server: scenario.cluster.url.replacing("127.0.0.1", with: "localhost")
                )
                let forward = try scenario.forward(7000, kubeconfig: byName)
                let report = try scenario.load("echo", on: forward[7000])
                #expect(report.counts == ["complete": 1], "\(report)")

                let (exit, process) = try scenario.ffwd([
                    "--kubeconfig", byName, "-s", "https://api.invalid:6443", "pod/demo", ":7000",
                ])
                #expect(exit == .status(1))
                let text = process.errors.text
                #expect(text.hasPrefix("Unable to connect to the server: api.invalid:6443: "), "\(text)")
                #expect(text.contains("cannot look up api.invalid: "), "\(text)")
                #expect(process.errors.lines.count == 1)
            }
        }

        // MARK: Proxies of the environment

        struct Row: CustomTestStringConvertible {
            let environment: [String: String]
            /// What no rule takes for loopback, though it leads there.
            var host = "127.1"
            /// Whether the proxy of the environment, which is not there, is wanted.
            let isProxied: Bool

            var testDescription: String { "\(environment.sorted { $0.key < $1.key }), \(host)" }
        }

        static let rows = [
            Row(environment: ["HTTPS_PROXY": "DEAD"], isProxied: true),
            Row(environment: ["https_proxy": "DEAD"], isProxied: true),
            Row(environment: ["HTTPS_PROXY": "DEAD", "https_proxy": "http://127.0.0.1:1"], isProxied: true),
            Row(environment: ["HTTPS_PROXY": "DEAD", "NO_PROXY": "example.org,127.1"], isProxied: false),
            Row(environment: ["HTTPS_PROXY": "DEAD", "no_proxy": "*"], isProxied: false),
            // A network is compared with addresses, and this is a name.
            Row(environment: ["HTTPS_PROXY": "DEAD", "NO_PROXY": "127.0.0.0/8"], isProxied: true),
            Row(environment: ["HTTPS_PROXY": "DEAD"], host: "127.0.0.1", isProxied: false),
            Row(environment: ["HTTPS_PROXY": "DEAD"], host: "localhost", isProxied: false),
            Row(environment: ["HTTP_PROXY": "DEAD", "ALL_PROXY": "DEAD"], isProxied: false),
        ]

        @Test func `the environment's proxy is taken by the rules of Go`() throws {
            try Scenario.run(.goPeer(.containerd), within: .seconds(60)) { scenario in
                let dead = "http://127.0.0.1:\(try SocketName.freePort())"
                for row in Self.rows {
                    let kubeconfig = try scenario.cluster.kubeconfig(
                        proxy: nil,
                        server: scenario.cluster.url.replacing("127.0.0.1", with: row.host)
                    )
                    let environment = row.environment.mapValues { $0.replacing("DEAD", with: dead) }
                    if row.isProxied {
                        let (exit, process) = try scenario.ffwd(
                            ["--kubeconfig", kubeconfig, "pod/demo", ":7000"],
                            environment: environment
                        )
                        #expect(exit == .status(1), "\(row)")
                        #expect(
                            process.errors.text.contains("the proxy \(dead) cannot be reached"),
                            "\(row): \(process.errors.text)"
                        )
                    } else {
                        let forward = try scenario.forward(
                            7009,
                            kubeconfig: kubeconfig,
                            environment: environment
                        )
                        let client = try scenario.connect(to: forward[7009])
                        #expect(try client.receive(5) == Array("hello".utf8), "\(row)")
                        forward.process.kill()
                    }
                }
            }
        }

        @Test func `the kubeconfig's proxy goes before the environment's, whose login is kept secret`() throws
        {
            try Scenario.run(.goPeer(.containerd), within: .seconds(30)) { scenario in
                let proxy = try Proxy(.httpWithLogin, in: scenario)
                let server = try scenario.cluster.url.replacing("127.0.0.1", with: "127.1")
                let dead = "http://127.0.0.1:\(try SocketName.freePort())"
                for (own, environment) in [(proxy.url(), dead), (nil, proxy.url())] {
                    let forward = try scenario.forward(
                        7009,
                        kubeconfig: try scenario.cluster.kubeconfig(proxy: own, server: server),
                        environment: ["HTTPS_PROXY": environment, "NO_PROXY": own == nil ? "" : "127.1"]
                    )
                    let client = try scenario.connect(to: forward[7009])
                    #expect(try client.receive(5) == Array("hello".utf8))
                    forward.process.kill()
                }
                let (exit, process) = try scenario.ffwd(
                    [
                        "--kubeconfig", try scenario.cluster.kubeconfig(proxy: nil, server: server),
                        "pod/demo", ":1",
                    ],
                    environment: ["HTTPS_PROXY": proxy.url(login: "me:sesame@")]
                )
                #expect(exit == .status(1))
                #expect(process.errors.text.contains("does not accept the user and the password"))
                #expect(!process.errors.text.contains("sesame"))
            }
        }
    }
}

import Foundation
import Testing

extension Integration {
    @Suite struct `Keeping secrets` {
        private static let secret = "hunter2secret"

        /// A way to hand ffwd a secret.
        private struct Holder {
            let name: String
            let arguments: [String]
            let secrets: [String]
        }

        /// One for each kind of credential; some are right, some are refused, some are broken.
        private func holders(_ scenario: Scenario) throws -> [Holder] {
            let secret = Self.secret
            let text = try String(contentsOfFile: scenario.cluster.kubeconfig, encoding: .utf8)
            let key = try #require(text.firstMatch(of: /client-key-data: (\S+)/)?.1)
            let tokenText = try String(contentsOfFile: scenario.cluster.tokenKubeconfig, encoding: .utf8)
            let token = String(try #require(tokenText.firstMatch(of: /token: (\S+)/)?.1))
            let keyPEM = String(decoding: try #require(Data(base64Encoded: String(key))), as: UTF8.self)
            let keyLines = keyPEM.split(separator: "\n").filter { !$0.hasPrefix("-----") }.map(String.init)
            func user(_ name: String, _ lines: [String], cluster: [String] = []) throws -> String {
                try scenario.file(name, Plugin.kubeconfig(of: scenario, user: lines, cluster: cluster))
            }
            let plugin = try Plugin(in: scenario)
            let proxy = try Proxy(.httpWithLogin, in: scenario)
            let proxied = try scenario.cluster.kubeconfig(proxy: proxy.url())
            return try [
                Holder(
                    name: "certificate",
                    arguments: ["--kubeconfig", scenario.cluster.kubeconfig],
                    secrets: keyLines
                ),
                Holder(
                    name: "token",
                    arguments: ["--kubeconfig", scenario.cluster.tokenKubeconfig],
                    secrets: [token]
                ),
                Holder(
                    name: "refused token",
                    arguments: ["--kubeconfig", user("kubeconfig-wrong", ["token: \(secret)"])],
                    secrets: [secret]
                ),
                Holder(
                    name: "unprintable token",
                    arguments: ["--kubeconfig", user("kubeconfig-odd", ["token: \"\(secret)\\n\""])],
                    secrets: [secret]
                ),
                Holder(
                    name: "basic",
                    arguments: [
                        "--kubeconfig", user("kubeconfig-basic", ["username: me", "password: \(secret)"]),
                    ],
                    secrets: [secret, Data("me:\(secret)".utf8).base64EncodedString()]
                ),
                Holder(
                    name: "plugin",
                    arguments: ["--kubeconfig", plugin.kubeconfig],
                    secrets: [token]
                ),
                Holder(
                    name: "plugin's environment",
                    arguments: [
                        "--kubeconfig",
                        user(
                            "kubeconfig-env",
                            [
                                "exec:", "  command: \"false\"",
                                "  apiVersion: client.authentication.k8s.io/v1", "  interactiveMode: Never",
                                "  env: [{name: SECRET, value: \(secret)}]",
                            ]
                        ),
                    ],
                    secrets: [secret]
                ),
                Holder(
                    name: "plugin that prints nonsense",
                    arguments: [
                        "--kubeconfig",
                        user(
                            "kubeconfig-nonsense",
                            [
                                "exec:", "  command: echo", "  args: ['{\"token\": \"\(secret)\"']",
                                "  apiVersion: client.authentication.k8s.io/v1", "  interactiveMode: Never",
                            ]
                        ),
                    ],
                    secrets: [secret]
                ),
                Holder(
                    name: "proxy's password",
                    arguments: ["--kubeconfig", proxied],
                    secrets: [Proxy.password]
                ),
                Holder(
                    name: "proxy that is not there",
                    arguments: [
                        "--kubeconfig",
                        user(
                            "kubeconfig-proxy",
                            ["token: \(token)"],
                            cluster: ["proxy-url: http://me:\(secret)@127.0.0.1:1"]
                        ),
                    ],
                    secrets: [secret, token]
                ),
                Holder(
                    name: "key that is none",
                    arguments: [
                        "--kubeconfig",
                        user(
                            "kubeconfig-key",
                            [
                                "client-key-data: \(Data("-----BEGIN \(secret)".utf8).base64EncodedString())",
                                "client-certificate-data: \(Data("-----BEGIN X".utf8).base64EncodedString())",
                            ]
                        ),
                    ],
                    secrets: [secret]
                ),
            ]
        }

        @Test func `no secret is said at any verbosity, whether all goes well or not`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(90)) { scenario in
                for holder in try holders(scenario) {
                    let process = try scenario.start(
                        [Programs.ffwd, "-v", "9"] + holder.arguments + ["pod/demo", ":7000"]
                    )
                    // Some fail, which ends the output.
                    let prefix = "Forwarding from 127.0.0.1:"
                    let line = try? process.output.line(beginningWith: prefix, until: scenario.deadline)
                    if let text = line?.dropFirst(prefix.count).prefix(while: \.isNumber),
                        let port = UInt16(text)
                    {
                        _ = try scenario.load("echo", on: port)
                        try scenario.cluster.cutTunnels()
                        _ = try scenario.load("echo", on: port)
                    }
                    process.send(signal: SIGINT)
                    _ = try process.waitForExit(until: scenario.deadline)
                    let said = process.output.text + process.errors.text
                    for secret in holder.secrets {
                        #expect(secret.count > 3)
                        #expect(!said.contains(secret), "\(holder.name) is said")
                    }
                }
            }
        }
    }
}

import Foundation
import Testing

extension Integration {
    @Suite struct `Telling how it goes` {
        @Test func `each level tells what it promises and no secret, and none tells anything by default`()
            throws
        {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(40)) { scenario in
                let kubeconfig = try scenario.cluster.tokenKubeconfig
                let text = try String(contentsOfFile: kubeconfig, encoding: .utf8)
                let secret = try #require(text.firstMatch(of: /token: *"?([^"\s]+)/)?.1)
                #expect(secret.count > 6)

                /// Forwards one greeting, stops, and gives what was said.
                func said(_ options: String...) throws -> (output: [String], errors: [String]) {
                    let forward = try scenario.forward(7009, options: options, kubeconfig: kubeconfig)
                    let socket = try scenario.connect(to: forward[7009])
                    #expect(try socket.receive(16) == Array("hello from demo\n".utf8))
                    socket.close()
                    if options.contains("-v=6") {
                        try forward.process.errors.wait(until: scenario.deadline, for: "the end") { lines in
                            lines.contains { $0.contains("connection ended") }
                        }
                    }
                    forward.process.send(signal: SIGINT)
                    #expect(try forward.process.waitForExit(until: scenario.deadline) == .status(0))
                    let all = forward.process.output.text + forward.process.errors.text
                    #expect(!all.contains(secret) && !all.contains("Authorization"))
                    let lines = forward.process.errors.lines.map { line in
                        // Without the time, which stands first.
                        line.split(separator: " ", maxSplits: 1).last.map(String.init) ?? ""
                    }
                    return (forward.process.output.lines, lines)
                }

                let plain = try said()
                #expect(plain.errors.isEmpty)
                #expect(plain.output.contains { $0.hasPrefix("Handling connection for ") })

                let notes = try said("-v", "1", "--cache-dir", "/nowhere", "--profile=cpu", "--quiet")
                #expect(
                    notes.errors == [
                        "notice --cache-dir means nothing here and is ignored",
                        "notice --profile means nothing here and is ignored",
                    ]
                )
                #expect(!notes.output.isEmpty && notes.output.allSatisfy { $0.hasPrefix("Forwarding from") })

                let steps = try said("-v2").errors
                #expect(steps.contains("info pod chosen namespace=default pod=demo"))
                #expect(steps.contains { $0.hasPrefix("info tunnel opened tls=\"TLSv1.3 ") })
                #expect(
                    steps.contains { $0.hasPrefix("info cluster chosen ") && $0.contains("server=https://") }
                )
                #expect(steps.allSatisfy { $0.hasPrefix("info ") })

                let everything = try said("-v=6").errors
                #expect(
                    everything.contains {
                        $0.hasPrefix("debug GET /api/v1/namespaces/default/pods/demo ")
                            && $0.hasSuffix(" status=200")
                    }
                )
                #expect(everything.contains { $0.hasPrefix("trace connection began client=127.0.0.1:") })
                #expect(
                    everything.contains {
                        $0.hasPrefix("trace connection ended") && $0.hasSuffix("->7009 received=16 sent=0")
                    }
                )
            }
        }
    }
}

import Foundation
import Testing

extension Integration {
    /// Which of the three ways into the API server is taken.
    @Suite struct `Finding a way in` {
        /// Something in between that lets WebSockets through, but no answer to them.
        @Test func `an upgrade that is left without an answer is given up for the next way`() throws {
            try Scenario.run(.goPeer(.containerd), within: .seconds(40)) { scenario in
                try scenario.cluster.admin("POST", "/admin/hold?count=1")
                let forward = try scenario.forward(7000)
                #expect(try scenario.cluster.upgradeCount(.spdy) >= 1)
                let echo = try scenario.load("echo", on: forward[7000], "--connections", "4")
                #expect(echo.counts == ["complete": 4], "\(echo)")
                try scenario.cluster.admin("POST", "/admin/thaw")
            }
        }

        struct Row: CustomTestStringConvertible {
            let title: String
            var server: [String] = []
            var kubeconfig = "kubeconfig-token"
            var options: [String] = []
            var environment: [String: String] = [:]
            let expected: Way
            /// The ways that are asked before it, once each.
            var refused: [Way] = []

            var testDescription: String { title }
        }

        static let rows =
            [
                Row(title: "all is there", expected: .webSocket),
                Row(
                    title: "a role that grants create only",
                    kubeconfig: "kubeconfig-token-create",
                    expected: .spdy,
                    refused: [.webSocket]
                ),
                Row(
                    title: "a server before 1.30",
                    server: ["--ways", "spdy,channels"],
                    expected: .spdy,
                    refused: [.webSocket]
                ),
                Row(
                    title: "channels only",
                    server: ["--ways", "channels"],
                    expected: .channels,
                    refused: [.webSocket, .spdy]
                ),
            ]
            + ["403", "404", "502", "close"].map {
                Row(
                    title: "a gateway that answers WebSockets by \($0)",
                    server: ["--refuse", "tunnel=\($0)"],
                    expected: .spdy,
                    refused: [.webSocket]
                )
            } + [
                Row(
                    title: "a gateway that hangs up on everything new",
                    server: ["--refuse", "tunnel=close", "--refuse", "spdy=close"],
                    expected: .channels,
                    refused: [.webSocket, .spdy]
                ),
                Row(
                    title: "kubectl's switch",
                    environment: ["KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"],
                    expected: .spdy
                ),
                Row(
                    title: "kubectl's switch with another word",
                    environment: ["KUBECTL_PORT_FORWARD_WEBSOCKETS": "0"],
                    expected: .webSocket
                ),
                Row(title: "the user wants SPDY", options: ["--transport", "spdy"], expected: .spdy),
                Row(
                    title: "the user wants channels",
                    options: ["--transport", "channels"],
                    expected: .channels
                ),
                Row(
                    title: "the user wants what the switch forbids",
                    options: ["--transport", "websocket"],
                    environment: ["KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"],
                    expected: .webSocket
                ),
            ]

        @Test(arguments: rows)
        func `the first that works is taken, and stayed with`(row: Row) throws {
            var kind = ClusterKind.goPeer(.containerd)
            kind.options = row.server
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let path = try scenario.cluster.directory.appendingPathComponent(row.kubeconfig).path
                let forward = try scenario.forward(
                    7000,
                    options: row.options,
                    kubeconfig: path,
                    environment: row.environment
                )
                // Enough of them to need several tunnels, before and after these are lost.
                for _ in 0..<2 {
                    let report = try scenario.load("echo", on: forward[7000], "--connections", "6")
                    #expect(report.counts == ["complete": 6], "\(report)")
                    try scenario.cluster.cutTunnels()
                }
                let last = try scenario.load("echo", on: forward[7000])
                #expect(last.counts == ["complete": 1], "\(last)")
                for way in [Way.webSocket, .spdy, .channels] {
                    let count = try scenario.cluster.upgradeCount(way)
                    if way == row.expected {
                        // Of channels each client wants one, behind the question whether there are any, which is asked
                        // again where a cut has found the last of them still open.
                        let isRight = way == .channels ? (1 + 13...1 + 13 + 2).contains(count) : count > 1
                        #expect(isRight, "\(way): \(count)")
                    } else {
                        #expect(count == (row.refused.contains(way) ? 1 : 0), "\(way)")
                    }
                }
            }
        }

        struct Failure: CustomTestStringConvertible {
            let title: String
            var server: [String] = []
            var kubeconfig = "kubeconfig-token"
            var options: [String] = []
            var pod = "demo"
            let asked: [Way]
            let message: String

            var testDescription: String { title }
        }

        static let refusals = [
            Failure(
                title: "no right at all",
                kubeconfig: "kubeconfig-token-none",
                asked: [.webSocket, .spdy, .channels],
                message: "User \"token-none\" cannot create resource \"pods/portforward\""
            ),
            Failure(
                title: "the right to get, which from 1.35 on is half of it",
                kubeconfig: "kubeconfig-token-get",
                asked: [.webSocket, .spdy, .channels],
                message: "User \"token-get\" cannot create resource \"pods/portforward\""
            ),
            Failure(
                title: "a refusal without a reason",
                kubeconfig: "kubeconfig-token-get",
                options: ["--transport", "websocket"],
                asked: [.webSocket],
                message: "pods \"demo\" is forbidden: (permission to create pods/portforward is missing)"
            ),
            Failure(
                title: "a credential that is not known",
                kubeconfig: "kubeconfig-token-forgotten",
                asked: [.webSocket],
                message: "You must be logged in to the server"
            ),
            Failure(
                title: "a pod that is not there",
                pod: "nope",
                asked: [.webSocket],
                message: "pods \"nope\" not found"
            ),
            Failure(
                title: "a gateway that lets nothing through",
                server: ["--refuse", "tunnel=403", "--refuse", "spdy=502", "--refuse", "channels=close"],
                asked: [.webSocket, .spdy, .channels],
                message: "502 Bad Gateway"
            ),
            Failure(
                title: "a gateway that hangs up",
                server: ["--refuse", "tunnel=close", "--refuse", "spdy=close", "--refuse", "channels=close"],
                asked: [.webSocket, .spdy, .channels],
                message: "ended the connection without an answer"
            ),
            Failure(
                title: "a way that is forced and not there",
                server: ["--ways", "spdy"],
                options: ["--transport", "websocket"],
                asked: [.webSocket],
                message: "API servers before Kubernetes 1.30"
            ),
            Failure(
                title: "another one",
                server: ["--ways", "tunnel"],
                options: ["--transport", "spdy"],
                asked: [.spdy],
                message: "Upgrade request required"
            ),
        ]

        @Test(arguments: refusals)
        func `where none works the most telling refusal is shown`(row: Failure) throws {
            var kind = ClusterKind.goPeer(.containerd)
            kind.options = row.server
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let path = try scenario.cluster.directory.appendingPathComponent(row.kubeconfig).path
                let (exit, process) = try scenario.ffwd(
                    ["--kubeconfig", path] + row.options + ["pod/\(row.pod)", ":7000"]
                )
                #expect(exit == .status(1))
                #expect(process.output.text.isEmpty)
                #expect(process.errors.lines.count == 1, "\(process.errors.text)")
                #expect(process.errors.text.contains(row.message), "\(process.errors.text)")
                for way in [Way.webSocket, .spdy, .channels] {
                    let count = try scenario.cluster.upgradeCount(way)
                    #expect(count <= (row.asked.contains(way) ? 1 : 0), "\(way)")
                }
            }
        }
    }
}

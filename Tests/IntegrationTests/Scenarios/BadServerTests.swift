import Foundation
import Testing

extension Integration {
    /// One line that says what is wrong, nothing on stdout, status 1, within seconds.
    @Suite struct `Meeting bad API servers` {
        /// What ffwd prints when the server at `url` is asked for a pod.
        private func refusal(
            of url: String,
            _ scenario: Scenario
        ) throws -> String {
            let kubeconfig = try scenario.kubeconfig(server: url)
            return try refusal(of: ["--kubeconfig", kubeconfig, "pod/demo", ":80"], scenario)
        }

        private func refusal(of arguments: [String], _ scenario: Scenario) throws -> String {
            let (exit, process) = try scenario.ffwd(arguments)
            #expect(exit == .status(1))
            #expect(process.output.text.isEmpty)
            #expect(process.errors.lines.count == 1, "\(process.errors.text)")
            return process.errors.text
        }

        @Test func `a closed port is a refused connection`() throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                let stub = try scenario.stub { $0.close() }
                stub.close()
                let text = try refusal(of: "https://127.0.0.1:\(stub.port)", scenario)
                #expect(text.contains("127.0.0.1:\(stub.port) was refused"))
            }
        }

        @Test func `a server that speaks no TLS is told from one that does not verify`() throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                let stub = try scenario.stub { socket in
                    try? socket.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                }
                let text = try refusal(of: "https://127.0.0.1:\(stub.port)", scenario)
                #expect(text.contains("127.0.0.1:\(stub.port)"))
                #expect(text.contains("TLS"))
            }
        }

        @Test func `a server that hangs up in the handshake is named`() throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                let stub = try scenario.stub { $0.closeWithReset() }
                let text = try refusal(of: "https://127.0.0.1:\(stub.port)", scenario)
                #expect(text.contains("127.0.0.1:\(stub.port)"))
            }
        }

        /// Three silences, at the same time: before TLS, before the answer, and within it.
        @Test func `a server that says nothing is given up after ten seconds`() throws {
            try Scenario.run(.goPeer(.ideal), within: .seconds(30)) { scenario in
                let silent = try scenario.stub { _ in }
                let halting = try scenario.stub { try? $0.send("HTTP/1.1 200 OK\r\nContent-Len") }
                try scenario.cluster.admin("POST", "/admin/freeze?what=all")
                let urls = ["https://127.0.0.1:\(silent.port)", "http://127.0.0.1:\(halting.port)"]
                let configurations = try urls.map { try scenario.kubeconfig(server: $0) }
                let processes = try (configurations + [scenario.cluster.kubeconfig]).map {
                    try scenario.start([Programs.ffwd, "--kubeconfig", $0, "pod/demo", ":80"])
                }
                for process in processes {
                    #expect(try process.waitForExit(until: scenario.deadline) == .status(1))
                    #expect(process.output.text.isEmpty)
                    #expect(process.errors.lines.count == 1, "\(process.errors.text)")
                    #expect(process.errors.text.contains("within 10 s"), "\(process.errors.text)")
                }
            }
        }

        @Test(
            arguments: [
                (
                    "500", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 9\r\n\r\nsome text",
                    "some text"
                ),
                ("garbage", "\u{1}\u{2}\u{3} what is this?\r\n\r\n", "not understood"),
                ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "not understood"),
                ("a page", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "cannot be used"),
                (
                    "an endless head", "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 1 << 20),
                    "127.0.0.1"
                ),
                (
                    "an escape sequence",
                    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\n\u{1b}[2J", "from server"
                ),
                ("a cut answer", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "127.0.0.1"),
                (
                    "a redirection", "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
                    "302"
                ),
            ]
        )
        func `an answer that makes no sense is one line`(name: String, answer: String, message: String) throws
        {
            try Scenario.run(within: .seconds(20)) { scenario in
                let stub = try scenario.stub { socket in
                    // The request first, so that no reset overtakes the answer.
                    while let byte = try? socket.receive(1), byte != [10] {}
                    try? socket.send(answer)
                    socket.shutdownWriting()
                }
                let text = try refusal(of: "http://127.0.0.1:\(stub.port)", scenario)
                #expect(text.contains(message), "\(text)")
                #expect(!text.contains("\u{1b}"))
            }
        }

        @Test(
            arguments: [
                ("pod/demo", "pod \"demo\""), ("svc/demo", "service \"demo\""),
                ("deploy/demo", "deployment \"demo\""), ("job/demo", "job \"demo\""),
                // Nobody has said that there is no such type.
                ("foo/demo", "list of types"),
            ],
            [
                (
                    "Content-Type: text/html\r\nContent-Length: 6", "<html>",
                    "(not JSON): it is text/html and says \"<html>\""
                ),
                ("Content-Length: 4", "null", "(no object): it is of no stated type and says \"null\""),
                (
                    "Content-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: 3",
                    "\u{1f}\u{8}x", "it is application/json (gzip) and says \"\\u{1f}\\u{8}x\""
                ),
            ]
        )
        func `an answer that is not what was asked for is shown, with what to look at`(
            target: (name: String, asked: String),
            answer: (fields: String, body: String, text: String)
        ) throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                let stub = try scenario.stub { socket in
                    // The whole request first, so that no reset overtakes the answer.
                    var head: [UInt8] = []
                    while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
                        guard let byte = try? socket.receive(1), !byte.isEmpty else { return }
                        head += byte
                    }
                    try? socket.send("HTTP/1.1 200 OK\r\n\(answer.fields)\r\n\r\n\(answer.body)")
                    socket.shutdownWriting()
                }
                let kubeconfig = try scenario.kubeconfig(server: "http://127.0.0.1:\(stub.port)")
                let text = try refusal(of: ["--kubeconfig", kubeconfig, target.name, ":80"], scenario)
                #expect(text.contains("no readable \(target.asked) ("), "\(text)")
                #expect(text.contains(answer.text), "\(text)")
                #expect(text.contains("(is there a login page or a proxy in between?"), "\(text)")
            }
        }

        @Test(
            arguments: ClusterKind.all(.ideal),
            [
                ("kubeconfig-token-forgotten", "pod/demo", "You must be logged in to the server"),
                ("kubeconfig-token-none", "pod/demo", "is forbidden"),
                ("kubeconfig-token", "pod/nope", "pods \"nope\" not found"),
            ]
        )
        func `a refusal is told in the server's words`(
            kind: ClusterKind,
            row: (kubeconfig: String, pod: String, message: String)
        ) throws {
            try Scenario.run(kind, within: .seconds(20)) { scenario in
                let path = try scenario.cluster.directory.appendingPathComponent(row.kubeconfig).path
                let text = try refusal(of: ["--kubeconfig", path, row.pod, ":80"], scenario)
                #expect(text.contains(row.message), "\(text)")
            }
        }

        @Test(arguments: [("500", "InternalError"), ("garbage", "127.0.0.1:")])
        func `an API server out of order is one line`(answer: String, message: String) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(20)) { scenario in
                try scenario.cluster.admin("POST", "/answer?status=\(answer)")
                let kubeconfig = try scenario.cluster.kubeconfig
                let text = try refusal(of: ["--kubeconfig", kubeconfig, "pod/demo", ":80"], scenario)
                #expect(text.contains(message), "\(text)")
            }
        }

        @Test func `a pod that does not run is refused with its state`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(20)) { scenario in
                try scenario.cluster.admin("POST", "/phase?pod=demo&phase=Pending")
                let kubeconfig = try scenario.cluster.kubeconfig
                let text = try refusal(of: ["--kubeconfig", kubeconfig, "pod/demo", ":80"], scenario)
                #expect(text.contains("pod is not running. Current status=Pending"), "\(text)")
            }
        }
    }

    @Suite struct `Verifying the server's certificate` {
        /// ffwd with the kubeconfig's text changed; the server must not have got a request.
        private func expectRefusal(
            _ scenario: Scenario,
            _ changed: (String) throws -> String
        ) throws {
            let before = try scenario.cluster.requestCount()
            let original = try String(contentsOfFile: scenario.cluster.kubeconfig, encoding: .utf8)
            let path = try scenario.file("changed", changed(original))
            let (exit, process) = try scenario.ffwd(["--kubeconfig", path, "pod/demo", ":80"])
            #expect(exit == .status(1))
            #expect(process.output.text.isEmpty)
            #expect(process.errors.lines.count == 1, "\(process.errors.text)")
            #expect(process.errors.text.contains("certificate"), "\(process.errors.text)")
            #expect(try scenario.cluster.requestCount() == before, "nothing may have been sent")
        }

        @Test(arguments: ClusterKind.all(.ideal))
        func `a certificate for another name is refused`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(20)) { scenario in
                try expectRefusal(scenario) { text in
                    text.replacingOccurrences(
                        of: "certificate-authority-data:",
                        with: "tls-server-name: other.example\n    certificate-authority-data:"
                    )
                }
            }
        }

        @Test(arguments: ClusterKind.all(.ideal))
        func `a certificate of an unknown authority is refused`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(20)) { scenario in
                // Another cluster's authority.
                try Scenario.run(kind, within: .seconds(20)) { other in
                    let foreign = try String(contentsOfFile: other.cluster.kubeconfig, encoding: .utf8)
                    let url = try scenario.cluster.url
                    let otherURL = try other.cluster.url
                    try expectRefusal(scenario) { _ in
                        foreign.replacingOccurrences(of: otherURL, with: url)
                    }
                }
            }
        }

        @Test(arguments: [["--expired"], ["--server-name", "other.example"]])
        func `an expired one and one for another name are refused`(options: [String]) throws {
            try Scenario.run(within: .seconds(20)) { scenario in
                let server = try scenario.start(
                    [Programs.miniCluster, "--dir", scenario.directory.path] + options
                )
                _ = try server.output.line(beginningWith: "ready ", until: scenario.deadline)
                let path = scenario.directory.appendingPathComponent("kubeconfig").path
                let (exit, process) = try scenario.ffwd(["--kubeconfig", path, "pod/demo", ":80"])
                #expect(exit == .status(1))
                #expect(process.output.text.isEmpty)
                #expect(process.errors.lines.count == 1, "\(process.errors.text)")
                #expect(process.errors.text.contains("certificate"), "\(process.errors.text)")
            }
        }
    }
}

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
    }
}

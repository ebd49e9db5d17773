import Testing

extension Integration {
    @Suite struct `Carrying bytes` {
        /// The few connections that write byte by byte, among those that write up to 256 KiB at once.
        @Test(
            arguments: ClusterKind.all(.ideal, .streaming) + ClusterKind.otherWays(.streaming)
                + ClusterKind.ourOtherWays,
            [1, 64]
        )
        func `what is sent comes back, on one connection and on 64`(kind: ClusterKind, connections: Int)
            throws
        {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7000)
                let bytes = kind.scaled(1 << 20)
                let report = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "\(connections)",
                    "--bytes",
                    "\(bytes)",
                    "--one-byte",
                    "\(connections / 16)"
                )
                #expect(report.counts == ["complete": connections], "\(report)")
                #expect(report.bytesReceived == connections * bytes)
            }
        }

        @Test(arguments: ClusterKind.all(.ideal, .containerd) + ClusterKind.otherWays(.containerd))
        func `what is sent comes back on a thousand connections at once`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(100)) { scenario in
                let forward = try scenario.forward(7000)
                let bytes = kind.scaled(1 << 20)
                let report = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "1000",
                    "--bytes",
                    "\(bytes)"
                )
                #expect(report.counts == ["complete": 1000], "\(report)")
                #expect(report.bytesReceived == 1000 * bytes)
                if kind.way == .channels {
                    // Some 64 handshakes at once, of which those that take longer than a second do not count.
                    #expect(try scenario.cluster.mostOpening() <= 256)
                }
                #expect(forward.process.errors.text.isEmpty)
            }
        }

        @Test(arguments: ClusterKind.all(.ideal) + ClusterKind.otherWays(.containerd))
        func `one byte at a time arrives as it was sent`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let forward = try scenario.forward(7000)
                let report = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--connections",
                    "3",
                    "--bytes",
                    kind.way == .webSocket ? "100000" : "20000",
                    "--one-byte",
                    "3"
                )
                #expect(report.counts == ["complete": 3], "\(report)")
            }
        }

        @Test(arguments: ClusterKind.all(.ideal, .containerd) + ClusterKind.otherWays(.containerd))
        func `a gigabyte comes down whole`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(100)) { scenario in
                let forward = try scenario.forward(7001)
                let bytes = kind.scaled(1 << 30)
                let report = try scenario.load("source", on: forward[7001], "--bytes", "\(bytes)")
                #expect(report.counts == ["complete": 1], "\(report)")
                #expect(report.bytesReceived == bytes)
            }
        }

        /// The pod's sink only counts, so what it got is compared on its way back.
        @Test(arguments: ClusterKind.all(.ideal) + ClusterKind.otherWays(.ideal))
        func `a gigabyte goes up whole`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(100)) { scenario in
                // One sink counts up to an end, which does not reach it by every way; the other knows what comes.
                let sink: UInt16 = kind.hasHalfClose ? 7002 : 7003
                let forward = try scenario.forward(7000, sink)
                let bytes = kind.scaled(1 << 30)
                let counted = try scenario.load(
                    kind.hasHalfClose ? "sink" : "counted-sink",
                    on: forward[sink],
                    "--bytes",
                    "\(bytes)"
                )
                #expect(counted.counts == ["complete": 1], "\(counted)")
                let compared = try scenario.load(
                    "echo",
                    on: forward[7000],
                    "--bytes",
                    "\(bytes / 2)",
                    "--half-close=\(kind.hasHalfClose)",
                    "--chunk",
                    "262144"
                )
                #expect(compared.counts == ["complete": 1], "\(compared)")
                #expect(compared.bytesReceived == bytes / 2)
            }
        }

        @Test(arguments: ClusterKind.everything + ClusterKind.otherWaysOfEverything)
        func `a pod that speaks first is heard`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(7009)
                // This client says nothing at all before it has read the greeting.
                let silent = try scenario.connect(to: forward[7009])
                #expect(try silent.receive(16) == Array("hello from demo\n".utf8))
                let report = try scenario.load("greeting", on: forward[7009], "--connections", "20")
                #expect(report.counts == ["complete": 20], "\(report)")
            }
        }

        @Test(arguments: ClusterKind.all(.containerd) + ClusterKind.otherWays(.containerd))
        func `an HTTP page is fetched, by way of IPv6 too`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(30)) { scenario in
                let forward = try scenario.forward(8080)
                for address in ["127.0.0.1", "::1"] where address != "::1" || SocketName.hasIPv6 {
                    let socket = try scenario.connect(to: forward[8080], at: address)
                    try socket.send(
                        "GET /bytes?n=100000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                    )
                    let (bytes, ending) = socket.receiveToEnd()
                    #expect(ending == .end)
                    #expect(bytes.starts(with: "HTTP/1.1 200 OK\r\n".utf8))
                    #expect(bytes.count > 100_000 && bytes.count < 101_000)
                }
            }
        }
    }
}

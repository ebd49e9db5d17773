import Foundation
import Testing

extension Integration {
    /// On containerd, an end that is passed on cuts the answer after a second: it is held while the client lives.
    @Suite struct `Holding a client's end` {
        @Test(arguments: [
            ClusterKind.goPeer(.containerd), .miniCluster(.containerd), .goPeer(.containerd).by(.channels),
        ])
        func `an answer that begins five seconds after it comes whole`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7008)
                let late = try scenario.load(
                    "wait",
                    on: forward[7008],
                    "--connections",
                    "4",
                    "--ms",
                    "5000",
                    "--half-close"
                )
                #expect(late.counts == ["complete": 4], "\(late)")
                #expect(forward.process.errors.text.isEmpty)
            }
        }

        @Test(arguments: ClusterKind.all(.containerd) + [.goPeer(.streaming)])
        func `a gigabyte that comes after it comes whole`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(100)) { scenario in
                let forward = try scenario.forward(7001)
                let bytes = kind.scaled(1 << 30)
                let report = try scenario.load(
                    "source",
                    on: forward[7001],
                    "--bytes",
                    "\(bytes)",
                    "--half-close"
                )
                #expect(report.counts == ["complete": 1], "\(report)")
                #expect(report.bytesReceived == bytes)
            }
        }

        /// Nobody reads an answer, so what arrived is asked of the pod itself.
        @Test(arguments: [
            ClusterKind.goPeer(.containerd), .goPeer(.streaming), .goPeer(.ideal),
            .goPeer(.containerd).by(.spdy), .goPeer(.containerd).by(.channels),
        ])
        func `of ten thousand clients that send and go every byte arrives, and nothing stays`(
            kind: ClusterKind
        ) throws {
            try Scenario.run(kind, within: .seconds(100)) { scenario in
                let forward = try scenario.forward(7002, 8080)
                let count = kind.scaled(10_000)
                let bytes = 1000
                let load = try scenario.load(
                    "send-and-go",
                    on: forward[7002],
                    "--connections",
                    "\(count)",
                    "--bytes",
                    "\(bytes)"
                )
                #expect(load.counts == ["complete": count], "\(load)")
                try scenario.poll(for: "\(count * bytes) bytes and no connection in the pod") {
                    let counts = try scenario.sinkCounts(by: forward[8080])
                    return counts == "\(count * bytes) bytes, 0 open, \(count) ended\n"
                }
                #expect(forward.process.errors.text.isEmpty)
            }
        }

        /// No answer is left that the end could cut, and the pod waits for nothing else.
        @Test(arguments: ClusterKind.all(.ideal) + [.goPeer(.ideal).by(.spdy)])
        func `behind the pod's own end it is passed on, though the client stays`(kind: ClusterKind) throws {
            try Scenario.run(kind, within: .seconds(20)) { scenario in
                let forward = try scenario.forward(7006, options: ["--half-close", "hold"])
                let socket = try scenario.connect(to: forward[7006])
                let (bytes, ending) = socket.receiveToEnd()
                #expect(bytes.isEmpty && ending == .end)
                try socket.send("the last that the pod hears")
                socket.shutdownWriting()
                try scenario.poll(for: "the end of the pod's connection") {
                    try scenario.cluster.liveConnectionCount() == 0
                }
                withExtendedLifetime(socket) {}
            }
        }

        /// Bytes that came right before the reset make it look like an end to libuv.
        @Test(arguments: [ClusterKind.goPeer(.ideal), .goPeer(.ideal).by(.spdy)])
        func `a client that resets in the middle of an upload is no end for the pod`(kind: ClusterKind) throws
        {
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let forward = try scenario.forward(7002, 8080)
                for bytes in [1, 100, 10_000, 300_000, 2_000_000] {
                    let load = try scenario.load(
                        "send-and-reset",
                        on: forward[7002],
                        "--connections",
                        "40",
                        "--bytes",
                        "\(bytes)"
                    )
                    #expect(load.counts == ["complete": 40], "\(load)")
                }
                try scenario.poll(for: "the end of the pod's connections") {
                    try scenario.cluster.liveConnectionCount() == 0
                }
                // The pod hears of the last ones a moment later than the server has let go of them.
                var counts = ""
                try scenario.poll(for: "the pod's own ends") {
                    counts = try scenario.sinkCounts(by: forward[8080])
                    return counts.contains(" 0 open")
                }
                #expect(counts == "0 bytes, 0 open, 0 ended\n", "\(counts)")
            }
        }
    }
}

extension Scenario {
    /// What the sink of the Go pod says of itself, by a local port to 8080.
    fileprivate func sinkCounts(by port: UInt16) throws -> String {
        let socket = try connect(to: port)
        try socket.send("GET /counts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        let answer = String(decoding: socket.receiveToEnd().bytes, as: UTF8.self)
        guard let head = answer.range(of: "\r\n\r\n") else { return answer }
        return String(answer[head.upperBound...])
    }
}

import Testing

@testable import FastForward
@testable import ffwd

@Suite struct `Choosing words` {
    private func refusal(_ words: [String]) throws -> String? {
        let command = try PortForwardCommand.parse(words + ["-s", "https://h", "demo", "80"])
        let error = #expect(throws: UsageError.self) {
            _ = try command.request(environment: [:], currentDirectory: "/")
        }
        return error?.description
    }

    @Test(arguments: ["1..100000", "0", "-1", "9..2", "x", "", "1.2", "257"])
    func `a number of tunnels that cannot be had is told what can`(value: String) throws {
        #expect(
            try refusal(["--tunnels", value])
                == "error: --tunnels \"\(value)\" is no number of tunnels: give 1 to 256, or the least and the most "
                + "(like 2..16)"
        )
    }

    @Test(arguments: ["1EiB", "-1", "0", "GiB", "9999999999GiB", "1.5GiB"])
    func `a size that is none is told what is one`(value: String) throws {
        #expect(
            try refusal(["--memory-limit", value])
                == "error: --memory-limit \"\(value)\" is no size: give bytes, KiB, MiB or GiB "
                + "(like 512MiB or 2GiB)"
        )
    }

    @Test func `what is too little for one tunnel says so of one tunnel`() throws {
        let text = try #require(try refusal(["--tunnels", "1", "--memory-limit", "1KiB"]))
        #expect(text.hasPrefix("error: --memory-limit 1KiB is too little for 1 tunnel: give"), "\(text)")
    }

    @Test func `one is told in the singular`() {
        #expect(Console.drainText(1, for: .seconds(2)).contains("for 1 open connection (the"))
        #expect(Console.drainText(2, for: .seconds(2)).contains("for 2 open connections (the"))
        for limit in [AcceptGate.Limit.connections, .memory, .descriptors(20)] {
            #expect(Console.fullText(1, limit).hasPrefix("1 connection is open, "))
            #expect(Console.fullText(32, limit).hasPrefix("32 connections are open, "))
        }
        var pod = TunnelStatistics()
        (pod.connections, pod.toPodBytes, pod.fromPodBytes, pod.opened) = (1, 1, 5, 1)
        var all = ForwarderStatistics(accepted: 1, open: 0, failures: [], pods: [("a", pod)])
        #expect(
            Console.summary(of: all) == [
                "summary: 1 connection accepted, 0 open, 0 failed",
                "summary: pod/a: 1 connection, 1 byte to it, 5 from it, 1 tunnel opened, 0 lost",
            ]
        )
        (pod.connections, pod.toPodBytes, pod.opened) = (2, 0, 3)
        all.accepted = 2
        all.pods = [("a", pod)]
        #expect(
            Console.summary(of: all) == [
                "summary: 2 connections accepted, 0 open, 0 failed",
                "summary: pod/a: 2 connections, 0 bytes to it, 5 from it, 3 tunnels opened, 0 lost",
            ]
        )
    }
}

import Foundation
import Testing

extension Integration {
    /// A server that is busy says so by 429 or 5xx with a `Retry-After`.
    @Suite struct `Being asked to come again` {
        /// A cluster, and kubectl that knows its types, so that it asks for nothing but what ffwd asks for.
        private func run(_ body: (Scenario, _ kubectl: [String], _ ffwd: [String]) throws -> Void) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let configured = ["--kubeconfig", try scenario.cluster.kubeconfig]
                let kubectl = [try Programs.kubectl()] + configured
                let process = try scenario.start(kubectl + ["api-resources"])
                #expect(try process.waitForExit(until: scenario.deadline) == .status(0))
                try body(scenario, kubectl + ["port-forward"], [Programs.ffwd] + configured)
            }
        }

        /// Has the server refuse requests from now on.
        private func refuse(_ scenario: Scenario, _ status: Int, retryAfter: String, times: Int? = nil) throws
        {
            let field = retryAfter.replacing(" ", with: "%20").replacing("+", with: "%2B")
            try scenario.cluster.admin(
                "POST",
                "/answer?status=\(status)&retry-after=\(field)" + (times.map { "&times=\($0)" } ?? "")
            )
        }

        @Test(arguments: [(429, "1"), (503, "0")])
        func `a request is made again as by kubectl, and the forward works`(
            status: Int,
            retryAfter: String
        ) throws {
            try run { scenario, kubectl, ffwd in
                for program in [kubectl, ffwd] {
                    try refuse(scenario, status, retryAfter: retryAfter, times: 3)
                    let before = ContinuousClock.now
                    let process = try scenario.start(program + ["svc/demo", ":7"])
                    _ = try process.output.line(beginningWith: "Forwarding from", until: scenario.deadline)
                    let seconds = Int64(retryAfter) ?? 0
                    #expect(ContinuousClock.now - before >= .seconds(3 * seconds))
                    #expect(process.errors.text.isEmpty, "\(process.errors.text)")
                    process.send(signal: SIGINT)
                    #expect(try process.waitForExit(until: scenario.deadline) == .status(0))
                }
            }
        }

        /// `requests`: how many ffwd makes; kubectl may have more to ask.
        @Test(
            arguments: [
                (status: 429, retryAfter: "0", requests: 11), (429, "-5", 11), (503, "0", 11),
                (500, "+0", 11),
                (429, "", 1), (429, "Wed, 21 Oct 2026 07:28:00 GMT", 1), (429, "1.5", 1),
                (503, "99999999999999999999", 1), (403, "0", 1),
            ]
        )
        func `a refusal that stays is told as by kubectl, after as many requests`(
            status: Int,
            retryAfter: String,
            requests: Int
        ) throws {
            try run { scenario, kubectl, ffwd in
                try refuse(scenario, status, retryAfter: retryAfter)
                var told: [String] = []
                var counts: [Int] = []
                for program in [kubectl, ffwd] {
                    let before = try scenario.cluster.requestCount()
                    let process = try scenario.start(program + ["svc/demo", ":7"])
                    #expect(try process.waitForExit(until: scenario.deadline) == .status(1))
                    #expect(process.output.text.isEmpty)
                    told.append(process.errors.text)
                    counts.append(try scenario.cluster.requestCount() - before)
                }
                #expect(told[0] == told[1])
                #expect(counts[1] == requests)
                #expect(counts[0] >= requests)
            }
        }

        @Test func `discovery that is refused is told as by kubectl, not as a type that is missing`() throws {
            try run { scenario, kubectl, ffwd in
                try refuse(scenario, 429, retryAfter: "0")
                let told = try [kubectl, ffwd].map { program in
                    let process = try scenario.start(program + ["foo/demo", ":7"])
                    #expect(try process.waitForExit(until: scenario.deadline) == .status(1))
                    return process.errors.lines.last ?? ""
                }
                #expect(told[0] == told[1])
            }
        }

        /// The tunnel to a pod, whose name is known, is asked for beside the pod, and refused as well.
        @Test func `a tunnel that was refused at the start is asked for again once the server is less busy`()
            throws
        {
            try run { scenario, _, ffwd in
                try refuse(scenario, 429, retryAfter: "1")
                let process = try scenario.start(ffwd + ["-v", "2", "pod/demo", ":7000"])
                try process.errors.wait(until: scenario.deadline, for: "refusals of all") { lines in
                    lines.contains { $0.contains("the server wants to be asked again later") }
                        && lines.count { $0.contains("no tunnel") } == 3
                }
                try scenario.cluster.admin("POST", "/answer?status=normal")
                let forward = try Forward(process, remotePorts: [7000], until: scenario.deadline)
                _ = try scenario.connectToEcho(forward[7000])
                // Not by what was left of the ways when the server was busy.
                let opened = try process.errors.line(containing: "tunnel opened", until: scenario.deadline)
                #expect(opened.contains("way=websocket"), "\(opened)")
            }
        }

        @Test func `it says at -v 1 that it waits, and can be interrupted`() throws {
            try run { scenario, _, ffwd in
                try refuse(scenario, 503, retryAfter: "300")
                let process = try scenario.start(ffwd + ["-v", "1", "svc/demo", ":7"])
                let line = try process.errors.line(
                    containing: "the server wants to be asked again later",
                    until: scenario.deadline
                )
                #expect(line.contains("notice ") && line.contains("/api/v1/namespaces/default/services/demo"))
                #expect(line.contains("after=300s") && line.contains("status=503"), "\(line)")
                process.send(signal: SIGINT)
                #expect(try process.waitForExit(until: scenario.deadline) == .signal(SIGINT))
            }
        }

        /// `requests`: how many there are at least and at most.
        @Test(
            arguments: [
                (retryAfter: "301", timeout: "0", requests: 1...1), ("3", "2", 1...1), ("1", "3", 2...3),
            ]
        )
        func `who would have to wait for too long has the refusal at once`(
            retryAfter: String,
            timeout: String,
            requests: ClosedRange<Int>
        ) throws {
            try run { scenario, _, ffwd in
                try refuse(scenario, 429, retryAfter: retryAfter)
                let before = try scenario.cluster.requestCount()
                let process = try scenario.start(ffwd + ["--request-timeout", timeout, "svc/demo", ":7"])
                #expect(try process.waitForExit(until: scenario.deadline) == .status(1))
                #expect(process.errors.text.hasPrefix("Error from server (TooManyRequests): "))
                #expect(requests.contains(try scenario.cluster.requestCount() - before))
            }
        }

        /// Lists that are refused go on with pauses, which begin short.
        @Test func `who follows pods asks no sooner than the server wants`() throws {
            try run { scenario, _, ffwd in
                // A request's own time is too short for it to be repeated: the pause is the watch's.
                let options = ["-v", "4", "--request-timeout", "3"]
                let process = try scenario.start(ffwd + options + ["pod/demo", ":7000"])
                _ = try process.output.line(beginningWith: "Forwarding from", until: scenario.deadline)
                try scenario.waitForWatches(1)
                try refuse(scenario, 429, retryAfter: "4", times: 1)
                let before = ContinuousClock.now
                try scenario.cluster.admin("POST", "/end-watches")
                try process.errors.wait(until: scenario.deadline, for: "a request behind the refusal") {
                    $0.drop { !$0.contains("status=429") }.dropFirst().contains { $0.contains("GET ") }
                }
                #expect(ContinuousClock.now - before >= .seconds(4))
            }
        }
    }
}

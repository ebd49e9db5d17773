import Foundation
import Testing

extension Integration {
    /// Whoever types `ffwd` for `kubectl port-forward` gets the same, word for word.
    @Suite struct `Doing as kubectl port-forward does` {
        @Test func `each command line prints, forwards and ends as kubectl's`() throws {
            let kind = ClusterKind.miniCluster(.ideal).with("--examples")
            try Scenario.run(kind, within: .seconds(150)) { scenario in
                let ports = try ParityPorts()
                defer { ports.close() }
                let runner = try ParityRunner(ParityRow.all, in: scenario, ports: ports)
                let (results, problems) = runner.run()
                for problem in problems { Issue.record("\(problem)") }
                #expect(results.count + problems.count == ParityRow.all.count)
                for result in results { Self.compare(result) }
            }
        }

        private static func compare(_ result: ParityRunner.Result) {
            let ffwd = result.ffwd
            var expected = result.kubectl
            if let difference = result.row.difference {
                if difference.hasHints {
                    expected.errors = ffwd.errors
                    let hint = /\ \(choose another local port, for example :\d+\)/
                    let plain = ffwd.errors.replacing(hint, with: "")
                    if plain == ffwd.errors || plain != result.kubectl.errors {
                        Issue.record("\(result)\nThese should differ by a hint.")
                    }
                }
                if let output = difference.output { expected.output = output }
                if let errors = difference.errors { expected.errors = errors + "\n" }
                if difference.isRefusal {
                    expected.output = ""
                    expected.heard = []
                    expected.exit = .status(1)
                }
                if ffwd == result.kubectl {
                    Issue.record("\(result)\nThere is no difference any more: \(difference.reason)")
                }
            }
            if ffwd != expected { Issue.record("\(result)\nexpected of ffwd: \(expected)") }
        }

        @Test func `the first pod that appears is taken, whatever its state`() throws {
            let kind = ClusterKind.miniCluster(.ideal).with("--examples")
            try Scenario.run(kind, within: .seconds(40)) { scenario in
                let target = ["deploy/nobody", ":7009"]
                let kubeconfig = ["--kubeconfig", try scenario.cluster.kubeconfig]
                let programs = [
                    try scenario.start([try Programs.kubectl()] + kubeconfig + ["port-forward"] + target),
                    try scenario.start([Programs.ffwd] + kubeconfig + target),
                ]
                // Long enough for both to watch, as a rule; it is the same if one of them only lists then.
                usleep(700_000)
                try scenario.cluster.admin("POST", "/create?pod=late&labels=app=nobody&life=starting")
                for program in programs {
                    #expect(try program.waitForExit(until: scenario.deadline) == .status(1))
                    #expect(
                        program.errors.text
                            == "error: unable to forward port because pod is not running. "
                            + "Current status=Pending\n"
                    )
                }
            }
        }
    }
}

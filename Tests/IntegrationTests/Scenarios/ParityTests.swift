import Foundation
import Testing

extension Integration {
    /// Whoever types `ffwd` for `kubectl port-forward` gets the same, word for word.
    @Suite struct `Doing as kubectl port-forward does` {
        @Test func `each command line prints, forwards and ends as kubectl's`() throws {
            let kind = ClusterKind.miniCluster(.ideal).with("--examples")
            try Scenario.run(kind, within: .seconds(150)) { scenario in
                try Self.compare(ParityRow.all, in: scenario)
            }
        }

        @Test func `so it is behind a base path, over IPv6, where there is the SPDY upgrade only`() throws {
            let kind = ClusterKind.miniCluster(.ideal)
                .with("--base-path", "/k8s/clusters/c-1", "--address", "::1", "--ways", "spdy")
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                try Self.compare(ParityRow.few, in: scenario)
            }
        }

        /// A pod's credential lies at a fixed path, which is made in a mount name space of the programs' own.
        @Test func `so it is in a pod`() throws {
            let kind = ClusterKind.miniCluster(.ideal).with("--examples")
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let directory = try scenario.cluster.directory
                let kubeconfig = try String(contentsOfFile: scenario.cluster.kubeconfig, encoding: .utf8)
                let address = try #require(try URL(string: scenario.cluster.url))
                let authority = try #require(
                    kubeconfig.firstMatch(of: /certificate-authority-data: (\S+)/)
                        .flatMap { Data(base64Encoded: String($0.1)) }
                )
                try authority.write(to: directory.appendingPathComponent("ca.crt"))
                let script = try scenario.file(
                    "in-pod",
                    """
                    set -e
                    mount -t tmpfs tmpfs /run
                    account=/run/secrets/kubernetes.io/serviceaccount
                    mkdir -p $account
                    cp '\(directory.path)/ca.crt' '\(directory.path)/token' $account
                    printf other > $account/namespace
                    exec "$@"
                    """
                )
                let wrapper = [try Programs.installed("unshare"), "--mount", "sh", script]
                let trial = try scenario.start(wrapper + ["test", "-d", "/var/run/secrets"])
                guard try trial.waitForExit(until: scenario.deadline) == .status(0) else {
                    try Test.cancel("no mount name spaces for us")
                }
                let setting = ParityRunner.Setting(
                    wrapper: wrapper,
                    environment: [
                        "KUBERNETES_SERVICE_HOST": address.host ?? "",
                        "KUBERNETES_SERVICE_PORT": "\(address.port ?? 0)", "KUBECONFIG": "",
                    ],
                    hasKubeconfig: false
                )
                try Self.compare(ParityRow.inPod, in: scenario, setting)
            }
        }

        private static func compare(
            _ rows: [ParityRow],
            in scenario: Scenario,
            _ setting: ParityRunner.Setting = .init()
        ) throws {
            let ports = try ParityPorts()
            defer { ports.close() }
            let runner = try ParityRunner(rows, in: scenario, ports: ports, setting: setting)
            let (results, problems) = try runner.run()
            for problem in problems { Issue.record("\(problem)") }
            for result in results { compare(result) }
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
                try scenario.waitForWatches(2)
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

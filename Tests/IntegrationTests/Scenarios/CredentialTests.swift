import Foundation
import Testing

extension Integration {
    @Suite struct `Showing a credential that changes` {
        /// Asks the pod for an echo, which may take a tunnel that is made first.
        private func echo(_ scenario: Scenario, _ forward: Forward) throws {
            let report = try scenario.load("echo", on: forward[7000])
            #expect(report.counts == ["complete": 1], "\(report)\n\(forward.process.transcript)")
        }

        @Test func `a plugin runs once at the start, and again when the server refuses its token`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let plugin = try Plugin(in: scenario)
                let forward = try scenario.forward(7000, kubeconfig: plugin.kubeconfig)
                try echo(scenario, forward)
                #expect(plugin.runCount == 1)
                // The old token is unknown from now on: whatever is opened next is refused once.
                try scenario.cluster.admin("POST", "/rotate")
                try scenario.cluster.cutTunnels()
                try echo(scenario, forward)
                #expect(plugin.runCount == 2)
                #expect(
                    !forward.process.errors.text.contains("Unauthorized"),
                    "\(forward.process.transcript)"
                )
            }
        }

        @Test func `a token that has expired is made anew for the next tunnel`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let plugin = try Plugin(
                    """
                    echo run >> DIRECTORY/runs
                    printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",'
                    printf '"status":{"token":"%s","expirationTimestamp":"%s"}}' \
                        "$(cat DIRECTORY/token)" "$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)"
                    """,
                    in: scenario
                )
                let forward = try scenario.forward(7000, kubeconfig: plugin.kubeconfig)
                let expiry = ContinuousClock.now + .seconds(3)
                let runs = plugin.runCount
                try scenario.poll(for: "the token's end") { ContinuousClock.now > expiry }
                try scenario.cluster.cutTunnels()
                try echo(scenario, forward)
                #expect(plugin.runCount > runs)
            }
        }

        @Test func `a token that nobody knows is refused for good after one run of the plugin`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let answer =
                    #"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"x"}}"#
                let plugin = try Plugin("echo run >> DIRECTORY/runs; echo '\(answer)'", in: scenario)
                let (exit, process) = try scenario.ffwd([
                    "--kubeconfig", plugin.kubeconfig, "pod/demo", ":80",
                ])
                #expect(exit == .status(1))
                #expect(process.errors.lines == ["error: You must be logged in to the server (Unauthorized)"])
                #expect(plugin.runCount == 1)
            }
        }

        @Test func `a new token in the kubeconfig is shown for every pod that is forwarded to`() throws {
            let kind = ClusterKind.miniCluster(.ideal).with("--pod", "demo", "--pod", "other")
            try Scenario.run(kind, within: .seconds(60)) { scenario in
                let process = try scenario.start([
                    Programs.ffwd, "--kubeconfig", scenario.cluster.tokenKubeconfig, "--tunnels", "1",
                    "--balance", "round-robin", "deploy/demo", ":7000",
                ])
                let forward = try Forward(process, remotePorts: [7000], until: scenario.deadline)
                func waitForTunnels() throws {
                    try scenario.poll(for: "a tunnel to each pod") {
                        try scenario.cluster.admin("GET", "/stats").contains("\"tunnels\":2,")
                    }
                }
                try waitForTunnels()
                try scenario.cluster.admin("POST", "/rotate")
                try scenario.cluster.cutTunnels()
                try waitForTunnels()
                try echo(scenario, forward)
            }
        }

        @Test func `a token file that has changed is read when the server refuses what it held`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let kubeconfig = try scenario.file(
                    "kubeconfig-file",
                    Plugin.kubeconfig(of: scenario, user: ["tokenFile: token"])
                )
                let forward = try scenario.forward(7000, kubeconfig: kubeconfig)
                try scenario.cluster.admin("POST", "/rotate")
                try scenario.cluster.cutTunnels()
                try echo(scenario, forward)
                #expect(
                    !forward.process.errors.text.contains("Unauthorized"),
                    "\(forward.process.transcript)"
                )
            }
        }

        @Test func `each client's WebSocket is opened with a token of its time`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let plugin = try Plugin(in: scenario)
                let options = ["--transport", "channels"]
                let forward = try scenario.forward(7000, options: options, kubeconfig: plugin.kubeconfig)
                try scenario.cluster.admin("POST", "/rotate")
                try echo(scenario, forward)
                #expect(plugin.runCount == 2)
            }
        }

        @Test func `a plugin's certificate is what the server sees`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let text = try String(contentsOfFile: scenario.cluster.kubeconfig, encoding: .utf8)
                func pem(_ field: String) throws -> String {
                    let value = try #require(text.firstMatch(of: Regex("\(field): (\\S+)"))?[1].substring)
                    let data = try #require(Data(base64Encoded: String(value)))
                    return String(decoding: data, as: UTF8.self)
                }
                let answer: [String: Any] = [
                    "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
                    "status": [
                        "clientCertificateData": try pem("client-certificate-data"),
                        "clientKeyData": try pem("client-key-data"),
                    ],
                ]
                let json = try JSONSerialization.data(withJSONObject: answer)
                _ = try scenario.file("answer", String(decoding: json, as: UTF8.self))
                let plugin = try Plugin("cat DIRECTORY/answer", in: scenario)
                try echo(scenario, scenario.forward(7000, kubeconfig: plugin.kubeconfig))
            }
        }

        @Test(arguments: [SIGINT, SIGTERM, SIGQUIT])
        func `a plugin that never ends stops neither a signal, nor stays behind`(signal: Int32) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                let plugin = try Plugin(
                    "sleep 987 & echo $$ $! > DIRECTORY/pids.new; mv DIRECTORY/pids.new DIRECTORY/pids; wait",
                    in: scenario
                )
                let process = try scenario.start([
                    Programs.ffwd, "--kubeconfig", plugin.kubeconfig, "pod/demo", ":80",
                ])
                let pids = scenario.directory.appendingPathComponent("pids")
                try scenario.poll(for: "the plugin") { FileManager.default.fileExists(atPath: pids.path) }
                process.send(signal: signal)
                let exit = try process.waitForExit(until: scenario.deadline)
                #expect(exit == .signal(signal))
                for text in try String(contentsOf: pids, encoding: .utf8).split(
                    whereSeparator: \.isWhitespace
                ) {
                    let pid = try #require(pid_t(text))
                    try scenario.poll(for: "the end of process \(pid)") { kill(pid, 0) != 0 }
                }
            }
        }

        @Test func `a request to a server that says nothing ends with the request's timeout`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(30)) { scenario in
                try scenario.cluster.admin("POST", "/answer?status=hang")
                let started = ContinuousClock.now
                let (exit, process) = try scenario.ffwd([
                    "--kubeconfig", scenario.cluster.kubeconfig, "--request-timeout", "500ms", "pod/demo",
                    ":80",
                ])
                #expect(ContinuousClock.now - started < .seconds(5) * Programs.patience)
                #expect(exit == .status(1))
                #expect(process.errors.text.contains("no answer from"), "\(process.transcript)")
                #expect(process.errors.text.contains("within 500 ms"), "\(process.transcript)")
            }
        }
    }

    @Suite struct `Running plugins as kubectl does` {
        struct Case: CustomTestStringConvertible {
            let name: String
            var body = Plugin.cluster
            var command: String?
            var mode = 0o755
            var interactiveMode = "Never"
            var more: [String] = []
            var testDescription: String { name }
        }

        private static func printing(_ status: String, version: String = "v1") -> String {
            """
            echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/\(version)",\
            "status":\(status)}'
            """
        }

        private static let cases: [Case] = [
            Case(
                name: "no such program, with a hint",
                command: "no-such-plugin",
                more: ["installHint: |", "  get it", "  there"]
            ),
            Case(name: "no such file", command: "/no/such"),
            Case(name: "no such file beside the kubeconfig", command: "./no-such"),
            Case(name: "not executable", mode: 0o644),
            Case(name: "exit status", body: "echo oops >&2; exit 3"),
            Case(name: "signal", body: "kill -9 $$"),
            Case(name: "another version", body: printing(#"{"token":"t"}"#, version: "v1beta1")),
            Case(name: "no status", body: printing("null")),
            Case(name: "nothing in the status", body: printing("{}")),
            Case(name: "half a pair", body: printing(#"{"clientKeyData":"k"}"#)),
            Case(name: "no PEM", body: printing(#"{"clientKeyData":"k","clientCertificateData":"c"}"#)),
            Case(name: "no terminal", interactiveMode: "Always"),
        ]

        /// What a program says to the end, and how it ends.
        private func outcome(
            _ command: [String],
            _ scenario: Scenario
        ) throws -> (exit: Subprocess.Exit, lines: [String]) {
            let process = try scenario.start(command)
            process.closeInput()
            let exit = try process.waitForExit(until: scenario.deadline)
            // klog's lines have a date.
            let lines = process.errors.lines.filter { $0.firstMatch(of: /^[EWI][0-9]{4}\s/) == nil }
            return (exit, lines)
        }

        @Test func `what goes wrong is told as kubectl tells it`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(90)) { scenario in
                for item in Self.cases {
                    let plugin = try Plugin(
                        item.body,
                        in: scenario,
                        command: item.command,
                        mode: item.mode,
                        interactiveMode: item.interactiveMode,
                        more: item.more
                    )
                    let arguments = ["--kubeconfig", plugin.kubeconfig, "pod/demo", ":80"]
                    let theirs = try outcome([Programs.kubectl(), "port-forward"] + arguments, scenario)
                    let ours = try outcome([Programs.ffwd] + arguments, scenario)
                    #expect(ours.exit == theirs.exit, "\(item.name)")
                    // kubectl runs a failing plugin several times, and logs all but the last.
                    let last = Array(theirs.lines.suffix(ours.lines.count))
                    #expect(ours.lines == last, "\(item.name)")
                }
            }
        }

        @Test(arguments: ["Always", "IfAvailable", "Never"])
        func `a plugin gets the terminal where it may have it`(interactiveMode: String) throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let plugin = try Plugin(
                    """
                    case $KUBERNETES_EXEC_INFO in *'"interactive":true'*) told=yes ;; *) told=no ;; esac
                    [ -t 0 ] && given=yes || given=no
                    echo "$told $given" > DIRECTORY/terminal
                    \(Plugin.cluster)
                    """,
                    in: scenario,
                    interactiveMode: interactiveMode
                )
                // script(1) runs it on a terminal of its own.
                let command = "exec '\(Programs.ffwd)' --kubeconfig '\(plugin.kubeconfig)' pod/demo :80"
                let process = try scenario.start([
                    Programs.installed("script"), "-qec", command, "/dev/null",
                ])
                _ = try process.output.line(beginningWith: "Forwarding from", until: scenario.deadline)
                let file = scenario.directory.appendingPathComponent("terminal")
                let terminal = try String(contentsOf: file, encoding: .utf8)
                #expect(terminal == (interactiveMode == "Never" ? "no no\n" : "yes yes\n"))
                #expect(plugin.runCount == 1)
            }
        }

        @Test func `a plugin is told what kubectl tells it`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let plugin = try Plugin(
                    """
                    printf %s "$KUBERNETES_EXEC_INFO" > DIRECTORY/info
                    env | grep -v ^KUBERNETES_EXEC_INFO= | sort > DIRECTORY/env
                    echo "$0" "$@" > DIRECTORY/arguments
                    \(Plugin.cluster)
                    """,
                    in: scenario,
                    more: [
                        "provideClusterInfo: true", "args: [one, 'two words']",
                        "env: [{name: HOME, value: /elsewhere}, {name: EXTRA, value: ''}]",
                    ],
                    cluster: [
                        "tls-server-name: localhost", "disable-compression: true",
                        "extensions: [{name: client.authentication.k8s.io/exec, extension: {a: [1, 2.5, null], b: x}}]",
                    ]
                )
                func told(_ command: [String]) throws -> (info: NSDictionary, env: String, arguments: String)
                {
                    let process = try scenario.start(
                        command + ["--kubeconfig", plugin.kubeconfig, "pod/demo", ":80"]
                    )
                    _ = try process.output.line(beginningWith: "Forwarding from", until: scenario.deadline)
                    process.send(signal: SIGINT)
                    _ = try process.waitForExit(until: scenario.deadline)
                    func read(_ name: String) throws -> String {
                        try String(
                            contentsOf: scenario.directory.appendingPathComponent(name),
                            encoding: .utf8
                        )
                    }
                    let json = try JSONSerialization.jsonObject(with: Data(read("info").utf8))
                    return (try #require(json as? NSDictionary), try read("env"), try read("arguments"))
                }
                let theirs = try told([Programs.kubectl(), "port-forward"])
                let ours = try told([Programs.ffwd])
                #expect(ours.info == theirs.info)
                // Names only: the environment of who runs the tests may hold anything.
                let differing = Set(ours.env.split(separator: "\n"))
                    .symmetricDifference(theirs.env.split(separator: "\n"))
                let names = differing.map { $0.prefix { $0 != "=" } }
                #expect(names.isEmpty)
                #expect(ours.arguments == theirs.arguments)
            }
        }
    }
}

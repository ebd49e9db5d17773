import Foundation
import Testing

@testable import FastForward

@Suite struct `Running credential plugins` {
    @Test func `fifty who ask get what one run gives, and those who come later the same`() throws {
        let plugins = try PluginScene()
        let source = try plugins.source(plugins.printing(#"{"token": "t"}"#, after: "sleep 0.1"))
        var answers: [String] = []
        for _ in 0..<50 {
            let ticket = source.request(on: plugins.scene.loop) { result in
                guard case .success(let issued) = result else { return }
                #expect(issued.isFresh)
                answers.append(issued.authorization?.revealed ?? "")
            }
            #expect(ticket != nil)
        }
        try plugins.scene.run { answers.count == 50 }
        #expect(answers.allSatisfy { $0 == "Bearer t" })
        var later: IssuedCredential?
        let ticket = source.request(on: plugins.scene.loop) { later = try? $0.get() }
        #expect(ticket == nil, "what is held is given at once")
        #expect(later?.isFresh == false)
        #expect(plugins.runCount == 1)
        try plugins.scene.finish()
    }

    struct Failing: CustomTestStringConvertible {
        let body: String
        let problem: String
        var testDescription: String { problem }

        /// `PLUGIN` in the problem is the script's path.
        init(_ body: String, _ problem: String) {
            self.body = body
            self.problem = problem
        }
    }

    @Test(arguments: [
        Failing("exit 3", "exec: executable PLUGIN failed with exit code 3"),
        Failing("kill -9 $$", "exec: executable PLUGIN failed with exit code -1"),
        Failing("echo hello", "decoding stdout: it is not JSON"),
        Failing("exec true", "decoding stdout: the plugin printed nothing"),
        Failing("exec yes", "decoding stdout: it is longer than \(ExecCredential.outputBytesMax) bytes"),
        Failing(
            "echo '\(PluginScene.answer("{}", version: "v1beta1"))'",
            "exec plugin is configured to use API version client.authentication.k8s.io/v1, "
                + "plugin returned version client.authentication.k8s.io/v1beta1"
        ),
        Failing(
            "echo '\(PluginScene.answer(#"{"clientKeyData": "k"}"#))'",
            "exec plugin returned only certificate or key, not both"
        ),
    ])
    func `what goes wrong is told in kubectl's words`(failing: Failing) throws {
        let plugins = try PluginScene()
        let path = try plugins.script(failing.body)
        let source = try plugins.source(path)
        guard case .failure(.execPlugin(let error)) = try plugins.ask(source) else {
            Issue.record("no credential can come of it")
            return
        }
        #expect(error.description == failing.problem.replacing("PLUGIN", with: path))
        try plugins.scene.finish()
    }

    @Test func `an answer may be YAML, and its last bytes may come from a process that is left behind`()
        throws
    {
        let plugins = try PluginScene()
        let text =
            "kind: ExecCredential\\napiVersion: client.authentication.k8s.io/v1\\nstatus: {token: t}\\n"
        let source = try plugins.source(plugins.script("(sleep 0.1; printf '\(text)') &"))
        #expect(try plugins.ask(source).get().authorization?.revealed == "Bearer t")
        try plugins.scene.finish()
    }

    /// A shell would run it; the kernel does not.
    @Test func `a script that names no interpreter is not run`() throws {
        let plugins = try PluginScene()
        for (name, text) in [("bare", "echo ran > \(plugins.files.path)/ran\n"), ("empty", "")] {
            try plugins.files.write(text, to: name)
            let path = plugins.files.path + "/" + name
            chmod(path, 0o755)
            guard case .failure(.execPlugin(let error)) = try plugins.ask(plugins.source(path)) else {
                Issue.record("no credential can come of it")
                return
            }
            #expect(error.description == "exec: fork/exec \(path): exec format error")
        }
        #expect(throws: (any Error).self) { try plugins.text("ran") }
        try plugins.scene.finish()
    }

    @Test func `whether a person would be asked is known before anybody is`() throws {
        let plugins = try PluginScene()
        let path = try plugins.printing(#"{"token": "t"}"#)
        let now = UnixTime(nanoseconds: EventLoop.wallClockNanoseconds)
        for (mode, isAsking) in [("Never", false), ("IfAvailable", true), ("Always", true)] {
            let credential = try plugins.access(path, mode: mode).credential
            #expect(credential.wouldAsk(wallTime: now, standardInputIsTerminal: true) == isAsking)
            #expect(!credential.wouldAsk(wallTime: now, standardInputIsTerminal: false))
        }
        var credential = try plugins.access(path, mode: "IfAvailable").credential
        guard case .run(let plugin) = try credential.request(at: Instant(nanoseconds: 0), wallTime: now)
        else {
            Issue.record("there is no credential yet")
            return
        }
        // Somebody is being asked already.
        #expect(!credential.wouldAsk(wallTime: now, standardInputIsTerminal: true))
        let text = PluginScene.answer(#"{"token": "t", "expirationTimestamp": "2026-01-01T00:00:00Z"}"#)
        _ = credential.pluginEnded(try ExecCredential(output: Array(text.utf8), of: plugin))
        let end = try #require(UnixTime(rfc3339: "2026-01-01T00:00:00Z"))
        let later = try #require(UnixTime(rfc3339: "2026-01-01T00:00:01Z"))
        #expect(!credential.wouldAsk(wallTime: end, standardInputIsTerminal: true))
        #expect(credential.wouldAsk(wallTime: later, standardInputIsTerminal: true))
        #expect(plugins.runCount == 0)
        try plugins.scene.finish()
    }

    @Test func `a program that cannot be started is told as kubectl tells it`() throws {
        let plugins = try PluginScene()
        func problem(_ command: String, mode: String = "Never") throws -> String {
            guard case .failure(let error) = try plugins.ask(plugins.source(command, mode: mode)) else {
                return ""
            }
            return error.description
        }
        let locked = try plugins.script("true", mode: 0o644)
        #expect(try problem(locked) == "exec: fork/exec \(locked): permission denied")
        #expect(try problem("/no/such") == "exec: fork/exec /no/such: no such file or directory")
        #expect(try problem("no-such-program") == "exec: executable no-such-program not found")
        if !StandardStreams.inputIsTerminal {
            #expect(
                try problem("sh", mode: "Always")
                    == "exec plugin cannot support interactive mode: standard input is not a terminal"
            )
        }
        try plugins.scene.finish()
    }

    @Test func `a program is looked for in the absolute directories of the path only`() throws {
        let plugins = try PluginScene()
        let path = try plugins.script("true", name: "tool")
        _ = try plugins.script("true", name: "locked/tool", mode: 0o644)
        let locked = plugins.files.path + "/locked"
        let found = ProgramSearch.find("tool", path: "/no/such:\(locked):\(plugins.files.path)")
        #expect(found == path)
        #expect(ProgramSearch.find("tool", path: locked) == nil)
        #expect(ProgramSearch.find("locked", path: plugins.files.path) == nil, "a directory is no program")
        #expect(ProgramSearch.find("", path: plugins.files.path) == nil)
        #expect(ProgramSearch.find("./tool", path: "") == "./tool")
        try plugins.scene.finish()
    }

    @Test func `the loop goes on while a plugin takes its time`() throws {
        let plugins = try PluginScene()
        let source = try plugins.source(plugins.printing(#"{"token": "t"}"#, after: "sleep 0.2"))
        var ticks = 0
        var timer: LoopTimer?
        timer = LoopTimer(loop: plugins.scene.loop) {
            ticks += 1
            timer?.schedule(at: plugins.scene.loop.now + .milliseconds(10))
        }
        timer?.schedule(at: plugins.scene.loop.now)
        _ = try plugins.ask(source).get()
        #expect(ticks >= 5)
        timer?.close()
        timer = nil
        try plugins.scene.finish()
    }

    @Test func `a credential that has expired is used by those who waited, and made again for the next`()
        throws
    {
        let plugins = try PluginScene()
        let status = #"{"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"}"#
        let source = try plugins.source(plugins.printing(status))
        for _ in 0..<2 { _ = try plugins.ask(source).get() }
        #expect(plugins.runCount == 2)
        try plugins.scene.finish()
    }

    @Test func `a refusal is worth another try unless the credential was made for it`() throws {
        let plugins = try PluginScene()
        let source = try plugins.source(plugins.printing(#"{"token": "t"}"#))
        let fresh = try plugins.ask(source).get()
        let held = try plugins.ask(source).get()
        #expect(source.wasRefused(held))
        let second = try plugins.ask(source).get()
        #expect(!source.wasRefused(second))
        #expect(!source.wasRefused(fresh), "an old refusal, and fresh then")
        #expect(plugins.runCount == 2)
        try plugins.scene.finish()
    }

    @Test func `who gives up is not called, and a failed run is made again for the next`() throws {
        let plugins = try PluginScene()
        let source = try plugins.source(plugins.script("echo run >> \(plugins.files.path)/runs; exit 1"))
        let ticket = source.request(on: plugins.scene.loop) { _ in Issue.record("it has given up") }
        try source.cancel(#require(ticket))
        guard case .failure = try plugins.ask(source) else {
            Issue.record("the run that was going on is for whoever waits")
            return
        }
        #expect(plugins.runCount == 1)
        _ = try plugins.ask(source)
        #expect(plugins.runCount == 2)
        try plugins.scene.finish()
    }

    @Test(arguments: [("", ""), ("trap '' TERM", ""), ("", "trap '' TERM")])
    func `closing ends a plugin and its children, even those that do not want to`(
        first: String,
        second: String
    ) throws {
        let plugins = try PluginScene()
        let pids = plugins.files.path + "/pids"
        let source = try plugins.source(
            plugins.script(
                "\(first)\n(echo $$ > \(pids).new; (\(second.isEmpty ? "true" : second); exec sleep 61) & echo $! >> \(pids).new; sleep 0.1; mv \(pids).new \(pids); wait)"
            )
        )
        _ = source.request(on: plugins.scene.loop) { _ in Issue.record("nobody is told") }
        try plugins.poll { FileManager.default.fileExists(atPath: pids) }
        #expect(source.isPluginAlive)
        source.close()
        try plugins.scene.run { !source.isPluginAlive }
        for text in try plugins.text("pids").split(separator: "\n") {
            try plugins.awaitEnd(of: #require(Int32(text)))
        }
        try plugins.scene.finish()
    }

    @Test func `a plugin gets its variables, nothing to read, and none of our descriptors`() throws {
        let plugins = try PluginScene()
        let before = try Self.sockets()
        var pair: (near: RecordingTransport, far: RecordingTransport)? = try plugins.scene.connectedPair()
        let ours = try Self.sockets().subtracting(before)
        #expect(ours.count >= 2)
        let directory = plugins.files.path
        let path = try plugins.printing(
            #"{"token": "t"}"#,
            after: """
                env > \(directory)/env
                ls -l /proc/self/fd > \(directory)/descriptors
                tr '\\0' '\\n' < /proc/$$/cmdline > \(directory)/arguments
                cat > \(directory)/input
                """
        )
        let more = ", args: [a, 'b c'], env: [{name: HOME, value: hunter2}, {name: HOME, value: hunter3}]"
        _ = try plugins.ask(plugins.source(path, more: more)).get()
        let environment = try plugins.text("env").split(separator: "\n")
        #expect(environment.filter { $0.hasPrefix("HOME=") } == ["HOME=hunter3"])
        #expect(environment.contains { $0.hasPrefix("PATH=") })
        #expect(
            environment.contains(
                #"KUBERNETES_EXEC_INFO={"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false}}"#
            )
        )
        #expect(try plugins.text("arguments").split(separator: "\n").suffix(2) == ["a", "b c"])
        let descriptors = try plugins.text("descriptors")
        for socket in ours { #expect(!descriptors.contains(socket)) }
        #expect(try plugins.text("input").isEmpty)
        pair?.near.close()
        pair?.far.close()
        pair = nil
        try plugins.scene.finish()
    }

    /// The sockets that this process has, such as `socket:[4711]`; whoever runs the tests has some open as well.
    private static func sockets() throws -> Set<String> {
        let manager = FileManager.default
        let links = try manager.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
            try? manager.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + $0)
        }
        return Set(links.filter { $0.hasPrefix("socket:") })
    }

    @Test func `a user who is to be left alone is neither asked nor told anything`() throws {
        let plugins = try PluginScene()
        let directory = plugins.files.path
        let path = try plugins.printing(
            #"{"token": "t"}"#,
            after: "ls -l /proc/self/fd > \(directory)/descriptors"
        )
        func ask(mode: String) throws -> Result<IssuedCredential, KubeconfigError> {
            var access = try plugins.access(path, mode: mode)
            access.leaveUserAlone()
            return try plugins.ask(CredentialSource(access.credential))
        }
        _ = try ask(mode: "IfAvailable").get()
        let descriptors = try plugins.text("descriptors").split(separator: "\n")
        #expect(descriptors.contains { $0.hasSuffix(" 0 -> /dev/null") })
        #expect(descriptors.contains { $0.hasSuffix(" 2 -> /dev/null") })
        guard case .failure(.execPlugin(.noTerminal)) = try ask(mode: "Always") else {
            Issue.record("it would have to ask")
            return
        }
        #expect(plugins.runCount == 1)
        try plugins.scene.finish()
    }

    @Test func `a text with a zero byte starts nothing`() throws {
        let plugins = try PluginScene()
        let source = try plugins.source(plugins.printing("{}"), more: #", args: ["a\0b"]"#)
        guard case .failure(let error) = try plugins.ask(source) else {
            Issue.record("C would see another argument")
            return
        }
        #expect(error.description.hasSuffix("invalid argument"))
        #expect(plugins.runCount == 0)
        try plugins.scene.finish()
    }
}

@Suite struct `What a connection shows the server` {
    private func prepare(
        _ endpoint: UpstreamEndpoint,
        _ plugins: PluginScene
    ) throws -> Result<UpstreamIdentity, UpstreamError> {
        var answer: Result<UpstreamIdentity, UpstreamError>?
        _ = endpoint.prepare(on: plugins.scene.loop) { answer = $0 }
        try plugins.scene.run { answer != nil }
        return try #require(answer)
    }

    /// A script that gives the certificate and the key in the two files.
    private func script(_ plugins: PluginScene) throws -> String {
        let quoted = #"$(sed 's/$/\\n/' FILE | tr -d '\n')"#
        let certificate = quoted.replacing("FILE", with: plugins.files.path + "/certificate")
        let key = quoted.replacing("FILE", with: plugins.files.path + "/key")
        let status = #"{"clientCertificateData": "CERTIFICATE", "clientKeyData": "KEY"}"#
        let answer = PluginScene.answer(status)
            .replacing("CERTIFICATE", with: "'\"\(certificate)\"'").replacing("KEY", with: "'\"\(key)\"'")
        return try plugins.script("printf '%s' '\(answer)'")
    }

    @Test func `another certificate of the plugin is another context, the same one is not`() throws {
        let plugins = try PluginScene()
        let maker = try CertificateMaker(commonName: "authority")
        func issue(_ name: String) throws {
            let identity = try maker.issueClient(commonName: name)
            try plugins.files.write(
                String(decoding: identity.certificatePEM, as: UTF8.self),
                to: "certificate"
            )
            try plugins.files.write(String(decoding: identity.keyPEM, as: UTF8.self), to: "key")
        }
        try issue("one")
        let endpoint = try UpstreamEndpoint(access: plugins.access(script(plugins)))
        let first = try prepare(endpoint, plugins).get()
        #expect(first.credential.identity != nil)
        #expect(first.credential.authorization == nil)
        _ = endpoint.wasRefused(first)
        let same = try prepare(endpoint, plugins).get()
        #expect(same.credential.number == 2)
        #expect(same.tls === first.tls)
        _ = endpoint.wasRefused(same)
        try issue("two")
        let other = try prepare(endpoint, plugins).get()
        #expect(other.tls !== first.tls)
        _ = endpoint.wasRefused(other)
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        try plugins.files.write(pem, to: "certificate")
        guard case .failure(let error) = try prepare(endpoint, plugins) else {
            Issue.record("it is no certificate")
            return
        }
        let text =
            "Unable to connect to the server: getting credentials: failed parsing client key/certificate: "
        #expect("\(error)".hasPrefix(text))
        try plugins.scene.finish()
    }
}

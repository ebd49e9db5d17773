import Foundation
import Testing

@testable import FastForward

@Suite struct `Reading what a user lets run` {
    private static let head = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n"
    private static let deny = head + "credentialPluginPolicy: DenyAll\n"

    private func kuberc(
        _ files: [String: String],
        flag: String? = nil,
        environment: [String: String] = [:]
    ) throws -> Kuberc {
        let directory = try TemporaryDirectory(files)
        var loader = KubeconfigLoader(
            environment: ["HOME": directory.path].merging(environment) { $1 },
            currentDirectory: directory.path
        )
        loader.explicitKuberc = flag
        return try Kuberc(loading: loader)
    }

    @Test func `the flag goes before the variable, and that before the file in the home directory`() throws {
        let files = [
            ".kube/kuberc": Self.head + "credentialPluginPolicy: home\n",
            "variable": Self.head + "credentialPluginPolicy: variable\n",
            "flag": Self.head + "credentialPluginPolicy: flag\n",
        ]
        #expect(try kuberc(files).pluginPolicy.name == "home")
        #expect(try kuberc(files, environment: ["KUBERC": "variable"]).pluginPolicy.name == "variable")
        #expect(
            try kuberc(files, flag: "flag", environment: ["KUBERC": "variable"]).pluginPolicy.name == "flag"
        )
        #expect(try kuberc(files, environment: ["KUBERC": "off"]) == kuberc([:]))
        #expect(try kuberc(files, flag: "flag", environment: ["KUBECTL_KUBERC": "FALSE"]) == kuberc([:]))
        #expect(throws: KubeconfigError.self) {
            try kuberc(files, flag: "flag", environment: ["KUBERC": "off"])
        }
    }

    @Test func `a file that was asked for must be good, the one at home only should`() throws {
        #expect(try kuberc([:]).warnings.isEmpty)
        #expect(throws: KubeconfigError.self) { try kuberc([:], flag: "none") }
        for bad in ["kind: Config", "[", Self.head + "credentialPluginPolicy: [1]"] {
            #expect(throws: KubeconfigError.self) { try kuberc(["k": bad], flag: "k") }
            #expect(try kuberc([".kube/kuberc": bad]).warnings.count == 1)
        }
        #expect(try kuberc(["k": "\n---\n"], flag: "k").pluginPolicy == .allowAll)
    }

    @Test func `the first preference among the documents counts, and what is not used is told`() throws {
        let text = "a: 1\n---\n\(Self.deny)defaults: [{command: port-forward}]\nfoo: 1\n---\n\(Self.head)"
        let kuberc = try kuberc(["k": text], flag: "k")
        #expect(kuberc.pluginPolicy.name == "DenyAll")
        #expect(kuberc.warnings.count == 2)
    }

    @Test(arguments: [
        ("", nil),
        ("credentialPluginPolicy: AllowAll", nil),
        ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: a}, {command: /b}]", nil),
        ("credentialPluginPolicy: allowAll", "unknown plugin policy: \"allowAll\""),
        (
            "credentialPluginAllowlist: [{name: a}]",
            "misconfigured credential plugin allowlist: plugin policy is \"\" but allowlist is non-nil"
        ),
        (
            "credentialPluginPolicy: Allowlist",
            "credential plugin policy set to \"Allowlist\", but allowlist is unspecified"
        ),
        (
            "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: []",
            "credential plugin policy set to \"Allowlist\", but allowlist is empty; use \"DenyAll\" policy instead"
        ),
        (
            "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: a}, {nam: b}]",
            "misconfigured credential plugin allowlist: empty allowlist entry #2"
        ),
        (
            "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: ./a//b/../c}]",
            "non-normalized file path: \"./a//b/../c\" vs \"a/c\""
        ),
    ])
    func `a policy that contradicts itself is refused`(lines: String, problem: String?) throws {
        let policy = try kuberc(["k": Self.head + lines], flag: "k").pluginPolicy
        do throws(ExecPluginError) {
            try policy.validate()
            #expect(problem == nil)
        } catch {
            #expect(error.description == problem)
        }
    }

    @Test(arguments: [
        ("tool", "/bin/tool", true),
        ("/bin/tool", "/bin/tool", true),
        ("/bin/../bin/tool", "/bin/../bin/tool", false),
        ("/opt/other", "/opt/other", true),
        ("other", "/opt/other", true),
        ("third", "/bin/third", false),
    ])
    func `a program is let run by its name or its path`(command: String, program: String, runs: Bool) throws {
        let policy = PluginPolicy(name: "Allowlist", allowlist: ["tool", "/opt/other"])
        let find = { (name: String) in name == "tool" ? "/bin/tool" : name.hasPrefix("/") ? name : nil }
        do throws(ExecPluginError) {
            try policy.check(command: command, program: program, find: find)
            #expect(runs)
        } catch {
            #expect(!runs)
        }
    }

    @Test func `a policy stops the plugin before it runs`() throws {
        let plugins = try PluginScene()
        let path = try plugins.printing(#"{"token": "t"}"#)
        let exec = "command: \"\(path)\", apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never"
        try plugins.files.write(kubeconfigText(user: "exec: {\(exec)}"), to: "config")
        try plugins.files.write(Self.deny, to: "kuberc")
        var loader = KubeconfigLoader(
            explicitFile: "config",
            environment: [:],
            currentDirectory: plugins.files.path
        )
        loader.explicitKuberc = "kuberc"
        let access = try ClusterAccess(loading: loader, flags: ClusterFlags())
        guard case .failure(let error) = try plugins.ask(CredentialSource(access.credential)) else {
            Issue.record("nothing may run")
            return
        }
        #expect(error.description == "plugin \"\(path)\" not allowed: policy set to \"DenyAll\"")
        #expect(plugins.runCount == 0)
        try plugins.scene.finish()
    }
}

@Suite struct `Reading files` {
    @Test func `a pipe is read to its end where it is read once, and refused elsewhere`() throws {
        let files = try TemporaryDirectory()
        let path = files.path + "/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        #expect(throws: FileProblem.self) { try BoundedFile.read(path) }
        let text = String(repeating: "x", count: 300_000)
        let writer = Thread {
            guard let handle = FileHandle(forWritingAtPath: path) else { return }
            try? handle.write(contentsOf: Data(text.utf8))
            try? handle.close()
        }
        writer.start()
        #expect(try BoundedFile.read(path, acceptsPipes: true) == Array(text.utf8))
    }

    @Test func `what cannot be read is told as the operating system tells it`() throws {
        let files = try TemporaryDirectory()
        func reason(_ path: String) -> String {
            do throws(FileProblem) {
                _ = try BoundedFile.read(path)
                return ""
            } catch {
                return error.reason
            }
        }
        #expect(reason(files.path) == "is a directory")
        #expect(reason(files.path + "/none") == "no such file or directory")
        #expect(reason("/dev/zero") == "larger than 16 MiB")
        #expect(reason("/dev/null").isEmpty)
    }
}

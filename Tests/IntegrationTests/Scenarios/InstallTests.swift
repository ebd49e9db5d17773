import Foundation
import Testing

extension Integration {
    @Suite struct `Being installed` {
        private static let files = [
            "bin/ffwd", "bin/kubectl-ffwd", "bin/kubectl_complete-ffwd",
            "share/bash-completion/completions/ffwd", "share/doc/ffwd/LICENSE", "share/doc/ffwd/README.md",
            "share/fish/vendor_completions.d/ffwd.fish", "share/man/man1/ffwd.1",
            "share/man/man1/kubectl-ffwd.1", "share/zsh/site-functions/_ffwd",
        ]

        /// The files and links below a directory, sorted.
        private func files(below directory: URL) throws -> [String] {
            let walk = FileManager.default.enumerator(atPath: directory.path)
            var found: [String] = []
            while let name = walk?.nextObject() as? String {
                let type = try FileManager.default.attributesOfItem(
                    atPath: directory.appendingPathComponent(name).path
                )[.type]
                if type as? FileAttributeType != .typeDirectory { found.append(name) }
            }
            return found.sorted()
        }

        /// Runs `make TARGET` on the programs under test, which it does not build.
        private func make(_ target: String, _ variables: String..., in scenario: Scenario) throws {
            let arguments = [
                "make", "-s", "-C", Programs.root.path, target, "RELEASE=\(Programs.directory.path)",
            ]
            try run(arguments + variables, in: scenario)
        }

        @discardableResult
        private func run(
            _ arguments: [String],
            environment: [String: String] = [:],
            in scenario: Scenario
        ) throws -> String {
            let process = try scenario.start(arguments, environment: environment)
            #expect(try process.waitForExit(until: scenario.deadline) == .status(0), "\(process.transcript)")
            return process.output.text
        }

        @Test func `make install and uninstall put and take the same files, in a path with spaces`() throws {
            try Scenario.run(within: .seconds(30)) { scenario in
                let prefix = scenario.directory.appendingPathComponent("my own/prefix")
                let strange = prefix.appendingPathComponent("share/doc/ffwd/notes")
                try make("install", "PREFIX=\(prefix.path)", in: scenario)
                #expect(try files(below: prefix) == Self.files)
                // Again, over what is there.
                try make("install", "PREFIX=\(prefix.path)", in: scenario)
                try "mine".write(to: strange, atomically: true, encoding: .utf8)
                try make("uninstall", "PREFIX=\(prefix.path)", in: scenario)
                #expect(try files(below: prefix) == ["share/doc/ffwd/notes"])
                try FileManager.default.removeItem(at: strange)
                try make("uninstall", "PREFIX=\(prefix.path)", in: scenario)
                #expect(!FileManager.default.fileExists(atPath: prefix.path + "/share/doc/ffwd"))

                let stage = scenario.directory.appendingPathComponent("stage")
                try make("install", "DESTDIR=\(stage.path)", "PREFIX=/usr", in: scenario)
                #expect(try files(below: stage) == Self.files.map { "usr/" + $0 })
            }
        }

        @Test func `kubectl runs it and completes it, and the manual is well formed`() throws {
            try Scenario.run(.miniCluster(.ideal), within: .seconds(60)) { scenario in
                let prefix = scenario.directory.appendingPathComponent("prefix")
                try make("install", "PREFIX=\(prefix.path)", in: scenario)
                let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
                let environment = try [
                    "PATH": "\(prefix.path)/bin:\(path)", "KUBECONFIG": scenario.cluster.kubeconfig,
                ]

                let process = try scenario.start(
                    [Programs.kubectl(), "ffwd", "pod/demo", ":7009"],
                    environment: environment
                )
                let forward = try Forward(process, remotePorts: [7009], until: scenario.deadline)
                let socket = try scenario.connect(to: forward[7009])
                #expect(try socket.receive(5) == Array("hello".utf8))
                process.send(signal: SIGINT)
                #expect(try process.waitForExit(until: scenario.deadline) == .status(0))

                let usage = try scenario.start([Programs.kubectl(), "ffwd"], environment: environment)
                #expect(try usage.waitForExit(until: scenario.deadline) == .status(1))
                #expect(usage.errors.text.contains("See 'kubectl ffwd --help'"))

                let completed = try run(
                    [Programs.kubectl(), "__complete", "ffwd", "demo", "80:ht"],
                    environment: environment,
                    in: scenario
                )
                #expect(completed == "80:http\t8080\n:4\n")

                for page in ["ffwd.1", "kubectl-ffwd.1"] {
                    let file = "\(prefix.path)/share/man/man1/\(page)"
                    _ = try run([Programs.installed("mandoc"), "-Tlint", "-Wwarning", file], in: scenario)
                }
            }
        }

        @Test func `an archive holds what would be installed, and a krew manifest that krew takes`() throws {
            try Scenario.run(within: .seconds(60)) { scenario in
                let target = scenario.directory.appendingPathComponent("archives")
                let script = Programs.root.appendingPathComponent("scripts/archive").path
                let home = "https://example.org/ffwd"
                try run(
                    [script, Programs.directory.path, target.path],
                    environment: ["HOMEPAGE": home],
                    in: scenario
                )
                let version = try run([Programs.ffwd, "--version"], in: scenario).split(separator: "\n")[0]
                let made = try files(below: target)
                let archive = try #require(made.first { $0.hasSuffix(".tar.gz") })
                let name = String(archive.dropLast(".tar.gz".count))
                #expect(made == ["ffwd.yaml", archive, archive + ".sha256"].sorted())
                #expect(["amd64", "arm64"].map { "ffwd-\(version)-linux-\($0)" }.contains(name))
                let packed = try run(["tar", "-tzf", target.path + "/" + archive], in: scenario)
                    .split(separator: "\n").map(String.init).filter { !$0.hasSuffix("/") }
                #expect(packed.sorted() == Self.files.map { "\(name)/\($0)" }.sorted())

                let manifest = try KrewManifest(file: target.appendingPathComponent("ffwd.yaml"))
                #expect(manifest.problems() == [])
                #expect(manifest["version"] == "v\(version)")
                #expect(manifest["homepage"] == home)
                #expect(manifest["uri"] == "\(home)/releases/download/v\(version)/\(archive)")
                #expect(manifest["arch"].map { name.hasSuffix($0) } == true)
                let sum = try run(["sha256sum", target.path + "/" + archive], in: scenario)
                #expect(manifest["sha256"].map { sum.hasPrefix($0 + " ") } == true)
                let files = manifest.copied.map { from in
                    packed.filter { fnmatch(from, $0, FNM_PATHNAME) == 0 }
                }
                #expect(files == [["\(name)/bin/ffwd"], ["\(name)/share/doc/ffwd/LICENSE"]])
            }
        }
    }
}

/// A krew manifest with one platform, read line by line.
private struct KrewManifest {
    private let lines: [String]

    init(file: URL) throws {
        lines = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
    }

    /// The value of the first line with this key.
    subscript(key: String) -> String? {
        for line in lines {
            let text = line.trimmingCharacters(in: CharacterSet(charactersIn: " -"))
            if text.hasPrefix(key + ": ") { return String(text.dropFirst(key.count + 2)) }
        }
        return nil
    }

    /// What is copied out of the archive, in order.
    var copied: [String] {
        lines.filter { $0.contains("- from: ") }.compactMap { $0.components(separatedBy: "from: ").last }
    }

    /// What krew (`pkg/index/validation`) and the rules of krew-index refuse.
    func problems() -> [String] {
        var problems: [String] = []
        func expect(_ key: String, _ pattern: String) {
            let value = self[key] ?? ""
            if value.range(of: "^(\(pattern))$", options: .regularExpression) == nil {
                problems.append("\(key) is “\(value)”")
            }
        }
        expect("apiVersion", "krew\\.googlecontainertools\\.github\\.com/v1alpha2")
        expect("kind", "Plugin")
        expect("name", "(?!kube)[a-z][a-z0-9]*(-[a-z0-9]+)*")
        expect("version", "v[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?")
        expect("homepage", "https://\\S+")
        expect("shortDescription", "[A-Z].{8,49}[^.]")
        expect("description", "\\|")
        expect("os", "linux")
        expect("arch", "amd64|arm64")
        expect("uri", "https://\\S+\\.(tar\\.gz|zip)")
        expect("sha256", "[0-9a-f]{64}")
        expect("bin", "ffwd")
        for line in lines
        where line.contains("@") || line.hasSuffix(" ") || line.count > 90 && !line.contains("uri:") {
            problems.append("odd line: \(line)")
        }
        return problems
    }
}

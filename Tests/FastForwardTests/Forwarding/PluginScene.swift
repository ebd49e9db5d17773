import Foundation
import Testing

@testable import FastForward

/// A loop and a directory in which a test writes plugins: shell scripts that are really run.
final class PluginScene {
    let scene: LoopScene
    let files: TemporaryDirectory

    init() throws {
        scene = try LoopScene()
        files = try TemporaryDirectory()
    }

    /// What a plugin prints that gives `status`, a JSON object.
    static func answer(_ status: String, version: String = "v1") -> String {
        #"{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/\#(version)", "status": \#(status)}"#
    }

    /// Writes a script that anybody may run, unless `mode` says otherwise.
    ///
    /// - Returns: its path.
    func script(_ body: String, name: String = "plugin", mode: Int = 0o755) throws -> String {
        let path = files.path + "/" + name
        try files.write("#!/bin/sh\n\(body)\n", to: name + ".text")
        // A file that this process had written would be busy while a child that is forked by another test holds it.
        let copying = Process()
        copying.executableURL = URL(filePath: "/usr/bin/install")
        copying.arguments = ["-m", String(mode, radix: 8), path + ".text", path]
        try copying.run()
        copying.waitUntilExit()
        return path
    }

    /// A script that prints `status`, and whatever `more` does before.
    func printing(_ status: String, after more: String = "", name: String = "plugin") throws -> String {
        try script("echo run >> \(files.path)/runs\n\(more)\necho '\(Self.answer(status))'", name: name)
    }

    /// How often the scripts of ``printing(_:after:name:)`` have run.
    var runCount: Int {
        let text = (try? String(contentsOfFile: files.path + "/runs", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").count
    }

    /// What a script has written to a file of the directory.
    func text(_ name: String) throws -> String {
        try String(contentsOfFile: files.path + "/" + name, encoding: .utf8)
    }

    /// The access of a user whose credential the plugin gives.
    func access(_ command: String, more: String = "", mode: String = "Never") throws -> ClusterAccess {
        let exec =
            "command: \"\(command)\", apiVersion: client.authentication.k8s.io/v1, interactiveMode: \(mode)"
        return try ClusterAccess.resolving(kubeconfigText(user: "exec: {\(exec)\(more)}"), in: files.path)
    }

    func source(_ command: String, more: String = "", mode: String = "Never") throws -> CredentialSource {
        CredentialSource(try access(command, more: more, mode: mode).credential)
    }

    /// Asks and waits for the answer.
    func ask(_ source: CredentialSource) throws -> Result<IssuedCredential, KubeconfigError> {
        var answer: Result<IssuedCredential, KubeconfigError>?
        _ = source.request(on: scene.loop) { answer = $0 }
        try scene.run { answer != nil }
        return try #require(answer)
    }

    /// Waits for what no event of the loop tells.
    func poll(until isDone: () -> Bool) throws {
        var timer: LoopTimer?
        timer = LoopTimer(loop: scene.loop) { [unowned self] in
            timer?.schedule(at: scene.loop.now + .milliseconds(10))
        }
        timer?.schedule(at: scene.loop.now)
        defer {
            timer?.close()
            timer = nil
        }
        try scene.run(until: isDone)
    }

    /// Waits until nobody has a process of this number any more; whoever reaps an orphan may take his time.
    func awaitEnd(of process: Int32) throws {
        try poll { kill(process, 0) != 0 || Self.isZombie(process) }
    }

    private static func isZombie(_ process: Int32) -> Bool {
        let status = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        return status.split(separator: ")").last?.hasPrefix(" Z") ?? true
    }
}

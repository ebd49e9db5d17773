import Foundation
import Testing

/// Where the programs are that the scenarios run.
///
/// Ours lie beside the test bundle, or in `FFWD_BIN_DIR` (`make check` names the release build's directory: the heavy
/// scenarios are made for that). The Go programs lie in `.build/peers`, and are built there where they are missing.
enum Programs {
    private static let environment = ProcessInfo.processInfo.environment
    private static let chosenDirectory = environment["FFWD_BIN_DIR"].map { URL(fileURLWithPath: $0) }
    static let directory = chosenDirectory ?? bundleDirectory
    private static let bundleDirectory = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent()
    /// The project's directory.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Whether the heavy scenarios run at full size: an unoptimised ffwd would take minutes.
    static let isFullSize = chosenDirectory?.lastPathComponent == "release"

    /// `bytes` or `count` at full size, a sixteenth of it for an unoptimised ffwd.
    static func scaled(_ size: Int) -> Int { isFullSize ? size : max(1, size / 16) }

    /// Whether they are built with a sanitizer (`make sanitize`).
    private static let isSanitized = [".build-asan", ".build-tsan"].contains(
        where: directory.pathComponents.contains
    )

    /// How many times longer than an ordinary build they may take.
    static let patience = isSanitized ? 4 : 1

    /// Whether memory tells anything: sanitizers keep what was freed.
    static let isMemoryMeasurable = !isSanitized

    static let ffwd = directory.appendingPathComponent("ffwd").path
    static let miniCluster = directory.appendingPathComponent("minicluster").path

    /// A program of `Tests/Peers`, or the soak of `Tests/Soak`, built now if it is not there.
    static func peer(_ name: String) throws -> String {
        let (path, failure) = peers
        if let failure { try missing(failure) }
        return path + "/ffwd-\(name)"
    }

    /// The real kubectl.
    static func kubectl() throws -> String { try installed("kubectl") }

    /// A program that `scripts/install-dependencies check` installs, or that must be there already.
    static func installed(_ program: String) throws -> String {
        guard let path = found(program) else { try missing("\(program) is not installed") }
        return path
    }

    private static let peers: (path: String, failure: String?) = {
        let path = root.appendingPathComponent(".build/peers").path
        let programs = ["apiserver", "client", "pod", "soak"].map { "\(path)/ffwd-\($0)" }
        if programs.allSatisfy({ FileManager.default.isExecutableFile(atPath: $0) }) { return (path, nil) }
        guard found("go") != nil else { return (path, "go is not installed: Tests/Peers cannot be built") }
        do {
            for script in ["Tests/Peers/build.sh", "Tests/Soak/build.sh"] {
                let build = try Subprocess([root.appendingPathComponent(script).path, path])
                defer { build.kill() }
                guard try build.waitForExit(until: Deadline(in: .seconds(120))) == .status(0) else {
                    return (path, "\(script) failed: \(build.transcript)")
                }
            }
            return (path, nil)
        } catch {
            return (path, "the peers could not be built: \(error)")
        }
    }()

    /// Skips the test for want of a program; where everything must be there (`CI=true`), fails it.
    private static func missing(_ what: String) throws -> Never {
        if environment["CI"] == "true" { throw ScenarioError(what) }
        try Test.cancel("\(what)")
    }

    private static func found(_ program: String) -> String? {
        let directories = (environment["PATH"] ?? "").split(separator: ":")
        return directories.map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

import Foundation
import Testing

@Suite struct `Keeping the house` {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Folders that hold no text of ours: what is built, and bytes recorded or generated.
    private static let passedOver: Set<String> = [
        "Tests/FastForwardTests/Vectors", "Tests/Fuzzing/Corpus", "Tests/Fuzzing/Regressions",
        "benchmarks/results", "Tests/Soak/results",
        "demo",
    ]
    private static let textNames: Set<String> = [
        "swift", "md", "h", "modulemap", "sh", "go", "c", "py", "yml", "yaml", "", "json",
    ]

    /// All text files of the project, read once.
    private static let files: [SourceText] = {
        var files: [SourceText] = []
        let keys: [URLResourceKey] = [.isDirectoryKey]
        let walk = FileManager.default.enumerator(at: root, includingPropertiesForKeys: keys)
        while let url = walk?.nextObject() as? URL {
            let name = url.lastPathComponent
            let path = String(url.path.dropFirst(root.path.count + 1))
            let isFolder = (try? url.resourceValues(forKeys: Set(keys)))?.isDirectory ?? false
            if isFolder {
                let isHidden = name.hasPrefix(".") && name != ".ci"
                if isHidden || passedOver.contains(path) { walk?.skipDescendants() }
                continue
            }
            guard textNames.contains(url.pathExtension), name != "LICENSE", name != "Package.resolved",
                !name.hasPrefix("."), let text = try? String(contentsOf: url, encoding: .utf8)
            else { continue }
            files.append(SourceText(path: path, text: text))
        }
        return files.sorted { $0.path < $1.path }
    }()

    private func expectNone(_ complaints: [String], _ location: SourceLocation = #_sourceLocation) {
        #expect(complaints.isEmpty, "\n\(complaints.joined(separator: "\n"))", sourceLocation: location)
    }

    @Test func `the project's files are found`() {
        #expect(Self.files.contains { $0.path == "Package.swift" })
        #expect(Self.files.contains { $0.path == "Makefile" })
        #expect(Self.files.contains { $0.path == "Sources/FastForward/Loop/Transport.swift" })
    }

    @Test func `a foreign library is imported in one folder`() {
        expectNone(Self.files.flatMap { TidyRules.imports(of: $0) })
    }

    @Test func `a lower layer names no higher one`() {
        expectNone(TidyRules.layers(of: Self.files))
    }

    @Test func `memory safety is given up in few places`() {
        expectNone(Self.files.flatMap { TidyRules.unsafety(of: $0) })
    }

    @Test func `a file has one purpose and at most 600 lines`() {
        expectNone(Self.files.flatMap { TidyRules.length(of: $0) })
    }

    @Test func `nothing is left for later`() {
        expectNone(Self.files.flatMap { TidyRules.leftovers(of: $0) })
    }

    @Test func `nothing waits for a time where it could wait for an event`() {
        expectNone(Self.files.flatMap { TidyRules.sleeps(of: $0) })
    }

    @Test func `no line ends in white space`() {
        expectNone(Self.files.flatMap { TidyRules.trailingSpace(of: $0) })
    }

    @Test func `links in the documents lead somewhere`() {
        let manager = FileManager.default
        expectNone(
            Self.files.flatMap { file in
                TidyRules.links(of: file) { manager.fileExists(atPath: Self.root.appending(path: $0).path) }
            }
        )
    }
}

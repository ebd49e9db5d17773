import Foundation
import Testing

@testable import ffwd

@Suite struct `The manual page` {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The options that a list of the page explains: in mdoc, `Fl n , Fl -namespace` is `-n, --namespace`.
    private static func explained() throws -> [String] {
        let page = try String(contentsOf: root.appending(path: "packaging/man/ffwd.1"), encoding: .utf8)
        return page.split(separator: "\n").filter { $0.hasPrefix(".It Fl ") }.flatMap { line in
            line.matches(of: /Fl (-?[A-Za-z][A-Za-z0-9-]*)/).map { "-\($0.1)" }
        }
    }

    @Test func `explains every option that help shows, once, and no other`() throws {
        let shown = OptionTable.ofCommand().options.filter(\.isShown).flatMap(\.names)
        #expect(shown.count > 20)
        #expect(try Self.explained().sorted() == shown.sorted())
    }
}

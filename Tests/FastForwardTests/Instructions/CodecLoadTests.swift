import CodecLoads
import Foundation
import Testing

@Suite struct `Loads that are counted and timed` {
    @Test(arguments: CodecLoad.allCases)
    func `do the same work each time`(_ load: CodecLoad) {
        let prepared = load.prepared()
        let frames = prepared.run()
        #expect(frames > 0)
        for _ in 0..<2 { #expect(prepared.run() == frames) }
    }

    @Test func `are all in each record of instructions, and nothing else is`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        let records = try FileManager.default.contentsOfDirectory(
            at: root.appending(path: "benchmarks/baselines"),
            includingPropertiesForKeys: nil
        )
        #expect(!records.isEmpty)
        for record in records {
            let lines = try String(contentsOf: record, encoding: .utf8).split(separator: "\n")
            let names = lines.compactMap { $0.split(separator: " ").first.map(String.init) }
            #expect(names == CodecLoad.allCases.map(\.rawValue), "\(record.lastPathComponent)")
        }
    }
}

import Foundation
import FuzzedDecoders
import Testing

@Suite struct `Replaying what the fuzzer found` {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fuzzing")

    @Test(arguments: FuzzedDecoder.allCases)
    func `a decoder keeps its promise`(_ decoder: FuzzedDecoder) throws {
        for collection in ["Corpus", "Regressions"] {
            let place = Self.folder.appending(path: "\(collection)/\(decoder.rawValue)")
            let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
            #expect(collection == "Regressions" || !names.isEmpty, "no seeds in \(place.path)")
            for name in names.sorted() {
                let bytes = try [UInt8](Data(contentsOf: place.appending(path: name)))
                let violation = decoder.violation(by: bytes)
                #expect(violation == nil, "\(collection)/\(decoder.rawValue)/\(name)")
            }
        }
    }
}

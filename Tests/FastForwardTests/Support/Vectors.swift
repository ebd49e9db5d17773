import Foundation

/// Bytes that real peers sent; `Vectors/README.md` says how they were recorded.
enum Vectors {
    static func bytes(_ name: String) throws -> [UInt8] {
        guard let url = Bundle.module.url(forResource: name, withExtension: nil, subdirectory: "Vectors")
        else {
            throw CocoaError(.fileNoSuchFile)
        }
        return try [UInt8](Data(contentsOf: url))
    }
}

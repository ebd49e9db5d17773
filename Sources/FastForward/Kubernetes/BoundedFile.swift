#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

/// Why a file could not be read, in the words of the system call that failed.
package struct FileProblem: Error, Equatable, CustomStringConvertible {
    package let path: String
    /// Such as `no such file or directory`.
    package let reason: String
    package let isMissing: Bool

    init(_ path: String, _ reason: String, isMissing: Bool = false) {
        self.path = path
        self.reason = reason
        self.isMissing = isMissing
    }

    package var description: String { "open \(path): \(reason)" }
}

/// Reads whole small files: kubeconfigs, certificates, tokens.
enum BoundedFile {
    /// A kubeconfig of a thousand clusters with embedded certificates has about 6 MiB.
    static let bytesMax = 16 << 20

    /// The contents of the file at `path`, which must be a regular one.
    ///
    /// FoundationEssentials reads no others; `/dev/null` counts as empty.
    static func read(_ path: String) throws(FileProblem) -> [UInt8] {
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        let attributes = try? FileManager.default.attributesOfItem(atPath: target)
        switch attributes?[.type] as? FileAttributeType {
        case .some(.typeDirectory): throw FileProblem(path, "is a directory")
        case .some(.typeCharacterSpecial), .some(.typeBlockSpecial):
            guard path == "/dev/null" else { throw FileProblem(path, "is a device") }
            return []
        case .some(.typeRegular):
            guard (attributes?[.size] as? UInt64 ?? 0) <= bytesMax else { throw tooLarge(path) }
        case .some, .none: break
        }
        let bytes: [UInt8]
        do {
            bytes = try [UInt8](Data(contentsOf: URL(filePath: path)))
        } catch {
            switch (error as? CocoaError)?.code {
            case .some(.fileReadNoSuchFile), .some(.fileNoSuchFile):
                throw FileProblem(path, "no such file or directory", isMissing: true)
            case .some(.fileReadNoPermission):
                // So it reports pipes as well; `<(…)` of a shell is one.
                let isPipe =
                    path.hasPrefix("/dev/") || (attributes?[.type] as? FileAttributeType) == .typeUnknown
                throw FileProblem(path, isPipe ? "is a pipe, which cannot be read here" : "permission denied")
            case .some, .none: throw FileProblem(path, "cannot be read")
            }
        }
        guard bytes.count <= bytesMax else { throw tooLarge(path) }
        return bytes
    }

    private static func tooLarge(_ path: String) -> FileProblem {
        FileProblem(path, "larger than \(bytesMax >> 20) MiB")
    }
}

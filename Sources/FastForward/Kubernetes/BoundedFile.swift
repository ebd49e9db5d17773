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

    /// All of the file at `path`.
    ///
    /// - Parameter acceptsPipes: waits for the writer of a pipe; for what is read only once.
    static func read(_ path: String, acceptsPipes: Bool = false) throws(FileProblem) -> [UInt8] {
        let contents: FileBytes.Contents
        do throws(FileBytes.Failure) {
            contents = try FileBytes.read(path, bytesMax: bytesMax, acceptsPipes: acceptsPipes)
        } catch {
            throw FileProblem(path, error.reason, isMissing: error.isMissing)
        }
        switch contents {
        case .bytes(let bytes): return bytes
        case .tooLong: throw FileProblem(path, "larger than \(bytesMax >> 20) MiB")
        case .pipe: throw FileProblem(path, "is a pipe, which cannot be read here")
        }
    }
}

import FoundationEssentials

/// What this program asks of the host beside sockets: files and the time of day; the only file that uses Foundation.
enum Host {
    /// A file that could not be written.
    struct FileError: Error, CustomStringConvertible {
        let path: String
        let reason: String
        var description: String { "cannot write \(path): \(reason)" }
    }

    /// The time of day as Kubernetes writes it, such as `2026-11-24T22:04:28Z`.
    ///
    /// - Parameter secondsAgo: negative for a time to come.
    static func timestamp(secondsAgo: Int = 0) -> String {
        Date.now.addingTimeInterval(-Double(secondsAgo)).formatted(.iso8601)
    }

    /// `path` from the root on.
    static func absolutePath(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
    }

    /// The bytes that a base64 text stands for; nil: it is none.
    static func bytes(ofBase64 text: [UInt8]) -> [UInt8]? {
        Data(base64Encoded: Data(text)).map { [UInt8]($0) }
    }

    /// Makes a directory, unless it is there.
    static func makeDirectory(_ path: String) throws(FileError) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw FileError(path: path, reason: "the directory cannot be made (does its parent exist?)")
        }
    }

    /// Writes a file that only its owner can read; it stands under its name only when it is whole.
    static func writeSecret(_ text: String, to path: String) throws(FileError) {
        let draft = "\(path).new"
        let files = FileManager.default
        let mode: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
        do {
            // Empty at first: the contents come when nobody else can read them.
            try? files.removeItem(atPath: draft)
            guard files.createFile(atPath: draft, contents: nil, attributes: mode) else {
                throw CocoaError(.fileWriteNoPermission)
            }
            try files.setAttributes(mode, ofItemAtPath: draft)
            try Data(text.utf8).write(to: URL(filePath: draft))
            if files.fileExists(atPath: path) { try files.removeItem(atPath: path) }
            try files.moveItem(atPath: draft, toPath: path)
        } catch {
            throw FileError(path: path, reason: "not allowed, or no room (is the directory yours?)")
        }
    }

    /// The memory of this process that is in use, in bytes; nil where the host does not say.
    static func residentBytes() -> Int? {
        // statm counts pages of 4 KiB: total, resident, …
        guard let bytes = FileManager.default.contents(atPath: "/proc/self/statm") else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return words.count > 1 ? Int(words[1]).map { $0 * 4096 } : nil
    }
}

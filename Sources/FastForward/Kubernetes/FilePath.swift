/// The few things that kubeconfig's rules need to know of paths.
enum FilePath {
    /// `path` as it is meant beside a file in `directory`.
    static func resolve(_ path: String, in directory: String) -> String {
        guard !path.isEmpty, !path.hasPrefix("/") else { return path }
        var rest = path[...]
        while rest.hasPrefix("./") { rest = rest.dropFirst(2) }
        return directory.hasSuffix("/") ? directory + rest : "\(directory)/\(rest)"
    }

    /// The directory that `path` lies in.
    static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The shortest path that means the same, by its text alone (Go `filepath.Clean`).
    static func clean(_ path: String) -> String {
        let isAbsolute = path.hasPrefix("/")
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(part)
            } else if let last = parts.last, last != ".." {
                parts.removeLast()
            } else if !isAbsolute {
                parts.append(part)
            }
        }
        let joined = parts.joined(separator: "/")
        if isAbsolute { return "/" + joined }
        return joined.isEmpty ? "." : joined
    }
}

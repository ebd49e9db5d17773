#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Reads whole files: regular ones, and pipes as far as their writers go.
package enum FileBytes {
    /// The number of a system call that failed.
    package struct Failure: Error, Equatable {
        package let code: Int32

        /// In the words of the operating system, in lower case as Go has them: `no such file or directory`.
        package var reason: String { unsafe String(cString: strerror(code)).lowercased() }
        package var isMissing: Bool { code == ENOENT }
    }

    package enum Contents: Equatable {
        case bytes([UInt8])
        /// Longer than the bound.
        case tooLong
        /// A pipe, where none is wanted.
        case pipe
    }

    /// Reads the file at `path`, which waits for the writer where it is a pipe.
    ///
    /// - Parameter acceptsPipes: what is read more than once must not come from a pipe, which has it only once.
    package static func read(
        _ path: String,
        bytesMax: Int,
        acceptsPipes: Bool
    ) throws(Failure) -> Contents {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | (acceptsPipes ? 0 : O_NONBLOCK))
        guard descriptor >= 0 else { throw Failure(code: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Failure(code: errno) }
        let kind = status.st_mode & S_IFMT
        if !acceptsPipes, kind == S_IFIFO { return .pipe }
        if kind == S_IFREG, status.st_size > bytesMax { return .tooLong }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes {
                unsafe Self.read(descriptor, $0.baseAddress, $0.count)
            }
            if count == 0 { return .bytes(bytes) }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw Failure(code: errno)
            }
            bytes += chunk[..<count]
            guard bytes.count <= bytesMax else { return .tooLong }
        }
    }

    private static func read(_ descriptor: Int32, _ memory: UnsafeMutableRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
            unsafe Glibc.read(descriptor, memory, count)
        #else
            unsafe Musl.read(descriptor, memory, count)
        #endif
    }
}

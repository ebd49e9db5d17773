/// Cuts the body of a watch into its lines, each of which is a JSON object.
///
/// Borrows `bytes` for the call only; keeps the beginning of the line under way. Each byte is looked at once, however
/// the body is cut. Unusable after an error.
package struct WatchLines {
    /// How long a line may be, in bytes: etcd keeps objects below 1.5 MiB, and JSON is more wordy than what it keeps.
    package static let lineBytesMax = 4 << 20

    /// A line is longer than ``lineBytesMax``.
    package struct LineTooLong: Error, Equatable, CustomStringConvertible {
        package var description: String { "a line of the watch is longer than \(lineBytesMax) bytes" }
    }

    private var begun: [UInt8] = []

    package init() {}

    /// The next line without its line feed; never an empty one.
    ///
    /// - Parameter cursor: where to begin in `bytes`; moved behind what was consumed.
    /// - Returns: nil when all of `bytes` was consumed.
    package mutating func next(_ bytes: RawSpan, from cursor: inout Int) throws(LineTooLong) -> [UInt8]? {
        while cursor < bytes.byteCount {
            let start = cursor
            while cursor < bytes.byteCount, bytes.byte(at: cursor) != UInt8(ascii: "\n") { cursor += 1 }
            guard begun.count + (cursor - start) <= Self.lineBytesMax else { throw LineTooLong() }
            begun += [UInt8](copying: bytes.extracting(start..<cursor))
            guard cursor < bytes.byteCount else { return nil }
            cursor += 1
            guard !begun.isEmpty else { continue }
            defer { begun = [] }
            return begun
        }
        return nil
    }
}

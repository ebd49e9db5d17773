import Foundation

/// What a process has written to one of its pipes, gathered by a thread so that no full pipe ever stops it.
final class OutputLines: @unchecked Sendable {
    /// Invariant: guards everything below.
    private let changed = NSCondition()
    private var bytes: [UInt8] = []
    private var isEnded = false

    /// Reads `descriptor` to its end and closes it.
    init(reading descriptor: Int32) {
        Thread.detachNewThread {
            var buffer = [UInt8](repeating: 0, count: 64 * 1024)
            while true {
                let count = read(descriptor, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                self.append(buffer[..<count])
            }
            close(descriptor)
            self.end()
        }
    }

    private func append(_ more: ArraySlice<UInt8>) {
        changed.withLock {
            bytes += more
            changed.broadcast()
        }
    }

    private func end() {
        changed.withLock {
            isEnded = true
            changed.broadcast()
        }
    }

    /// Everything so far.
    var text: String { changed.withLock { String(decoding: bytes, as: UTF8.self) } }

    /// The complete lines so far, and what follows the last of them once the pipe has ended.
    var lines: [String] { changed.withLock { currentLines } }

    private var currentLines: [String] {
        let complete = isEnded ? bytes[...] : bytes[..<(bytes.lastIndex(of: 10).map { $0 + 1 } ?? 0)]
        return complete.split(separator: 10, omittingEmptySubsequences: true).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// Waits until `isEnough` of the lines; throws at the deadline, and where the pipe ended before.
    @discardableResult
    func wait(
        until deadline: Deadline,
        for what: String,
        _ isEnough: ([String]) -> Bool
    ) throws -> [String] {
        changed.lock()
        defer { changed.unlock() }
        while true {
            let lines = currentLines
            if isEnough(lines) { return lines }
            let seen = "waiting for \(what), saw only:\n\(lines.suffix(20).joined(separator: "\n"))"
            if isEnded { throw ScenarioError("the output ended while " + seen) }
            if !changed.wait(until: deadline.date), deadline.isOver {
                throw ScenarioError("time was up while " + seen)
            }
        }
    }

    /// Waits for the first line that begins with `prefix`.
    func line(beginningWith prefix: String, until deadline: Deadline) throws -> String {
        let lines = try wait(until: deadline, for: "“\(prefix)…”") { lines in
            lines.contains { $0.hasPrefix(prefix) }
        }
        return lines.first { $0.hasPrefix(prefix) } ?? ""
    }

    /// Waits for the `number`th line that begins with `prefix`.
    func line(number: Int, beginningWith prefix: String, until deadline: Deadline) throws -> String {
        let lines = try wait(until: deadline, for: "\(number) lines “\(prefix)…”") { lines in
            lines.count { $0.hasPrefix(prefix) } >= number
        }
        return lines.filter { $0.hasPrefix(prefix) }[number - 1]
    }

    /// Waits for the first line that holds `text`.
    func line(containing text: String, until deadline: Deadline) throws -> String {
        let lines = try wait(until: deadline, for: "“…\(text)…”") { lines in
            lines.contains { $0.contains(text) }
        }
        return lines.first { $0.contains(text) } ?? ""
    }

    /// Waits for the `number`th line that holds `text`.
    func line(number: Int, containing text: String, until deadline: Deadline) throws -> String {
        let lines = try wait(until: deadline, for: "\(number) lines “…\(text)…”") { lines in
            lines.count { $0.contains(text) } >= number
        }
        return lines.filter { $0.contains(text) }[number - 1]
    }

    /// Waits until nobody can write any more.
    func waitForEnd(until deadline: Deadline) throws {
        changed.lock()
        defer { changed.unlock() }
        while !isEnded {
            if !changed.wait(until: deadline.date), deadline.isOver {
                throw ScenarioError("time was up before the output ended")
            }
        }
    }
}

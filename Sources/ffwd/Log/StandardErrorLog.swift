import FastForward
import FoundationEssentials
import Logging

/// Writes messages to standard error, one a line: the time, the level, the message, and what belongs to it.
///
///     2026-11-25T02:45:22.733Z info tunnel opened way=websocket
struct StandardErrorLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let time = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let line =
            Self.line(time: time, level: event.level, message: "\(event.message)", metadata: all) + "\n"
        // What nobody reads in time is lost: nothing waits for a log.
        _ = StandardStreams.writeWhatFits(Array(line.utf8)[...], to: .error)
    }

    /// Values with spaces are quoted; nothing that a terminal would obey, nor a second line, gets through.
    static func line(
        time: String,
        level: Logger.Level,
        message: String,
        metadata: Logger.Metadata
    ) -> String {
        var line = "\(time) \(level) \(message.escapedForTerminal())"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let text = "\(value)".escapedForTerminal()
            let isPlain = !text.isEmpty && !text.contains { $0 == " " || $0 == "\"" || $0 == "=" }
            line += " \(key)=\(isPlain ? text : "\"\(text.replacing("\"", with: "\\\""))\"")"
        }
        return line
    }
}

extension Logger {
    /// The log of the command; it says nothing where the verbosity is below 1.
    init(_ verbosity: Verbosity) {
        self.init(label: "ffwd") { _ in
            guard let level = verbosity.level else { return SwiftLogNoOpLogHandler() }
            return StandardErrorLog(logLevel: level)
        }
    }
}

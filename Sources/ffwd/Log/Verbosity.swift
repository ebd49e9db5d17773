import ArgumentParser
import FastForward
import Logging

/// How much is told on standard error besides kubectl's lines: kubectl's `-v`.
///
/// Any number that kubectl takes: below 1 nothing is told, above the highest level no more.
struct Verbosity: ExpressibleByArgument, Equatable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    init?(argument: String) {
        // Go's strconv.ParseInt takes a sign, and so does this.
        guard let number = Int32(argument) else { return nil }
        self.number = number
    }

    var defaultValueDescription: String { "\(number)" }

    /// The least level of a message that is told; nil: none is.
    var level: Logger.Level? {
        switch number {
        case ..<1: nil
        case 1: .notice
        case 2...3: .info
        case 4...5: .debug
        case _: .trace
        }
    }

    /// What the forwarder is asked to tell.
    var detail: ForwardingDetail {
        switch level {
        case nil, .warning, .error, .critical: .nothing
        case .notice: .notes
        case .info: .steps
        case .debug: .requests
        case .trace: .connections
        }
    }
}

internal import CUV

/// The process's standard output and error, written at once and whole.
package enum StandardStreams {
    package enum Stream: Int32, Sendable {
        case output = 1
        case error = 2
    }

    /// Whether a person may be sitting at the standard input.
    package static var inputIsTerminal: Bool { isatty(0) == 1 }

    /// Writes text to a stream.
    ///
    /// Where nobody reads any more (a closed pipe), it is dropped: a forward does not end because
    /// its output does.
    package static func write(_ text: String, to stream: Stream) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = unsafe bytes.withUnsafeBytes {
                unsafe CUV.write(stream.rawValue, $0.baseAddress, $0.count)
            }
            if written > 0 {
                bytes = bytes.dropFirst(written)
            } else if written == 0 || ffwd_last_error() != EINTR {
                return
            }
        }
    }
}

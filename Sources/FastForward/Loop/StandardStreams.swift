internal import CUV

/// The process's standard output and error, written at once and whole.
package enum StandardStreams {
    package enum Stream: Int32, Sendable {
        case output = 1
        case error = 2

        /// Where writes do not block though there is less room than they need.
        ///
        /// A terminal says that it has room while there is any, and then blocks for the rest; so it is opened again, as others
        /// hold the descriptor that was given. It is never closed: the process writes to it until its end.
        fileprivate var unblocking: Int32 { self == .output ? Self.outputTerminal : Self.errorTerminal }

        private static let outputTerminal = Self.output.reopened
        private static let errorTerminal = Self.error.reopened

        private var reopened: Int32 {
            let terminal = ffwd_reopen_terminal(rawValue)
            return terminal >= 0 ? terminal : rawValue
        }
    }

    /// Whether a person may be sitting at the standard input.
    package static var inputIsTerminal: Bool { isatty(0) == 1 }

    /// Opens what of the three standard descriptors was closed when the process began, for nobody to read.
    ///
    /// Else the next socket would get the number, and lines for a person would go to the API server.
    package static func openMissing() {
        while true {
            let descriptor = ffwd_open_null()
            guard (0...2).contains(descriptor) else {
                if descriptor > 2 { CUV.close(descriptor) }
                return
            }
        }
    }

    /// Opens what ``writeWhatFits(_:to:)`` needs for a stream, before descriptors are counted.
    package static func prepare(_ stream: Stream) { _ = stream.unblocking }

    /// Lets the process live on where nobody reads what it writes any more; an ``EventLoop`` does so too.
    package static func outliveReaders() { ffwd_ignore_sigpipe() }

    /// Lets nothing be read from standard input, and nothing that is written to standard error be seen.
    ///
    /// Child processes that are started later find it so too.
    package static func silence() {
        let descriptor = ffwd_open_null()
        guard descriptor >= 0 else { return }
        dup2(descriptor, 0)
        dup2(descriptor, Stream.error.rawValue)
        if descriptor > 2 { CUV.close(descriptor) }
    }

    /// A write of so much does not block where `poll` says that there is room (pipe(7): PIPE_BUF).
    private static let pieceBytesMax = 4096

    /// Writes as much as the kernel takes without blocking, in whole or in part.
    ///
    /// What is left when nobody can read any more counts as written: it is dropped.
    ///
    /// - Returns: how many bytes are done with.
    package static func writeWhatFits(_ bytes: ArraySlice<UInt8>, to stream: Stream) -> Int {
        let descriptor = stream.unblocking
        var rest = bytes
        while !rest.isEmpty, ffwd_has_room(descriptor) == 1 {
            let written = unsafe rest.prefix(pieceBytesMax).withUnsafeBytes {
                unsafe CUV.write(descriptor, $0.baseAddress, $0.count)
            }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if ffwd_last_error() == EAGAIN {
                break
            } else if ffwd_last_error() != EINTR {
                return bytes.count
            }
        }
        return bytes.count - rest.count
    }

    /// Writes text to a stream, and waits until it is written: for what is said before or behind the loop's work.
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

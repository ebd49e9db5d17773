internal import CUV

/// A call to the operating system that failed, on what.
package struct LoopError: Error, Equatable, CustomStringConvertible {
    /// libuv's code: a negated `errno`, or one of its own.
    package let code: Int32
    /// What was tried, as in `cannot …`: `listen on 127.0.0.1:80`.
    package let attempt: String

    package init(code: Int32, attempt: String) {
        self.code = code
        self.attempt = attempt
    }

    package static let endOfFile = UV_EOF.rawValue
    package static let addressInUse = UV_EADDRINUSE.rawValue
    package static let permissionDenied = UV_EACCES.rawValue
    package static let connectionReset = UV_ECONNRESET.rawValue
    package static let connectionRefused = UV_ECONNREFUSED.rawValue
    package static let timedOut = UV_ETIMEDOUT.rawValue
    package static let cancelled = UV_ECANCELED.rawValue
    package static let tooManyOpenFiles = UV_EMFILE.rawValue
    package static let addressNotAvailable = UV_EADDRNOTAVAIL.rawValue

    /// The operating system's reason, such as `address already in use`.
    package var reason: String { unsafe String(cString: uv_strerror(code)) }

    /// What to do about it, where that is not plain.
    private var advice: String {
        switch code {
        case Self.tooManyOpenFiles: " (raise the limit of this process: ulimit -n)"
        case Self.addressNotAvailable where attempt.hasPrefix("connect"):
            " (this host may have no local port left for that server: see net.ipv4.ip_local_port_range, or wait a minute)"
        default: ""
        }
    }

    package var description: String { "cannot \(attempt): \(reason)\(advice)" }
}

/// Throws what a libuv call that returns a negative code says.
func check(_ code: Int32, _ attempt: @autoclosure () -> String) throws(LoopError) {
    guard code < 0 else { return }
    throw LoopError(code: code, attempt: attempt())
}

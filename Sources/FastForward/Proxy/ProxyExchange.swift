// Theory of operation
//
// A proxy is asked once, before anything else is sent on the connection: `start()` gives the first bytes for it,
// `next` takes what it answers and says what to send or that the way is open. From there on the connection is the
// server's: bytes behind the proxy's last one are left to the caller, who goes on at `cursor`.
//
// Neither exchange knows a socket, TLS or a clock. Whoever drives it bounds the wait, and when the wait or the
// connection is over asks for `refusal`: a proxy may have said no, and not yet finished saying why.

/// What an exchange with a proxy came to.
package enum ProxyEvent: Equatable {
    /// Send this to the proxy.
    case send([UInt8])
    /// The proxy has connected us; what follows comes from the server.
    case established
}

/// The exchange that a proxy's scheme wants.
package enum ProxyExchange {
    case http(HTTPConnectExchange)
    case socks5(SOCKS5Exchange)

    /// - Parameter userAgent: what an HTTP proxy may write into its log.
    package init(with proxy: UpstreamProxy, to destination: ProxyDestination, userAgent: String) {
        switch proxy.scheme {
        case .http, .https:
            self = .http(HTTPConnectExchange(to: destination, login: proxy.login, userAgent: userAgent))
        case .socks5: self = .socks5(SOCKS5Exchange(to: destination, login: proxy.login))
        }
    }

    /// The first bytes for the proxy.
    package func start() throws(ProxyError) -> [UInt8] {
        switch self {
        case .http(let exchange): try exchange.start()
        case .socks5(let exchange): try exchange.start()
        }
    }

    /// The next event.
    ///
    /// - Parameter cursor: where to begin in `bytes`; moved behind what was consumed.
    /// - Returns: `nil` when all of `bytes` was consumed, or the way is open.
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(ProxyError) -> ProxyEvent? {
        switch self {
        case .http(var exchange):
            defer { self = .http(exchange) }
            return try exchange.next(bytes, from: &cursor)
        case .socks5(var exchange):
            defer { self = .socks5(exchange) }
            return try exchange.next(bytes, from: &cursor)
        }
    }

    /// The refusal that the proxy had begun when the connection ended or time was up; nil: it had not.
    package var refusal: ProxyError? {
        switch self {
        case .http(let exchange): exchange.refusal
        case .socks5: nil
        }
    }
}

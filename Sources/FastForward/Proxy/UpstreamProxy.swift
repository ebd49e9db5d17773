/// A proxy by which a server is reached: where it is, what it speaks, and who we are to it.
package struct UpstreamProxy: Equatable, Sendable {
    /// What is spoken to the proxy until it has connected us.
    package enum Scheme: String, Equatable, Sendable {
        /// CONNECT of HTTP/1.1 (RFC 9110 §9.3.6).
        case http
        /// The same within TLS.
        case https
        /// RFC 1928; names are resolved by the proxy.
        case socks5
    }

    /// A user and a password; they appear in nothing that is printed.
    package struct Login: Equatable, Sendable {
        package let user: String
        package let password: String

        package init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    package let scheme: Scheme
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    package let host: String
    package let port: UInt16
    /// Nil: the proxy is spoken to anonymously.
    package let login: Login?

    package init(scheme: Scheme, host: String, port: UInt16, login: Login? = nil) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.login = login
    }
}

extension UpstreamProxy: CustomStringConvertible {
    /// The proxy's URL without the login.
    package var description: String {
        "\(scheme.rawValue)://\(ProxyDestination(host: host, port: port))"
    }
}

extension UpstreamProxy.Login: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "<redacted>" }
    package var debugDescription: String { "<redacted>" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// Where a proxy is to connect to.
package struct ProxyDestination: Equatable, Sendable {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    package let host: String
    package let port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }
}

extension ProxyDestination: CustomStringConvertible {
    /// `host:port` as CONNECT wants it (RFC 9110 §9.3.6): the port always, an IPv6 address in brackets.
    package var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

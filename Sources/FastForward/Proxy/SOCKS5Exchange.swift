/// Asks a SOCKS 5 proxy for a connection to a server (RFC 1928), with a user and a password (RFC 1929) where there
/// is a login.
///
///     to the proxy                              from the proxy
///     5 · n · methods                           5 · method
///     1 · length · user · length · password     1 · status                        (method 2 only)
///     5 · 1 · 0 · type · address · port         5 · code · 0 · type · address · port
///
/// Names are left to the proxy to resolve. Borrows `bytes` for the call only. Keeps at most ``messageBytesMax``
/// bytes between calls. Unusable after an error.
package struct SOCKS5Exchange {
    /// The longest message of a proxy: the last one with a name of 255 bytes.
    package static let messageBytesMax = 4 + 1 + 255 + 2

    private enum State { case method, login, reply, established }

    private static let version: UInt8 = 5
    /// RFC 1929's own.
    private static let loginVersion: UInt8 = 1

    /// RFC 1928 §3.
    private enum Method {
        static let none: UInt8 = 0
        static let login: UInt8 = 2
        static let noneAcceptable: UInt8 = 0xFF
    }

    /// RFC 1928 §4.
    private enum AddressType {
        static let ipv4: UInt8 = 1
        static let name: UInt8 = 3
        static let ipv6: UInt8 = 4
    }

    private let destination: ProxyDestination
    private let login: UpstreamProxy.Login?
    private var state = State.method
    /// The message under way.
    private var message: [UInt8] = []

    package init(to destination: ProxyDestination, login: UpstreamProxy.Login?) {
        self.destination = destination
        self.login = login
    }

    /// The methods that we know.
    ///
    /// Throws where the login or the destination does not fit into a message, before anything is sent.
    package func start() throws(ProxyError) -> [UInt8] {
        _ = try connectMessage()
        guard let login else { return [Self.version, 1, Method.none] }
        // RFC 1929 §2; an empty password is sent by Go's client too.
        guard (1...255).contains(login.user.utf8.count), login.password.utf8.count <= 255 else {
            throw .loginTooLong(limitBytes: 255)
        }
        return [Self.version, 2, Method.none, Method.login]
    }

    /// What to send next, and ``ProxyEvent/established`` once the proxy has connected us.
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(ProxyError) -> ProxyEvent? {
        while state != .established, cursor < bytes.byteCount {
            message.append(bytes.byte(at: cursor))
            cursor += 1
            let event =
                switch state {
                case .method: try readMethod()
                case .login: try readLoginStatus()
                case .reply: try readReply()
                case .established: ProxyEvent?.none
                }
            if let event { return event }
        }
        return nil
    }

    private mutating func enter(_ next: State) {
        state = next
        message = []
    }

    private func checkVersion() throws(ProxyError) {
        guard message[0] == Self.version else { throw .notSOCKS5(firstByte: message[0]) }
    }

    private mutating func readMethod() throws(ProxyError) -> ProxyEvent? {
        try checkVersion()
        guard message.count == 2 else { return nil }
        switch message[1] {
        case Method.none:
            enter(.reply)
            return .send(try connectMessage())
        case Method.login:
            guard let login else { throw .methodNotOffered(Method.login) }
            enter(.login)
            return .send(
                [Self.loginVersion, UInt8(login.user.utf8.count)] + login.user.utf8
                    + [UInt8(login.password.utf8.count)] + login.password.utf8
            )
        case Method.noneAcceptable: throw login == nil ? .loginWanted : .loginRefused
        case let method: throw .methodNotOffered(method)
        }
    }

    private mutating func readLoginStatus() throws(ProxyError) -> ProxyEvent? {
        guard message[0] == Self.loginVersion else { throw .loginVersion(message[0]) }
        guard message.count == 2 else { return nil }
        guard message[1] == 0 else { throw .loginRefused }
        enter(.reply)
        return .send(try connectMessage())
    }

    private mutating func readReply() throws(ProxyError) -> ProxyEvent? {
        try checkVersion()
        // The code is told at once: not every proxy that refuses sends the rest.
        if message.count == 2, message[1] != 0 { throw .notConnected(code: message[1]) }
        guard message.count >= 4 else { return nil }
        let addressBytes: Int
        switch message[3] {
        case AddressType.ipv4: addressBytes = 4
        case AddressType.ipv6: addressBytes = 16
        case AddressType.name:
            guard message.count >= 5 else { return nil }
            addressBytes = 1 + Int(message[4])
        case let type: throw .unknownAddressType(type)
        }
        guard message.count == 4 + addressBytes + 2 else { return nil }
        enter(.established)
        return .established
    }

    private func connectMessage() throws(ProxyError) -> [UInt8] {
        let connect: UInt8 = 1
        var result = [Self.version, connect, 0]
        if let address = IPAddressBytes.ipv4(destination.host) {
            result += [AddressType.ipv4] + address
        } else if let address = IPAddressBytes.ipv6(destination.host) {
            result += [AddressType.ipv6] + address
        } else {
            let name = Array(destination.host.utf8)
            guard (1...255).contains(name.count) else { throw .nameNotSendable(bytes: name.count) }
            result += [AddressType.name, UInt8(name.count)] + name
        }
        return result + [UInt8(destination.port >> 8), UInt8(destination.port & 0xFF)]
    }
}

/// What the environment says of proxies: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, or in lower case.
///
/// The rules are Go's (`golang.org/x/net/http/httpproxy`), as kubectl follows them. They are not curl's: the upper
/// case goes first, `ALL_PROXY` means nothing, `localhost` and loopback addresses are never proxied, and a name in
/// `NO_PROXY` stands for the names below it, too.
package struct ProxyEnvironment: Sendable {
    private let httpProxy: String
    private let httpsProxy: String
    private let exceptions: [Exception]
    /// Go refuses `HTTP_PROXY` there, which a client's `Proxy:` header would set.
    private let isCGI: Bool

    private enum Exception: Equatable {
        case everything
        case network([UInt8], prefixBits: Int)
        case address([UInt8], port: String)
        /// `.example.org`; the name itself is meant, too, where it was written without the dot.
        case domain(suffix: String, port: String, includesItself: Bool)
    }

    package init(_ environment: [String: String]) {
        func first(_ name: String) -> String {
            environment[name].nonEmpty ?? environment[name.lowercased()] ?? ""
        }
        httpProxy = first("HTTP_PROXY")
        httpsProxy = first("HTTPS_PROXY")
        isCGI = environment["REQUEST_METHOD"].nonEmpty != nil
        var exceptions: [Exception] = []
        for piece in first("NO_PROXY").split(separator: ",") {
            guard let exception = Self.exception(String(piece).trimmingBlanks.lowercased()) else { continue }
            exceptions.append(exception)
            // Nothing behind a star is read.
            if exception == .everything { break }
        }
        self.exceptions = exceptions
    }

    /// The proxy that leads to `server`; nil: none does, connect to the server itself.
    package func proxy(for server: ServerURL) throws(ProxyURLError) -> UpstreamProxy? {
        let text = server.isTLS ? httpsProxy : httpProxy
        guard !text.isEmpty else { return nil }
        guard !isCGI || server.isTLS else { throw .refusedInCGI }
        guard !isExcepted(server) else { return nil }
        // Go takes `host:port` for an HTTP proxy.
        return try ProxyURL.parse(text.contains("://") ? text : "http://" + text)
    }

    private func isExcepted(_ server: ServerURL) -> Bool {
        let host = server.host.lowercased()
        guard host != "localhost" else { return true }
        let address = MappedAddress.bytes(of: host[...])
        if let address, MappedAddress.isLoopback(address) { return true }
        let port = "\(server.port)"
        return exceptions.contains { exception in
            switch exception {
            case .everything: return true
            case .network(let network, let bits):
                return address.map { MappedAddress.has($0, prefix: network, bits: bits) } ?? false
            case .address(let other, let otherPort):
                return other == address && (otherPort.isEmpty || otherPort == port)
            case .domain(let suffix, let otherPort, let includesItself):
                let isMeant = host.hasSuffix(suffix) || (includesItself && host == suffix.dropFirst())
                return isMeant && (otherPort.isEmpty || otherPort == port)
            }
        }
    }

    /// Reads one entry of `NO_PROXY`; nil where it says nothing.
    private static func exception(_ text: String) -> Exception? {
        if text == "*" { return .everything }
        if let slash = text.firstIndex(of: "/"), let network = MappedAddress.bytes(of: text[..<slash]),
            let bits = UInt8(text[text.index(after: slash)...])
        {
            let isIPv4 = !text[..<slash].contains(":")
            guard bits <= (isIPv4 ? 32 : 128) else { return nil }
            return .network(network, prefixBits: Int(bits) + (isIPv4 ? 96 : 0))
        }
        var (host, port) = (text[...], ""[...])
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<end]
            port = text[text.index(after: end)...]
            guard port.hasPrefix(":") else { return nil }
            port = port.dropFirst()
        } else if text.split(separator: ":", omittingEmptySubsequences: false).count == 2,
            let colon = text.firstIndex(of: ":")
        {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty else { return nil }
        if let address = MappedAddress.bytes(of: host) { return .address(address, port: String(port)) }
        if host.hasPrefix("*.") { host = host.dropFirst() }
        let includesItself = !host.hasPrefix(".")
        return .domain(
            suffix: (includesItself ? "." : "") + host,
            port: String(port),
            includesItself: includesItself
        )
    }
}

/// IP addresses as sixteen bytes, IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2).
private enum MappedAddress {
    static func bytes(of text: Substring) -> [UInt8]? {
        if let four = IPAddressBytes.ipv4(text) {
            return Array(repeating: 0, count: 10) + [0xFF, 0xFF] + four
        }
        return IPAddressBytes.ipv6(text)
    }

    /// 127.0.0.0/8 and ::1.
    static func isLoopback(_ address: [UInt8]) -> Bool {
        let isIPv4 = address.prefix(10).allSatisfy { $0 == 0 } && address[10] == 0xFF && address[11] == 0xFF
        return isIPv4 ? address[12] == 127 : address == Array(repeating: 0, count: 15) + [1]
    }

    static func has(_ address: [UInt8], prefix: [UInt8], bits: Int) -> Bool {
        let whole = bits / 8
        guard address.prefix(whole) == prefix.prefix(whole) else { return false }
        guard !bits.isMultiple(of: 8) else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> (bits % 8))
        return address[whole] & mask == prefix[whole] & mask
    }
}

extension String {
    /// Without the spaces and tabs around it.
    fileprivate var trimmingBlanks: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}

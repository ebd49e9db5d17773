/// Why a proxy's URL was refused; the URL itself is not shown, since it may hold a password.
package enum ProxyURLError: Error, Equatable, CustomStringConvertible {
    case unsupportedScheme(String)
    case malformed
    /// A CGI program's `HTTP_PROXY` is what its client says.
    case refusedInCGI

    package var description: String {
        switch self {
        case .unsupportedScheme(let scheme):
            "unsupported scheme \"\(scheme.escapedForTerminal(upTo: 32))\", must be http, https, or socks5"
        case .malformed: "it is not of the form SCHEME://USER:PASSWORD@HOST:PORT"
        case .refusedInCGI:
            "refusing to use HTTP_PROXY value in CGI environment; see golang.org/s/cgihttpproxy"
        }
    }
}

/// Reads `proxy-url`: `scheme://user:password@host:port` (client-go `tools/clientcmd/client_config.go`,
/// parseProxyURL).
package enum ProxyURL {
    package static func parse(_ text: String) throws(ProxyURLError) -> UpstreamProxy {
        guard let mark = text.firstRange(of: "://") else { throw .unsupportedScheme("") }
        let name = text[..<mark.lowerBound].lowercased()
        guard let scheme = UpstreamProxy.Scheme(rawValue: name) else { throw .unsupportedScheme(name) }
        let rest = text[mark.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let at = authority.lastIndex(of: "@")
        let place = at.map { authority[authority.index(after: $0)...] } ?? authority
        // A port that is not stated is another one for each of two schemes.
        let places: (plain: ServerURL, encrypted: ServerURL)
        do throws(ServerURLError) {
            places = (try ServerURL("http://\(place)"), try ServerURL("https://\(place)"))
        } catch { throw .malformed }
        let isPortStated = places.plain.port == places.encrypted.port
        return UpstreamProxy(
            scheme: scheme,
            host: places.plain.host,
            port: isPortStated ? places.plain.port : defaultPort(scheme),
            login: try at.map { (end) throws(ProxyURLError) in try login(authority[..<end]) }
        )
    }

    /// Go `net/http`, portMap.
    private static func defaultPort(_ scheme: UpstreamProxy.Scheme) -> UInt16 {
        switch scheme {
        case .http: 80
        case .https: 443
        case .socks5: 1080
        }
    }

    private static func login(_ text: Substring) throws(ProxyURLError) -> UpstreamProxy.Login {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return UpstreamProxy.Login(
            user: try decoded(parts[0]),
            password: parts.count > 1 ? try decoded(parts[1]) : ""
        )
    }

    /// Undoes percent-encoding (RFC 3986 §2.1).
    private static func decoded(_ text: Substring) throws(ProxyURLError) -> String {
        var result: [UInt8] = []
        var bytes = text.utf8[...]
        while let byte = bytes.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                continue
            }
            guard let high = bytes.popFirst()?.hexadecimalValue, let low = bytes.popFirst()?.hexadecimalValue
            else { throw .malformed }
            result.append(high << 4 | low)
        }
        guard let text = String(validating: result, as: UTF8.self) else { throw .malformed }
        return text
    }
}

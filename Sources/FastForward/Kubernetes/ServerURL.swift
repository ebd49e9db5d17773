/// Why a server's URL was refused.
package enum ServerURLError: Error, Equatable, CustomStringConvertible {
    /// kubectl's words (client-go `rest/url_utils.go`).
    case notAURL(String)
    case unsupportedScheme(String, url: String)
    case badHost(String)
    case badPort(String)
    case badPath(String)
    /// The text is not shown: it holds a password.
    case hasUserInfo

    package var description: String {
        switch self {
        case .notAURL(let text): "host must be a URL or a host:port pair: \"\(text.escapedForTerminal())\""
        case .unsupportedScheme(let scheme, let url):
            "the scheme \"\(scheme.escapedForTerminal(upTo: 32))\" of \"\(url.escapedForTerminal())\" is neither http nor https"
        case .badHost(let host): "\"\(host.escapedForTerminal())\" is no host name or IP address"
        case .badPort(let port): "address \(port.escapedForTerminal()): invalid port"
        case .badPath(let path): "the path \"\(path.escapedForTerminal())\" of the server's URL is malformed"
        case .hasUserInfo: "the server's URL holds a user name (move it to username and password of the user)"
        }
    }
}

/// Where an API server is: `https://host:port/base/path`.
///
/// Stricter than a browser, as lenient as kubectl: a missing scheme is added, query and fragment are dropped.
package struct ServerURL: Hashable, Sendable {
    package let isTLS: Bool
    /// A name, an IPv4 address, or an IPv6 address without brackets (a zone follows `%`).
    package let host: String
    package let port: UInt16
    /// Empty, or `/a/b`: it begins with a slash and does not end with one; percent-encoded.
    package let basePath: String

    /// Parses what `server` and `--server` hold; without a scheme `usesTLSByDefault` decides.
    package init(_ text: String, usesTLSByDefault: Bool = false) throws(ServerURLError) {
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }), !text.hasPrefix(" "),
            !text.hasSuffix(" "),
            !text.hasPrefix("://")
        else { throw .notAURL(text) }
        var rest = text[...]
        var isTLS = usesTLSByDefault
        var hasScheme = false
        if let mark = text.firstRange(of: "://") {
            hasScheme = true
            switch text[..<mark.lowerBound].lowercased() {
            case "https": isTLS = true
            case "http": isTLS = false
            case let scheme: throw .unsupportedScheme(scheme, url: text.contains("@") ? "…" : text)
            }
            rest = text[mark.upperBound...]
        }
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let authority = rest[..<authorityEnd]
        guard !authority.contains("@") else { throw .hasUserInfo }
        let path = rest[authorityEnd...].prefix { $0 != "?" && $0 != "#" }
        guard !authority.isEmpty, hasScheme || path.isEmpty else { throw .notAURL(text) }
        let (host, portText) = try Self.split(authority, of: text)
        self.isTLS = isTLS
        self.host = host
        port = try Self.port(portText, isTLS: isTLS)
        basePath = try Self.basePath(path)
    }

    /// What follows `Host:`, and how a person writes the place: without the scheme's own port.
    package var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
    }

    private static func split(
        _ authority: Substring,
        of text: String
    ) throws(ServerURLError) -> (host: String, port: Substring) {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw .notAURL(text) }
            let host = try ipv6(authority[authority.index(after: authority.startIndex)..<end])
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw .notAURL(text) }
            return (host, after.dropFirst())
        }
        let pieces = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let host = pieces[0]
        let isName = host.utf8.allSatisfy { byte in
            byte.isASCIILetterOrDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: "_")
        }
        // RFC 1035 §2.3.4 allows 253 characters.
        guard !host.isEmpty, isName, host.utf8.count <= 253, !host.hasPrefix("."), !host.contains("..") else {
            throw .badHost(String(host))
        }
        return (String(host), pieces.count > 1 ? pieces[1] : "")
    }

    /// The address in brackets: hexadecimal groups (RFC 4291 §2.2) and perhaps a zone after `%25` (RFC 6874).
    private static func ipv6(_ text: Substring) throws(ServerURLError) -> String {
        let pieces = text.split(separator: "%25", maxSplits: 1, omittingEmptySubsequences: false)
        guard IPv6Text.isValid(pieces[0]) else { throw .badHost(String(text)) }
        guard pieces.count > 1 else { return String(text) }
        guard !pieces[1].isEmpty, pieces[1].utf8.count <= 15,
            pieces[1].utf8.allSatisfy({ $0.isASCIILetterOrDigit || "-._".utf8.contains($0) })
        else { throw .badHost(String(text)) }
        return "\(pieces[0])%\(pieces[1])"
    }

    private static func port(_ text: Substring, isTLS: Bool) throws(ServerURLError) -> UInt16 {
        guard !text.isEmpty else { return isTLS ? 443 : 80 }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text), port > 0 else {
            throw .badPort(String(text))
        }
        return port
    }

    /// Drops empty segments, encodes what a request line cannot hold, and refuses what could climb out.
    private static func basePath(_ path: Substring) throws(ServerURLError) -> String {
        var result = ""
        for segment in path.split(separator: "/") {
            guard segment != ".", segment != ".." else { throw .badPath(String(path)) }
            result += "/"
            var bytes = segment.utf8[...]
            while let byte = bytes.popFirst() {
                if byte == UInt8(ascii: "%") {
                    guard bytes.prefix(2).count == 2, bytes.prefix(2).allSatisfy(\.isASCIIHexDigit) else {
                        throw .badPath(String(path))
                    }
                    result += "%"
                } else {
                    PercentEncoding.append(byte, to: &result, keeping: PercentEncoding.isAllowedInSegment)
                }
            }
        }
        return result
    }
}

extension ServerURL: CustomStringConvertible {
    package var description: String { "\(isTLS ? "https" : "http")://\(authority)\(basePath)" }
}

/// The text form of IPv6 addresses.
enum IPv6Text {
    /// Whether `text` is an IPv6 address without a zone (RFC 4291 §2.2).
    static func isValid(_ text: Substring) -> Bool {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2, text.utf8.count <= 45 else { return false }
        var groups = 0
        for (index, half) in halves.enumerated() where !half.isEmpty {
            let parts = half.split(separator: ":", omittingEmptySubsequences: false)
            for (place, part) in parts.enumerated() {
                let isLast = index == halves.count - 1 && place == parts.count - 1
                if isLast && part.contains(".") {
                    guard isIPv4(part) else { return false }
                    groups += 2
                } else {
                    guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(\.isASCIIHexDigit) else {
                        return false
                    }
                    groups += 1
                }
            }
        }
        return halves.count == 2 ? groups <= 7 : groups == 8
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                part.utf8.count <= 3 && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
                    && UInt8(part) != nil
            }
    }
}

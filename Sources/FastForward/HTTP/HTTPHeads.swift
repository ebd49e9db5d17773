/// The versions that are spoken here.
///
/// No ALPN offers HTTP/2: a connection that speaks it cannot be upgraded.
package enum HTTPVersion: String, Equatable, Sendable {
    case http10 = "HTTP/1.0"
    case http11 = "HTTP/1.1"
}

/// What precedes the body of a request.
package struct HTTPRequestHead: Equatable, Sendable {
    package var method: String
    /// The target as it stands on the request line: path and query.
    package var target: String
    package var version: HTTPVersion
    package var fields: HTTPFields

    package init(method: String, target: String, version: HTTPVersion = .http11, fields: HTTPFields = [:]) {
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
    }

    /// Whether the client wants to use the connection again (RFC 9112 §9.3).
    package var isPersistent: Bool { HTTPFields.isPersistent(fields, version: version) }
}

/// What precedes the body of a response.
package struct HTTPResponseHead: Equatable, Sendable {
    /// The status code, 100...999.
    package var status: Int
    /// The reason phrase, for people; often empty.
    package var reason: String
    package var version: HTTPVersion
    package var fields: HTTPFields

    package init(status: Int, reason: String, version: HTTPVersion = .http11, fields: HTTPFields = [:]) {
        self.status = status
        self.reason = reason
        self.version = version
        self.fields = fields
    }

    /// Whether another head answers the same request after this one (RFC 9110 §15.2): 1xx, but not 101.
    package var isInterim: Bool { (100...199).contains(status) && status != 101 }

    /// Whether the connection can be used for another request after this response (RFC 9112 §9.3).
    ///
    /// A body that ends with the connection makes it false, whatever this says.
    package var isPersistent: Bool { HTTPFields.isPersistent(fields, version: version) }
}

extension HTTPFields {
    fileprivate static func isPersistent(_ fields: HTTPFields, version: HTTPVersion) -> Bool {
        if fields.contains("close", in: "Connection") { return false }
        return version == .http11 || fields.contains("keep-alive", in: "Connection")
    }
}

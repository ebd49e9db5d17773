/// A request that the API server answered with something else than what was asked for.
///
/// Its texts are kubectl's (apimachinery `api/errors/errors.go`, kubectl `cmd/util/helpers.go`); recorded from
/// kubectl 1.32 where the tests say so.
package struct APIFailure: Error, Hashable, Sendable {
    /// What was asked, for answers that do not say it themselves.
    package struct Request: Hashable, Sendable {
        package var verb: String
        package var resource: String
        package var name: String

        package init(verb: String, resource: String, name: String) {
            self.verb = verb
            self.resource = resource
            self.name = name
        }

        /// The opening of a port-forward.
        package static func portForward(_ pod: String) -> Request {
            Request(verb: "create", resource: "pods/portforward", name: pod)
        }
    }

    /// What of a body without a `Status` is kept, in bytes; kubectl shows 2 KiB.
    package static let bodyTextBytesMax = 2_048
    /// A `Status` is short; a longer body is no `Status`.
    package static let statusBytesMax = 1 << 20

    package let httpStatus: Int
    package let request: Request
    /// What the API server itself said; nil where something in between answered, or plain text came.
    package let status: Status?
    /// The body where it is no `Status`.
    package let bodyText: String

    package init(httpStatus: Int, body: [UInt8], request: Request) {
        self.httpStatus = httpStatus
        self.request = request
        status = Self.status(body)
        let text = status == nil ? String(decoding: body.prefix(Self.bodyTextBytesMax), as: UTF8.self) : ""
        bodyText = String(text.reversed().drop(while: \.isWhitespace).reversed())
    }

    private static func status(_ body: [UInt8]) -> Status? {
        guard body.count <= statusBytesMax, let status = try? APIObjects.decode(Status.self, from: body),
            status.kind == "Status", status.status != "Success"
        else { return nil }
        return status
    }

    /// Whether the credential was refused, so that another one is needed.
    package var isUnauthorized: Bool { httpStatus == 401 }

    /// Whether the API server says that the object is not there (a 404 of something in between says nothing).
    package var isObjectMissing: Bool { httpStatus == 404 && status?.reason == "NotFound" }

    /// Whether a page of a list is asked for too late: the list has to begin anew.
    package var isExpired: Bool { httpStatus == 410 }

    /// Whether the server asks for the ports in the query: it knows WebSocket channels and would let us in.
    ///
    /// Servers before 1.30 answer so to a WebSocket tunnel too.
    package var asksForPorts: Bool {
        httpStatus == 400 && bodyText.contains("query parameter \"port\" is required")
    }

    /// Whether this is a refusal that names no reason: the user may `get`, and `create` is missing.
    ///
    /// API servers from 1.35 want both verbs for a WebSocket (protocol.md §2).
    package var lacksCreate: Bool {
        guard httpStatus == 403, let message = status?.message else { return false }
        return message.hasSuffix(" is forbidden: ") || message.hasSuffix(" is forbidden:")
    }
}

extension APIFailure: CustomStringConvertible {
    /// One line for a person, without a prefix.
    package var description: String {
        message(generic: genericMessage) + advice
    }

    /// What kubectl would print where this answered a plain request.
    package var terminalText: String {
        let reason = status.map { $0.reason ?? "" } ?? Self.reason(httpStatus)
        if reason == "Unauthorized" { return "error: You must be logged in to the server (\(self))" }
        return reason.isEmpty
            ? "Error from server: \(self)" : "Error from server (\(escaped(reason))): \(self)"
    }

    /// What kubectl would print where this answered the opening of a port-forward.
    package var upgradeText: String {
        let generic = bodyText.isEmpty ? "HTTP status \(httpStatus)" : escaped(bodyText)
        return "error: error upgrading connection: "
            + message(generic: "unable to upgrade connection: \(generic)") + advice
    }

    private func message(generic: String) -> String {
        guard let status else { return generic }
        let message = escaped(status.message ?? "")
        return message.isEmpty ? "HTTP status \(httpStatus)" : message
    }

    private var advice: String {
        if lacksCreate { return "(permission to create pods/portforward is missing)" }
        return asksForPorts ? " (API servers before Kubernetes 1.30 know no tunnel in a WebSocket)" : ""
    }

    /// What client-go says of an answer without a `Status` (errors.go, NewGenericServerResponse).
    private var genericMessage: String {
        let text: String
        switch httpStatus {
        case 400: text = "the server rejected our request for an unknown reason"
        case 401: text = "the server has asked for the client to provide credentials"
        case 403:
            text = bodyText.isEmpty ? "the server does not allow access to the resource" : escaped(bodyText)
        case 404: text = "the server could not find the requested resource"
        case 405: text = "the server does not allow this method on the requested resource"
        case 406, 415: text = bodyText.isEmpty ? "unknown" : escaped(bodyText)
        case 409: text = "the server reported a conflict"
        case 429: text = "the server has received too many requests and has asked us to try again later"
        case 503: text = "the server is currently unable to handle the request"
        case 504:
            text =
                "the server was unable to return a response in the time allotted, "
                + "but may still be processing the request"
        case 500...:
            text =
                "an error on the server (\"\(escaped(bodyText))\") has prevented the request from succeeding"
        case _:
            text =
                "the server responded with the status code \(httpStatus) but did not return more information"
        }
        return "\(text) (\(request.verb) \(request.resource) \(request.name))"
    }

    private static func reason(_ httpStatus: Int) -> String {
        switch httpStatus {
        case 400: "BadRequest"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "NotFound"
        case 405: "MethodNotAllowed"
        case 406: "NotAcceptable"
        case 409: "Conflict"
        case 415: "UnsupportedMediaType"
        case 429: "TooManyRequests"
        case 503: "ServiceUnavailable"
        case 504: "Timeout"
        case 500...: "InternalError"
        case _: ""
        }
    }

    private func escaped(_ text: String) -> String { text.escapedForTerminal() }
}

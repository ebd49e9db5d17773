import FastForward

/// The `Status` objects with which an API server refuses, worded as it words them.
extension HTTPAnswer {
    private static func status(
        _ code: Int,
        _ httpReason: String,
        reason: String,
        message: String,
        details: JSON? = nil
    ) -> HTTPAnswer {
        var members: [(String, JSON)] = [
            ("kind", "Status"), ("apiVersion", "v1"), ("metadata", [:]), ("status", "Failure"),
            ("message", .string(message)), ("reason", .string(reason)),
        ]
        if let details { members.append(("details", details)) }
        members.append(("code", .number(code)))
        return .json(.object(members), status: code, reason: httpReason)
    }

    static var unauthorized: HTTPAnswer {
        status(401, "Unauthorized", reason: "Unauthorized", message: "Unauthorized")
    }

    /// - Parameter verb: `get`, `list`, `watch` or `create`.
    static func forbidden(user: String, verb: String, _ path: ResourcePath) -> HTTPAnswer {
        let type = path.type
        let subject = path.name.isEmpty ? type.resource : "\(type.resource) \"\(path.name)\""
        let scope =
            path.namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(path.namespace)\""
        var answer = status(
            403,
            "Forbidden",
            reason: "Forbidden",
            message: "\(subject) is forbidden: User \"\(user)\" cannot \(verb) resource "
                + "\"\(path.resource)\" in API group \"\(type.group)\" \(scope)",
            details: details(path)
        )
        answer.fields.append("X-Content-Type-Options", "nosniff")
        return answer
    }

    /// What an API server since 1.35 says to a WebSocket of a user who may `get` and may not `create`.
    static func forbiddenWithoutReason(_ path: ResourcePath) -> HTTPAnswer {
        status(
            403,
            "Forbidden",
            reason: "Forbidden",
            message: "\(path.type.resource) \"\(path.name)\" is forbidden: ",
            details: details(path)
        )
    }

    /// A path that is no object's.
    static func forbiddenPath(user: String, _ path: String) -> HTTPAnswer {
        var answer = status(
            403,
            "Forbidden",
            reason: "Forbidden",
            message: "forbidden: User \"\(user)\" cannot get path \"\(path)\"",
            details: [:]
        )
        answer.fields.append("X-Content-Type-Options", "nosniff")
        return answer
    }

    static func notFound(_ path: ResourcePath) -> HTTPAnswer {
        status(
            404,
            "Not Found",
            reason: "NotFound",
            message: "\(path.type.resource) \"\(path.name)\" not found",
            details: details(path)
        )
    }

    /// A page of a list that has changed since its first page.
    static var pageTooOld: HTTPAnswer {
        status(
            410,
            "Gone",
            reason: "Expired",
            message: "The provided continue parameter is too old to display a consistent list result.",
            details: [:]
        )
    }

    private static func details(_ path: ResourcePath) -> JSON {
        var members: [(String, String)] = path.name.isEmpty ? [] : [("name", path.name)]
        if !path.type.group.isEmpty { members.append(("group", path.type.group)) }
        return .strings(members + [("kind", path.type.plural)])
    }

    static var resourceNotFound: HTTPAnswer {
        status(
            404,
            "Not Found",
            reason: "NotFound",
            message: "the server could not find the requested resource",
            details: [:]
        )
    }

    static func badRequest(_ message: String) -> HTTPAnswer {
        status(400, "Bad Request", reason: "BadRequest", message: message)
    }

    static var internalError: HTTPAnswer {
        status(
            500,
            "Internal Server Error",
            reason: "InternalError",
            message: "Internal error occurred: told to fail"
        )
    }

    static var tooManyRequests: HTTPAnswer {
        var answer = status(
            429,
            "Too Many Requests",
            reason: "TooManyRequests",
            message: "the server has received too many requests and has asked us to try again later"
        )
        answer.fields.append("Retry-After", "1")
        return answer
    }

    static var unavailable: HTTPAnswer {
        status(
            503,
            "Service Unavailable",
            reason: "ServiceUnavailable",
            message: "the server is currently unable to handle the request"
        )
    }

    static var methodNotAllowed: HTTPAnswer {
        status(
            405,
            "Method Not Allowed",
            reason: "MethodNotAllowed",
            message: "the server does not allow this method on the requested resource",
            details: [:]
        )
    }

    /// A WebSocket that offers no subprotocol that is known.
    static var webSocketRefused: HTTPAnswer {
        HTTPAnswer(status: 403, reason: "Forbidden", fields: [:], body: "", closes: true)
    }

    /// A watch that is to begin before what is remembered, as one of its events.
    static let versionTooOld: JSON = [
        "type": "ERROR",
        "object": [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure",
            "message": "too old resource version", "reason": "Expired", "code": 410,
        ],
    ]

    /// A WebSocket upgrade by another method than GET.
    static var upgradeNotByGet: HTTPAnswer {
        var answer = text(405, "Method Not Allowed", "Method Not Allowed\n")
        answer.fields.append("Sec-Websocket-Version", "13")
        return answer
    }

    /// A GET that offers no subprotocol for tunnels: servers then look for channels and miss their ports.
    static var portRequired: HTTPAnswer { plainBadRequest("query parameter \"port\" is required") }

    /// What the handler of WebSocket channels does not like, as text.
    static func plainBadRequest(_ text: String) -> HTTPAnswer {
        HTTPAnswer(
            status: 400,
            reason: "Bad Request",
            fields: ["Content-Type": "text/plain; charset=utf-8"],
            body: text
        )
    }

    static func spdyProtocolUnknown(offered: [String]) -> HTTPAnswer {
        var answer = text(
            403,
            "Forbidden",
            "unable to upgrade: unable to negotiate protocol: client supports "
                + "[\(offered.joined(separator: " "))], server accepts [portforward.k8s.io]\n"
        )
        answer.fields.append("X-Accepted-Stream-Protocol-Versions", "portforward.k8s.io")
        return answer
    }
}

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

    /// - Parameters:
    ///   - verb: `get`, `list` or `create`.
    ///   - resource: `pods`, or `pods/portforward`.
    static func forbidden(
        user: String,
        verb: String,
        resource: String,
        name: String,
        namespace: String
    ) -> HTTPAnswer {
        let subject = name.isEmpty ? "pods is forbidden" : "pods \"\(name)\" is forbidden"
        var details: [(String, JSON)] = name.isEmpty ? [] : [("name", .string(name))]
        details.append(("kind", "pods"))
        var answer = status(
            403,
            "Forbidden",
            reason: "Forbidden",
            message: "\(subject): User \"\(user)\" cannot \(verb) resource \"\(resource)\" "
                + "in API group \"\" in the namespace \"\(namespace)\"",
            details: .object(details)
        )
        answer.fields.append("X-Content-Type-Options", "nosniff")
        return answer
    }

    /// - Parameter kind: the plural, such as `pods`.
    static func notFound(kind: String, name: String) -> HTTPAnswer {
        status(
            404,
            "Not Found",
            reason: "NotFound",
            message: "\(kind) \"\(name)\" not found",
            details: .strings([("name", name), ("kind", kind)])
        )
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

    static var methodNotAllowed: HTTPAnswer {
        status(
            405,
            "Method Not Allowed",
            reason: "MethodNotAllowed",
            message: "the server does not allow this method on the requested resource",
            details: [:]
        )
    }

    /// A WebSocket upgrade by another method than GET.
    static var upgradeNotByGet: HTTPAnswer {
        var answer = text(405, "Method Not Allowed", "Method Not Allowed\n")
        answer.fields.append("Sec-Websocket-Version", "13")
        return answer
    }

    /// A GET that offers no subprotocol for tunnels: servers then look for channels and miss their ports.
    static var portRequired: HTTPAnswer {
        HTTPAnswer(
            status: 400,
            reason: "Bad Request",
            fields: ["Content-Type": "text/plain; charset=utf-8"],
            body: "query parameter \"port\" is required"
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

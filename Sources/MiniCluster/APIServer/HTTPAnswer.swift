import FastForward

/// A whole response with a short body.
struct HTTPAnswer {
    var status: Int
    var reason: String
    var fields: HTTPFields
    var body: String
    /// Whether the connection ends behind it, whatever the client wants.
    var closes = false

    /// A value of the Kubernetes API.
    static func json(_ value: JSON, status: Int = 200, reason: String = "OK") -> HTTPAnswer {
        HTTPAnswer(
            status: status,
            reason: reason,
            fields: ["Cache-Control": "no-cache, private", "Content-Type": "application/json"],
            body: value.text + "\n"
        )
    }

    /// Text without a `Status` around it, as Go's own handlers answer.
    static func text(_ status: Int, _ reason: String, _ body: String) -> HTTPAnswer {
        HTTPAnswer(
            status: status,
            reason: reason,
            fields: ["Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"],
            body: body
        )
    }

    /// Hands the response to `send`, in buffers that can be sent one after the other.
    ///
    /// - Parameter request: its method and version decide about the body and about what comes after.
    func send(
        to request: HTTPRequestHead,
        pool: BufferPool,
        _ send: (consuming ByteBuffer) -> Void
    ) {
        var fields = fields
        fields.set("Content-Length", String(body.utf8.count))
        if closes || !request.isPersistent { fields.set("Connection", "close") }
        Self.send(HTTPResponseHead(status: status, reason: reason, fields: fields), pool: pool, send)
        guard request.method != "HEAD" else { return }
        Self.send(body, pool: pool, send)
    }

    /// Hands a head to `send`.
    static func send(_ head: HTTPResponseHead, pool: BufferPool, _ send: (consuming ByteBuffer) -> Void) {
        var buffer = pool.take(head.encodedBytes)
        do throws(HTTPError) {
            try head.append(to: &buffer)
        } catch {
            preconditionFailure("an answer of our own cannot be written: \(error)")
        }
        send(buffer)
    }

    /// Hands text to `send`.
    static func send(_ text: String, pool: BufferPool, _ send: (consuming ByteBuffer) -> Void) {
        var rest = text.utf8[...]
        while !rest.isEmpty {
            let piece = rest.prefix(128 * 1024)
            var buffer = pool.take(piece.count)
            for byte in piece { buffer.append(byte) }
            send(buffer)
            rest = rest.dropFirst(piece.count)
        }
    }
}

/// Reads whole requests, one after another; drops their bodies, which no request here needs.
struct HTTPRequestReader {
    private var headReader = HTTPRequestHeadReader()
    private var underWay: (head: HTTPRequestHead, body: HTTPBodyReader)?

    /// The next request whose body has ended; nil: all of the buffer was consumed.
    mutating func next(
        in buffer: borrowing ByteBuffer,
        from cursor: inout Int
    ) throws(HTTPError) -> HTTPRequestHead? {
        while true {
            if underWay == nil {
                guard let head = try headReader.next(in: buffer, from: &cursor) else { return nil }
                underWay = (head, try HTTPBodyReader(of: head))
            }
            guard let event = try underWay?.body.next(in: buffer, from: &cursor) else { return nil }
            guard case .end = event else { continue }
            defer { underWay = nil }
            if let underWay { return underWay.head }
        }
    }
}

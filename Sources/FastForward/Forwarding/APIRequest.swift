/// One GET to the API server on a connection of its own.
package final class APIRequest: UpstreamConnection {
    /// What the server answered.
    package struct Answer {
        package var status: Int
        package var body: [UInt8]
    }

    private let path: APIPath
    private let accept: String
    private let limitBytes: Int
    private let begin: Instant
    private var handler: ((Result<Answer, UpstreamError>) -> Void)?
    private var headReader = HTTPResponseHeadReader()
    private var head: HTTPResponseHead?
    private var bodyReader: HTTPBodyReader?
    private var body: [UInt8] = []
    /// Makes the request a watch: gets each line of the body as it comes, and the answer's own body stays empty.
    package var onLine: (([UInt8]) -> Void)?

    /// Starts the request; `handler` is called once, in a later turn.
    ///
    /// - Parameters:
    ///   - accept: the forms of the answer that are understood.
    ///   - limitBytes: how long the body may be.
    package init(
        loop: EventLoop,
        endpoint: UpstreamEndpoint,
        path: APIPath,
        accept: String = "application/json",
        limitBytes: Int = APIObjects.bodyBytesMax,
        handler: @escaping (Result<Answer, UpstreamError>) -> Void
    ) {
        self.path = path
        self.accept = accept
        self.limitBytes = limitBytes
        self.handler = handler
        begin = loop.now
        super.init(
            loop: loop,
            endpoint: endpoint,
            openTimeout: endpoint.requestTimeout ?? UpstreamConnection.openTimeout
        )
        openUpstream()
    }

    package override func upstreamOpened() {
        do throws(UpstreamError) {
            var fields = requestFields
            fields.append("Accept", accept)
            fields.append("Connection", "close")
            try sendRequest(HTTPRequestHead(method: "GET", target: path.description, fields: fields))
        } catch {
            finish(.failure(error))
        }
    }

    package override func upstreamReceived(_ batch: inout ByteBuffer) {
        var cursor = 0
        do throws(HTTPError) {
            while head == nil {
                guard let next = try headReader.next(batch.bytes, from: &cursor) else { return }
                guard !next.isInterim else {
                    headReader = HTTPResponseHeadReader()
                    continue
                }
                head = next
                // The lines of a watch come when something changes.
                if onLine != nil, next.status == 200 {
                    openTimeoutSatisfied()
                    watchSilence()
                }
                bodyReader = try HTTPBodyReader(of: next, toMethod: "GET")
            }
            while let event = try bodyReader?.next(batch.bytes, from: &cursor) {
                switch event {
                case .bytes(let range):
                    guard body.count + range.count <= limitBytes else {
                        finish(
                            .failure(
                                .answer(server: serverText, reason: "it is longer than \(limitBytes) bytes")
                            )
                        )
                        return
                    }
                    body += [UInt8](copying: batch.bytes.extracting(range))
                    if onLine != nil, head?.status == 200 { takeLines() }
                case .end:
                    finishWithAnswer()
                    return
                }
            }
        } catch {
            finish(.failure(.http(server: serverText, error)))
        }
    }

    package override func upstreamEnded(_ error: UpstreamError) {
        // A body without a length ends with the connection.
        if case .ended = error, head != nil, var reader = bodyReader {
            do {
                try reader.finish()
                finishWithAnswer()
                return
            } catch {
                finish(.failure(.http(server: serverText, error)))
                return
            }
        }
        finish(.failure(error))
    }

    private func takeLines() {
        while let end = body.firstIndex(of: UInt8(ascii: "\n")) {
            let line = Array(body[..<end])
            body.removeFirst(end + 1)
            onLine?(line)
        }
    }

    private func finishWithAnswer() {
        if head?.status == 401, reopenAfterRefusal() {
            headReader = HTTPResponseHeadReader()
            head = nil
            bodyReader = nil
            body = []
            return
        }
        finish(.success(Answer(status: head?.status ?? 0, body: body)))
    }

    private func finish(_ result: Result<Answer, UpstreamError>) {
        guard let handler else { return }
        self.handler = nil
        closeUpstream()
        if let observer = endpoint.observer {
            let outcome = result.map(\.status)
            observer(.requestEnded(target: path.description, outcome: outcome, span: loop.now - begin))
        }
        handler(result)
    }

    /// Forgets the handler and closes.
    package func cancel() {
        handler = nil
        onLine = nil
        closeUpstream()
    }
}

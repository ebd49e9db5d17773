/// One GET to the API server on a connection of its own; one that the server puts off is made again (``RequestRetry``).
package final class APIRequest: UpstreamConnection {
    /// What the server answered.
    package struct Answer {
        package var status: Int
        package var fields: HTTPFields
        package var body: [UInt8]
        /// Whether the server had put the request off before.
        package var wasPutOff: Bool

        /// For how long the server wants not to be asked again; nil: it does not say.
        package var wait: TimeSpan? { RequestRetry.wait(status: status, retryAfter: fields["Retry-After"]) }
    }

    private let path: APIPath
    private let accept: String
    private let limitBytes: Int
    private let begin: Instant
    private var handler: ((Result<Answer, UpstreamError>) -> Void)?
    private var headReader = HTTPAnswerHeadReader()
    private var head: HTTPResponseHead?
    private var bodyReader: HTTPBodyReader?
    private var body: [UInt8] = []
    private var lines = WatchLines()
    private var retry = RequestRetry()
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
            if head == nil {
                guard let next = try headReader.next(batch.bytes, from: &cursor) else { return }
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
                    guard take(batch.bytes.extracting(range)) else { return }
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
        // What the server has begun to say counts more than that it did not come to an end.
        if isRefusal, case .timedOut = error {
            finishWithAnswer()
            return
        }
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

    private var isRefusal: Bool { head.map { $0.status != 200 } ?? false }

    /// Takes a part of the body.
    ///
    /// - Returns: whether more of it is wanted.
    private func take(_ part: RawSpan) -> Bool {
        if onLine != nil, !isRefusal { return takeLines(part) }
        guard body.count + part.byteCount <= limitBytes else {
            finish(.failure(.answer(server: serverText, reason: "it is longer than \(limitBytes) bytes")))
            return false
        }
        body += [UInt8](copying: part)
        guard !isRefusal || body.count <= APIFailure.statusBytesMax else {
            // It is no `Status`, and of other texts only the beginning is shown.
            finishWithAnswer()
            return false
        }
        return true
    }

    private func takeLines(_ part: RawSpan) -> Bool {
        var cursor = 0
        do throws(WatchLines.LineTooLong) {
            while let line = try lines.next(part, from: &cursor) { onLine?(line) }
        } catch {
            finish(.failure(.answer(server: serverText, reason: "\(error)")))
        }
        // Who gets the lines may have cancelled the rest.
        return handler != nil
    }

    private func finishWithAnswer() {
        let answer = Answer(
            status: head?.status ?? 0,
            fields: head?.fields ?? [:],
            body: body,
            wasPutOff: retry.repeatCount > 0
        )
        if answer.status == 401, reopenAfterRefusal() {
            forgetAnswer()
        } else if let wait = answer.wait, let next = nextTry(after: wait) {
            endpoint.observer?(
                .requestPutOff(
                    target: path.description,
                    status: answer.status,
                    wait: wait,
                    number: retry.repeatCount
                )
            )
            reopen(at: next, keepsDue: isBounded)
            forgetAnswer()
        } else {
            finish(.success(answer))
        }
    }

    /// Whether the user has set a time for all of it, waits included; else each try has its own.
    private var isBounded: Bool { endpoint.requestTimeout != nil }

    private func nextTry(after wait: TimeSpan) -> Instant? {
        retry.putOff(for: wait, at: loop.now, before: isBounded ? openDue : nil)
    }

    private func forgetAnswer() {
        headReader = HTTPAnswerHeadReader()
        head = nil
        bodyReader = nil
        body = []
        lines = WatchLines()
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

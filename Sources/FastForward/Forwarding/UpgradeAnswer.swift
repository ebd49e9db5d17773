/// The answer to an upgrade: a 101, or a refusal with its reason.
package struct UpgradeAnswer {
    /// What of a refusal's body is kept, in bytes.
    private static let refusalBytesMax = 64 * 1024

    private let upgrade: TunnelUpgrade
    /// Whether the request has been sent.
    private var isAsked = false
    private var headReader = HTTPAnswerHeadReader()
    private var refusal: HTTPResponseHead?
    private var bodyReader: HTTPBodyReader?
    private var body: [UInt8] = []
    /// Whether the 101 has come and is what it must be.
    package private(set) var isAccepted = false
    /// The form of the channels that the server chose.
    package private(set) var channelForm = ChannelForm.binary

    package init(upgrade: TunnelUpgrade) {
        self.upgrade = upgrade
    }

    /// The request has been sent: an end is an answer from now on.
    package mutating func asked() { isAsked = true }

    /// Reads on.
    ///
    /// - Returns: whether the 101 is through and frames may follow at `cursor`; false: more bytes are needed.
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int,
        server: String,
        pod: String
    ) throws(UpstreamError) -> Bool {
        let head: HTTPResponseHead?
        do throws(HTTPError) { head = try readHead(bytes, from: &cursor) } catch {
            throw .http(server: server, error)
        }
        if let head {
            do throws(TunnelUpgrade.Failure) {
                if let form = try upgrade.verify(head) { channelForm = form }
            } catch {
                throw .handshake(server: server, error)
            }
            isAccepted = true
            return true
        }
        let isRefused: Bool
        do throws(HTTPError) { isRefused = try readRefusal(bytes, from: &cursor) } catch {
            throw .http(server: server, error)
        }
        if isRefused { throw .refused(failure(pod: pod)) }
        return false
    }

    /// The 101 when it has come.
    private mutating func readHead(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(HTTPError) -> HTTPResponseHead? {
        while refusal == nil {
            guard let head = try headReader.next(bytes, from: &cursor) else { return nil }
            if head.status == 101 { return head }
            refusal = head
            bodyReader = try HTTPBodyReader(of: head, toMethod: upgrade.method)
        }
        return nil
    }

    /// Reads a refusal's body.
    ///
    /// - Returns: whether it is through, or enough of it has come.
    private mutating func readRefusal(_ bytes: RawSpan, from cursor: inout Int) throws(HTTPError) -> Bool {
        while let event = try bodyReader?.next(bytes, from: &cursor) {
            switch event {
            case .bytes(let range):
                let count = min(Self.refusalBytesMax - body.count, range.count)
                body += [UInt8](copying: bytes.extracting(range.lowerBound..<range.lowerBound + count))
                if body.count == Self.refusalBytesMax { return true }
            case .end:
                return true
            }
        }
        return false
    }

    /// What the end of the connection, or of the time for it, means: a refusal may end with it, or consist of it.
    package func reason(ofEnd error: UpstreamError, pod: String) -> UpstreamError {
        let (server, cause): (String, LoopError?)
        switch error {
        case .timedOut(let name, _, let span):
            guard isAsked, !isAccepted else { return error }
            guard refusal == nil else { return .refused(failure(pod: pod)) }
            return .hanging(server: name, for: span)
        case .ended(let name, _): (server, cause) = (name, nil)
        case .network(let name, let failure): (server, cause) = (name, failure)
        case .tls, .proxy, .http, .handshake, .refused, .tunnel, .silent, .addressGone, .unanswered, .hanging,
            .closed, .credential, .answer:
            return error
        }
        guard isAsked, !isAccepted else { return error }
        return refusal == nil ? .unanswered(server: server, cause) : .refused(failure(pod: pod))
    }

    private func failure(pod: String) -> APIFailure {
        APIFailure(httpStatus: refusal?.status ?? 0, body: body, request: .portForward(pod))
    }
}

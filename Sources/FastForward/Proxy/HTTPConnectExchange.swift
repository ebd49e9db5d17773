/// Asks an HTTP proxy for a connection to a server: CONNECT (RFC 9110 §9.3.6), with Basic authentication
/// (RFC 7617) where there is a login.
///
/// Borrows `bytes` for the call only. Keeps at most a head and ``reasonBytesMax`` of a refusal's body. Unusable
/// after an error.
package struct HTTPConnectExchange {
    /// How much of a refusal's body is looked at for a reason, in bytes: the title of a page is within.
    package static let reasonBytesMax = 2048
    /// Interim answers before the one that counts.
    package static let interimHeadsMax = HTTPLimits.interimHeadsMax
    /// The longest request, in bytes: common proxies take 8 to 64 KiB.
    package static let requestBytesMax = 16 * 1024

    private enum State {
        case head(interimCount: Int)
        case refused(HTTPResponseHead, HTTPBodyReader)
        case established
    }

    private let destination: ProxyDestination
    private let login: UpstreamProxy.Login?
    private let userAgent: String
    private var state = State.head(interimCount: 0)
    private var headReader = HTTPResponseHeadReader()
    /// The beginning of a refusal's body.
    private var body: [UInt8] = []

    package init(to destination: ProxyDestination, login: UpstreamProxy.Login?, userAgent: String) {
        self.destination = destination
        self.login = login
        self.userAgent = userAgent
    }

    /// The request.
    ///
    /// Throws ``ProxyError/loginTooLong(limitBytes:)``, and ``ProxyError/http(_:)`` where the destination cannot
    /// stand in a request.
    package func start() throws(ProxyError) -> [UInt8] {
        var fields: HTTPFields = ["Host": destination.description, "User-Agent": userAgent]
        if let login {
            let pair = "\(login.user):\(login.password)"
            guard pair.utf8.count < Self.requestBytesMax / 2 else {
                throw .loginTooLong(limitBytes: Self.requestBytesMax / 2)
            }
            fields.append("Proxy-Authorization", "Basic \(Base64.text(of: Array(pair.utf8)))")
        }
        let request = HTTPRequestHead(method: "CONNECT", target: destination.description, fields: fields)
        let pool = BufferPool()
        var buffer = pool.take(Self.requestBytesMax)
        do throws(HTTPError) { try request.append(to: &buffer) } catch { throw .http(error) }
        return [UInt8](copying: buffer.bytes)
    }

    /// ``ProxyEvent/established`` once the proxy has answered 2xx; what stands behind that head, whatever its
    /// fields say, is the server's (RFC 9110 §9.3.6).
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(ProxyError) -> ProxyEvent? {
        while case .head(let interimCount) = state {
            guard let head = try readHead(bytes, from: &cursor) else { return nil }
            if (200...299).contains(head.status) {
                state = .established
                return .established
            }
            if head.isInterim {
                guard interimCount < Self.interimHeadsMax else {
                    throw .tooManyInterimAnswers(limit: Self.interimHeadsMax)
                }
                state = .head(interimCount: interimCount + 1)
                continue
            }
            do throws(HTTPError) {
                state = .refused(head, try HTTPBodyReader(of: head, toMethod: "CONNECT"))
            } catch {
                // That the length is not clear must not hide what the head says.
                throw makeRefusal(head)
            }
        }
        guard case .refused(let head, var reader) = state else { return nil }
        let isThrough = readReason(bytes, from: &cursor, with: &reader)
        state = .refused(head, reader)
        if isThrough { throw makeRefusal(head) }
        return nil
    }

    /// The refusal whose head has come.
    package var refusal: ProxyError? {
        guard case .refused(let head, _) = state else { return nil }
        return makeRefusal(head)
    }

    private mutating func readHead(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(ProxyError) -> HTTPResponseHead? {
        do throws(HTTPError) { return try headReader.next(bytes, from: &cursor) } catch { throw .http(error) }
    }

    /// Gathers the body's beginning.
    ///
    /// - Returns: whether there is enough, or no more.
    private mutating func readReason(
        _ bytes: RawSpan,
        from cursor: inout Int,
        with reader: inout HTTPBodyReader
    ) -> Bool {
        do throws(HTTPError) {
            while let event = try reader.next(bytes, from: &cursor) {
                switch event {
                case .bytes(let range):
                    let count = min(Self.reasonBytesMax - body.count, range.count)
                    body += [UInt8](copying: bytes.extracting(range.lowerBound..<range.lowerBound + count))
                    if body.count == Self.reasonBytesMax { return true }
                case .end:
                    return true
                }
            }
            return false
        } catch {
            // The body is only read for its words.
            return true
        }
    }

    private func makeRefusal(_ head: HTTPResponseHead) -> ProxyError {
        let schemes = head.fields.values(of: "Proxy-Authenticate").map { value in
            String(decoding: value.utf8.prefix { $0.isHTTPToken }.prefix(32), as: UTF8.self)
        }
        // tinyproxy answers a wrong login by 401, which no server can have sent: there is none yet.
        if head.status == 407 || head.status == 401 {
            let offersBasic = schemes.contains { $0.lowercased() == "basic" }
            guard schemes.isEmpty || offersBasic else {
                return .authenticationUnsupported(schemes: Array(schemes.prefix(4)))
            }
            return login == nil ? .loginWanted : .loginRefused
        }
        let reason = ProxyReason.line(head.reason)
        let text = ProxyReason.text(of: body, contentType: head.fields["Content-Type"])
        // Many a page only says the status line again.
        let isRepetition = text == reason || text == "\(head.status) \(reason)"
        return .refused(status: head.status, reason: reason, text: isRepetition ? "" : text)
    }
}

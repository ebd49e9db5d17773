// Theory of operation
//
// A head is a start line, fields, and an empty line. It arrives once or twice a connection, so it is gathered
// line by line and each line becomes values when its CR LF is there; only the line under way is kept. Nothing
// after the empty line is touched: behind a 101 it belongs to the protocol that was agreed upon.
//
// The reader is strict where lenience has let attackers smuggle requests past proxies: a line ends in CR LF and
// in nothing else, a CR or LF stands nowhere else, a field's name touches its colon, folded lines are refused
// (RFC 9112 §2.2, §5.1, §5.2). Every server that a Kubernetes client meets (Go, nginx, Envoy, HAProxy) writes so.

/// Bounds on a head.
package enum HTTPLimits {
    /// A head's bytes, all lines together: what a proxy's cookies may need and 60 times what an API server sends.
    package static let headBytesMax = 64 * 1024
    /// A head's fields: an API server sends about 10; Python's and Rust's clients stop at 100.
    package static let fieldsMax = 200
    /// The extension behind a chunk's size; nobody sends one.
    package static let chunkExtensionBytesMax = 1024
    /// The trailers of a chunked body; they are dropped.
    package static let trailerBytesMax = 8 * 1024
    /// Interim answers before the one that counts; as many as Go's client takes.
    package static let interimHeadsMax = 5
}

/// Reads the head of the answer that counts: the interim ones before it are dropped, and bounded in number.
///
/// The same contract as ``HTTPResponseHeadReader``.
package struct HTTPAnswerHeadReader {
    private var heads = HTTPResponseHeadReader()
    private var interimCount = 0

    package init() {}

    /// The head.
    ///
    /// - Parameter cursor: where to begin in `bytes`; moved behind what was consumed.
    /// - Returns: `nil` when all of `bytes` was consumed and the head is not yet whole.
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(HTTPError) -> HTTPResponseHead? {
        while let head = try heads.next(bytes, from: &cursor) {
            guard head.isInterim else { return head }
            interimCount += 1
            guard interimCount <= HTTPLimits.interimHeadsMax else {
                throw .tooManyInterimHeads(limit: HTTPLimits.interimHeadsMax)
            }
        }
        return nil
    }
}

/// Reads the heads of responses, one after another.
///
/// Borrows `bytes` for the call only. Keeps at most ``HTTPLimits/headBytesMax`` bytes between calls. Stops right
/// after a head: read the body with ``HTTPBodyReader`` before the next head. Unusable after an error.
package struct HTTPResponseHeadReader {
    private var lines = HTTPHeadLines(isResponse: true)
    /// The start line, once it was read; its fields are gathered apart.
    private var start: HTTPResponseHead?
    private var fields = HTTPFields()

    package init() {}

    /// The next head; an interim one (1xx but 101) too, which is followed by another.
    ///
    /// - Parameter cursor: where to begin in `bytes`; moved behind what was consumed.
    /// - Returns: `nil` when all of `bytes` was consumed and the head is not yet whole.
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(HTTPError) -> HTTPResponseHead? {
        while let line = try lines.next(bytes, from: &cursor) {
            guard var head = start else {
                start = try Self.statusLine(line)
                continue
            }
            guard line.isEmpty else {
                try lines.appendField(line, to: &fields)
                continue
            }
            head.fields = fields
            self = HTTPResponseHeadReader()
            return head
        }
        return nil
    }

    /// Says that the connection has ended.
    ///
    /// Throws ``HTTPError/headCutShort`` where a head has begun.
    package func finish() throws(HTTPError) {
        if lines.hasBegun { throw .headCutShort }
    }

    /// Reads `HTTP/1.1 200 OK` (RFC 9112 §4).
    ///
    /// The space behind the status is not insisted on: some servers omit it with the reason.
    private static func statusLine(_ line: [UInt8]) throws(HTTPError) -> HTTPResponseHead {
        let parts = line.split(separator: .space, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, line.starts(with: "HTTP/".utf8) else {
            throw .notHTTP(start: line.printable)
        }
        guard let version = HTTPVersion(rawValue: String(decoding: parts[0], as: UTF8.self)) else {
            throw .unsupportedVersion(parts[0].printable)
        }
        guard parts[1].count == 3, parts[1].allSatisfy({ (0x30...0x39).contains($0) }),
            let status = Int(String(decoding: parts[1], as: UTF8.self)), status >= 100
        else { throw .notHTTP(start: line.printable) }
        let reason = parts.count == 3 ? parts[2] : []
        if let byte = reason.first(where: { !$0.isHTTPFieldText }) { throw .forbiddenByte(byte, line: 1) }
        return HTTPResponseHead(
            status: status,
            reason: String(decoding: reason, as: UTF8.self),
            version: version
        )
    }
}

/// Reads the heads of requests, one after another.
///
/// The same contract as ``HTTPResponseHeadReader``. One empty line before the request line is skipped
/// (RFC 9112 §2.2).
package struct HTTPRequestHeadReader {
    private var lines = HTTPHeadLines(isResponse: false)
    /// The start line, once it was read; its fields are gathered apart.
    private var start: HTTPRequestHead?
    private var fields = HTTPFields()

    package init() {}

    /// The next head.
    ///
    /// - Parameter cursor: where to begin in `bytes`; moved behind what was consumed.
    /// - Returns: `nil` when all of `bytes` was consumed and the head is not yet whole.
    package mutating func next(
        _ bytes: RawSpan,
        from cursor: inout Int
    ) throws(HTTPError) -> HTTPRequestHead? {
        while let line = try lines.next(bytes, from: &cursor) {
            guard var head = start else {
                if line.isEmpty && lines.lineNumber == 1 { continue }
                start = try Self.requestLine(line)
                continue
            }
            guard line.isEmpty else {
                try lines.appendField(line, to: &fields)
                continue
            }
            head.fields = fields
            self = HTTPRequestHeadReader()
            return head
        }
        return nil
    }

    /// Says that the connection has ended.
    ///
    /// Throws ``HTTPError/headCutShort`` where a head has begun.
    package func finish() throws(HTTPError) {
        if lines.hasBegun { throw .headCutShort }
    }

    /// Reads `GET /path HTTP/1.1` (RFC 9112 §3): single spaces, nothing else that could part it.
    private static func requestLine(_ line: [UInt8]) throws(HTTPError) -> HTTPRequestHead {
        let parts = line.split(separator: .space, omittingEmptySubsequences: false)
        guard parts.count == 3,
            !parts[0].isEmpty, parts[0].allSatisfy(\.isHTTPToken),
            !parts[1].isEmpty, parts[1].allSatisfy(\.isHTTPTarget),
            parts[2].starts(with: "HTTP/".utf8), parts[2].allSatisfy(\.isHTTPTarget), parts[2].count <= 10
        else { throw .malformedRequestLine }
        let versionText = String(decoding: parts[2], as: UTF8.self)
        guard let version = HTTPVersion(rawValue: versionText) else { throw .unsupportedVersion(versionText) }
        return HTTPRequestHead(
            method: String(decoding: parts[0], as: UTF8.self),
            target: String(decoding: parts[1], as: UTF8.self),
            version: version
        )
    }
}

/// Gathers the lines of one head.
///
/// Invariant: `line.count <= headBytes <= HTTPLimits.headBytesMax`.
private struct HTTPHeadLines {
    /// What every answer begins with (RFC 9112 §2.3).
    private static let responseStart = Array("HTTP/".utf8)

    let isResponse: Bool
    /// The line under way, without its CR.
    private var line: [UInt8] = []
    private var endsInCarriageReturn = false
    private var headBytes = 0
    /// The number of the line that was returned last, from 1.
    private(set) var lineNumber = 0

    init(isResponse: Bool) {
        self.isResponse = isResponse
    }

    var hasBegun: Bool { headBytes > 0 }

    /// The next line without its CR LF, or `nil` when `bytes` holds no more whole one.
    mutating func next(_ bytes: RawSpan, from cursor: inout Int) throws(HTTPError) -> [UInt8]? {
        while cursor < bytes.byteCount {
            let byte = bytes.byte(at: cursor)
            cursor += 1
            headBytes += 1
            guard headBytes <= HTTPLimits.headBytesMax else {
                throw .headTooLong(limitBytes: HTTPLimits.headBytesMax)
            }
            if endsInCarriageReturn {
                guard byte == .lineFeed else { throw .bareCarriageReturn(line: lineNumber + 1) }
                endsInCarriageReturn = false
                lineNumber += 1
                defer { line = [] }
                return line
            }
            switch byte {
            case .carriageReturn: endsInCarriageReturn = true
            case .lineFeed: throw .bareLineFeed(line: lineNumber + 1)
            default: line.append(byte)
            }
            // A peer that speaks something else (TLS, SSH, a database) may never send a line end: say so early.
            if isResponse && headBytes == Self.responseStart.count && line != Self.responseStart {
                throw .notHTTP(start: line.printable)
            }
        }
        return nil
    }

    /// Reads `name: value` (RFC 9112 §5) from the line that was returned last.
    func appendField(_ line: [UInt8], to fields: inout HTTPFields) throws(HTTPError) {
        guard fields.all.count < HTTPLimits.fieldsMax else {
            throw .tooManyFields(limit: HTTPLimits.fieldsMax)
        }
        if let first = line.first, first.isHTTPWhitespace { throw .foldedField(line: lineNumber) }
        // White space before the colon is no token, hence refused (RFC 9112 §5.1).
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            line[..<colon].allSatisfy(\.isHTTPToken)
        else { throw .malformedFieldName(line: lineNumber) }
        var value = line[(colon + 1)...]
        if let byte = value.first(where: { !$0.isHTTPFieldText }) {
            throw .forbiddenByte(byte, line: lineNumber)
        }
        while let byte = value.first, byte.isHTTPWhitespace { value.removeFirst() }
        while let byte = value.last, byte.isHTTPWhitespace { value.removeLast() }
        fields.append(String(decoding: line[..<colon], as: UTF8.self), String(decoding: value, as: UTF8.self))
    }
}

extension Collection<UInt8> {
    /// The first bytes as text that harms no terminal.
    fileprivate var printable: String {
        String(
            decoding: prefix(32).map { $0.isHTTPTarget || $0 == .space ? $0 : UInt8(ascii: "?") },
            as: UTF8.self
        )
    }
}

import FastForward
import Testing

/// One response as it was read: head, body, and what was left behind it.
struct ReadResponse: Equatable {
    var head: HTTPResponseHead?
    var body: [UInt8] = []
    var isComplete = false
    var rest: [UInt8] = []
    /// What reading, or the connection's end, threw.
    var error: HTTPError?

    var bodyText: String { String(decoding: body, as: UTF8.self) }
}

/// Reads one response whose bytes arrive in pieces, then the end of the connection.
func readResponse(_ pieces: [[UInt8]], toMethod method: String = "GET") -> ReadResponse {
    var result = ReadResponse()
    var heads = HTTPResponseHeadReader()
    var body: HTTPBodyReader?
    do throws(HTTPError) {
        for piece in pieces {
            let bytes = piece.span.bytes
            var cursor = 0
            if result.head == nil, let head = try heads.next(bytes, from: &cursor) {
                result.head = head
                body = try HTTPBodyReader(of: head, toMethod: method)
            }
            while let event = try body?.next(bytes, from: &cursor) {
                switch event {
                case .bytes(let range):
                    #expect(!range.isEmpty)
                    result.body += piece[range]
                case .end:
                    #expect(!result.isComplete)
                    result.isComplete = true
                }
            }
            if result.isComplete { result.rest += piece[cursor...] } else { #expect(cursor == piece.count) }
        }
        try heads.finish()
        try body?.finish()
        if let body { result.isComplete = body.isEnded }
    } catch {
        result.error = error
    }
    return result
}

/// Reads request heads that arrive in pieces.
func readRequestHeads(_ pieces: [[UInt8]]) throws(HTTPError) -> [HTTPRequestHead] {
    var reader = HTTPRequestHeadReader()
    var heads: [HTTPRequestHead] = []
    for piece in pieces {
        var cursor = 0
        while let head = try reader.next(piece.span.bytes, from: &cursor) { heads.append(head) }
    }
    return heads
}

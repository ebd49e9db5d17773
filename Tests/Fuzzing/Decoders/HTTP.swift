// Any bytes give heads, bodies and an end, or HTTPError; the same ones however they are cut.

import FastForward

func httpResponseViolation(by bytes: [UInt8]) -> String? {
    differenceBetweenCuts(of: bytes) { pieces in
        var heads = HTTPResponseHeadReader()
        return readHTTP(pieces) { (bytes: RawSpan, cursor: inout Int) throws(HTTPError) in
            guard let head = try heads.next(bytes, from: &cursor) else { return nil }
            let hasNoBody = head.isInterim || head.status == 101
            return ("\(head)", hasNoBody ? nil : try HTTPBodyReader(of: head, toMethod: "GET"))
        } finish: { () throws(HTTPError) in
            try heads.finish()
        }
    }
}

func httpRequestViolation(by bytes: [UInt8]) -> String? {
    differenceBetweenCuts(of: bytes) { pieces in
        var heads = HTTPRequestHeadReader()
        return readHTTP(pieces) { (bytes: RawSpan, cursor: inout Int) throws(HTTPError) in
            guard let head = try heads.next(bytes, from: &cursor) else { return nil }
            return ("\(head)", try HTTPBodyReader(of: head))
        } finish: { () throws(HTTPError) in
            try heads.finish()
        }
    }
}

/// Reads heads and their bodies in turns.
private func readHTTP(
    _ pieces: [ArraySlice<UInt8>],
    nextHead: (RawSpan, inout Int) throws(HTTPError) -> (text: String, body: HTTPBodyReader?)?,
    finish: () throws(HTTPError) -> Void
) -> Trace {
    var trace = Trace()
    var body: HTTPBodyReader?
    do throws(HTTPError) {
        for piece in pieces {
            let bytes = piece.span.bytes
            var cursor = 0
            while true {
                let earlier = cursor
                if body != nil {
                    guard let event = try body?.next(bytes, from: &cursor) else {
                        checkContract(cursor, after: earlier, nil, in: piece)
                        precondition(cursor == piece.count, "nil before everything was consumed")
                        break
                    }
                    switch event {
                    case .bytes(let range):
                        checkContract(cursor, after: earlier, range, in: piece)
                        trace.payload(piece.dropFirst(range.lowerBound).prefix(range.count))
                    case .end:
                        checkContract(cursor, after: earlier, nil, in: piece)
                        trace.note("end of body")
                        body = nil
                    }
                } else {
                    let head = try nextHead(bytes, &cursor)
                    checkContract(cursor, after: earlier, nil, in: piece)
                    guard let head else {
                        precondition(cursor == piece.count, "nil before everything was consumed")
                        break
                    }
                    trace.note(head.text)
                    body = head.body
                }
            }
        }
        // A body of no bytes ends without any.
        let nothing: [UInt8] = []
        var cursor = 0
        if let event = try body?.next(nothing.span.bytes, from: &cursor) {
            precondition(event == .end, "bytes out of nothing")
            trace.note("end of body")
            body = nil
        }
        if body != nil { try body?.finish() } else { try finish() }
        trace.note("finished")
    } catch {
        trace.note("error: \(error)")
    }
    return trace
}

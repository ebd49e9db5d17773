// Any bytes give payload and control frames, or WebSocketError; the same ones however they are cut, in both roles.

import FastForward

func webSocketViolation(by bytes: [UInt8]) -> String? {
    for role in [WebSocketRole.client, .server] {
        if let difference = differenceBetweenCuts(of: bytes, { readWebSocket($0, role: role) }) {
            return "as \(role): \(difference)"
        }
    }
    return nil
}

private func readWebSocket(_ pieces: [ArraySlice<UInt8>], role: WebSocketRole) -> Trace {
    var trace = Trace()
    var reader = WebSocketFrameReader(role: role)
    do throws(WebSocketError) {
        for piece in pieces {
            var cursor = 0
            var earlier = 0
            while let event = try reader.next(piece.span.bytes, from: &cursor) {
                switch event {
                case .payload(let range, let mask, let endsMessage):
                    checkContract(cursor, after: earlier, range, in: piece)
                    var payload = Array(piece.dropFirst(range.lowerBound).prefix(range.count))
                    var span = payload.mutableSpan
                    var raw = span.mutableBytes
                    mask?.apply(to: &raw, in: 0..<range.count)
                    trace.payload(payload)
                    if endsMessage { trace.note("end of message") }
                case .ping, .pong, .close:
                    checkContract(cursor, after: earlier, nil, in: piece)
                    trace.note("\(event)")
                }
                earlier = cursor
            }
            precondition(cursor == piece.count, "nil before everything was consumed")
        }
        try reader.finish()
        trace.note("finished")
    } catch {
        trace.note("error: \(error)")
    }
    return trace
}

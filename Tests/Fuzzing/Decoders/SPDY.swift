// Any bytes give frames or SPDYError; the same ones however they are cut, in both roles.

import FastForward

func spdyViolation(by bytes: [UInt8]) -> String? {
    for role in [SPDYFrameReader.Role.client, .server] {
        if let difference = differenceBetweenCuts(of: bytes, { readSPDY($0, role: role) }) {
            return "as \(role): \(difference)"
        }
    }
    return nil
}

private func readSPDY(_ pieces: [ArraySlice<UInt8>], role: SPDYFrameReader.Role) -> Trace {
    var trace = Trace()
    var reader = SPDYFrameReader(role: role)
    do throws(SPDYError) {
        for piece in pieces {
            var cursor = 0
            var earlier = 0
            while let event = try reader.next(piece.span.bytes, from: &cursor) {
                switch event {
                case .data(let streamID, let range, let endsFrame, let isFinal):
                    checkContract(cursor, after: earlier, range, in: piece)
                    trace.payload(piece.dropFirst(range.lowerBound).prefix(range.count))
                    if endsFrame { trace.note("end of frame of \(streamID), final: \(isFinal)") }
                case .openedStream, .reply, .headers, .reset, .ping, .goAway:
                    checkContract(cursor, after: earlier, nil, in: piece)
                    trace.note("\(event)")
                }
                earlier = cursor
            }
            precondition(cursor == piece.count, "nil before everything was consumed")
        }
    } catch {
        trace.note("error: \(error)")
    }
    return trace
}

// Any bytes on WebSocket channels, of either form, give payload and an end, or TunnelError; the same however they are cut.

import FastForward

func channelsViolation(by bytes: [UInt8]) -> String? {
    differenceBetweenCuts(of: bytes) { readChannels($0, .binary) } ?? base64Difference(of: bytes)
}

/// What stands before an error in base64 depends on the cuts; that there is one does not.
private func base64Difference(of bytes: [UInt8]) -> String? {
    differenceBetweenCuts(of: bytes) { pieces in
        let trace = readChannels(pieces, .base64)
        guard trace.hasNote(beginningWith: "error") else { return trace }
        var short = Trace()
        short.note("error")
        return short
    }
}

private func readChannels(_ pieces: [ArraySlice<UInt8>], _ form: ChannelForm) -> Trace {
    var trace = Trace()
    let pool = BufferPool()
    defer { withExtendedLifetime(pool) {} }
    var core = ChannelCore(form: form)
    do throws(TunnelError) {
        for piece in pieces {
            var batch = pool.take(piece.count)
            batch.append(piece.span.bytes)
            var cursor = 0
            var earlier = 0
            while let event = try core.next(batch.bytes, from: &cursor) {
                switch event {
                case .payload(let range):
                    checkContract(cursor, after: earlier, range, in: piece)
                    trace.payload([UInt8](copying: batch.bytes.extracting(range)))
                case .encoded(let range, let endsMessage):
                    checkContract(cursor, after: earlier, range, in: piece)
                    if let decoded = try core.decode(&batch, in: range, endsMessage: endsMessage) {
                        precondition(
                            range.lowerBound <= decoded.lowerBound && decoded.upperBound <= range.upperBound,
                            "decoded outside of the range"
                        )
                        trace.payload([UInt8](copying: batch.bytes.extracting(decoded)))
                    }
                case .ping(let payload): trace.note("ping \(payload)")
                case .ended(let failure): trace.note("ended: \(String(describing: failure))")
                }
                earlier = cursor
            }
            precondition(cursor == piece.count, "nil before everything was consumed")
        }
        trace.note("cut: \(core.cut())")
    } catch {
        trace.note("error: \(error)")
    }
    return trace
}

// Any answer to an upgrade, by each of the ways, gives a 101 or UpstreamError; the same however it is cut.

import FastForward

func upgradeViolation(by bytes: [UInt8]) -> String? {
    for way in TunnelWay.allCases {
        if let difference = differenceBetweenCuts(of: bytes, { readUpgrade($0, way) }) {
            return "\(way): \(difference)"
        }
    }
    return nil
}

private func readUpgrade(_ pieces: [ArraySlice<UInt8>], _ way: TunnelWay) -> Trace {
    var trace = Trace()
    // Of the key in RFC 6455 §1.3.
    let upgrade = TunnelUpgrade(
        way: way,
        key: "dGhlIHNhbXBsZSBub25jZQ==",
        expectedAccept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    )
    var answer = UpgradeAnswer(upgrade: upgrade)
    answer.asked()
    do throws(UpstreamError) {
        for piece in pieces {
            var cursor = 0
            let isThrough = try answer.next(piece.span.bytes, from: &cursor, server: "s", pod: "p")
            precondition(cursor <= piece.count, "the cursor left the bytes")
            guard isThrough else {
                precondition(cursor == piece.count, "more was wanted before everything was consumed")
                continue
            }
            precondition(answer.isAccepted, "through, but not accepted")
            trace.note("accepted, \(answer.channelForm)")
            return trace
        }
        trace.note("ended: \(answer.reason(ofEnd: .ended(server: "s", during: "x"), pod: "p"))")
    } catch {
        trace.note("error: \(error)")
    }
    return trace
}

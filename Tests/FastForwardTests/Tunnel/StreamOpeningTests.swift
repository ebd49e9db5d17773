import Testing

@testable import FastForward

@Suite struct `Opening a connection's streams` {
    private func text(_ headers: some SPDYHeaderText) -> [UInt8] {
        let pool = BufferPool()
        var buffer = pool.take(TunnelCore.openBytesMax)
        headers.appendText(to: &buffer)
        return [UInt8](copying: buffer.bytes)
    }

    @Test(
        arguments: [
            (1, 0), (9, 9), (10, 10), (80, 99), (999, 100), (7_000, 12_345), (65_535, 16_777_216),
        ] as [(UInt16, Int)]
    )
    func `the headers are those that any writer would write, in as many bytes as it says`(
        port: UInt16,
        requestID: Int
    ) {
        for (kind, name) in [(StreamOpening.Kind.error, "error"), (.data, "data")] {
            let opening = StreamOpening(kind: kind, port: port, requestID: requestID)
            let headers: SPDYHeaders = ["streamtype": name, "port": "\(port)", "requestid": "\(requestID)"]
            #expect(text(opening) == text(headers))
            #expect(opening.textBytes == headers.textBytes)
        }
    }
}

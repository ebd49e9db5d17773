import FastForward

/// What an exchange with a proxy came to.
struct ProxyOutcome: Equatable {
    /// Everything that was sent, after the first bytes.
    var sent: [UInt8] = []
    var isEstablished = false
    var error: ProxyError?
    /// What the end of the connection would mean.
    var refusal: ProxyError?
    /// The bytes that belong to the server.
    var rest: [UInt8] = []
}

/// Plays a proxy's answers, piece by piece.
func play(_ scheme: UpstreamProxy.Scheme, login: UpstreamProxy.Login?, _ pieces: [[UInt8]]) -> ProxyOutcome {
    let proxy = UpstreamProxy(scheme: scheme, host: "proxy", port: 1, login: login)
    var exchange = ProxyExchange(
        with: proxy,
        to: ProxyDestination(host: "server", port: 6443),
        userAgent: "test"
    )
    var outcome = ProxyOutcome()
    let pool = BufferPool()
    for piece in pieces {
        guard !outcome.isEstablished else {
            outcome.rest += piece
            continue
        }
        var buffer = pool.take(max(piece.count, 1))
        for byte in piece { buffer.append(byte) }
        var cursor = 0
        do throws(ProxyError) {
            while let event = try exchange.next(buffer.bytes, from: &cursor) {
                switch event {
                case .send(let bytes): outcome.sent += bytes
                case .established: outcome.isEstablished = true
                }
            }
        } catch {
            outcome.error = error
            return outcome
        }
        if outcome.isEstablished { outcome.rest += piece[cursor...] }
    }
    outcome.refusal = exchange.refusal
    return outcome
}

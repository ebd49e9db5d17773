// Any answer of a proxy gives requests, a way that is open, or ProxyError, whose text cannot steer a terminal and holds no
// password; the same however it is cut. The first byte chooses the proxy.

import FastForward

func proxyViolation(by bytes: [UInt8]) -> String? {
    let choice = bytes.first ?? 0
    let scheme: UpstreamProxy.Scheme = choice & 1 == 0 ? .http : .socks5
    let login = choice & 2 == 0 ? nil : UpstreamProxy.Login(user: "user", password: "hunter2")
    let proxy = UpstreamProxy(scheme: scheme, host: "h", port: 1, login: login)
    return differenceBetweenCuts(of: Array(bytes.dropFirst())) { readProxy($0, proxy) }
}

private func readProxy(_ pieces: [ArraySlice<UInt8>], _ proxy: UpstreamProxy) -> Trace {
    var trace = Trace()
    var exchange = ProxyExchange(
        with: proxy,
        to: ProxyDestination(host: "server", port: 443),
        userAgent: "ffwd"
    )
    do throws(ProxyError) {
        _ = try exchange.start()
        for piece in pieces {
            var cursor = 0
            while let event = try exchange.next(piece.span.bytes, from: &cursor) {
                precondition(cursor <= piece.count, "the cursor left the bytes")
                trace.note("\(event)")
                // What follows is the server's.
                if event == .established { return trace }
            }
            precondition(cursor == piece.count, "nil before everything was consumed")
        }
        trace.note("refusal: \(exchange.refusal.map { "\($0)" } ?? "none")")
    } catch {
        trace.note("error: \(error)")
        precondition("\(error)".isPlain, "control characters in \("\(error)".debugDescription)")
        precondition(!"\(error)".contains("hunter2"), "the password is told")
    }
    return trace
}

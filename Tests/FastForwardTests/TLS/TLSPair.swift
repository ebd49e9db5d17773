import Testing

@testable import FastForward

/// A client's and a server's session back to back, without a transport: the test carries the ciphertext.
final class TLSPair {
    let pool: BufferPool
    let client: TLSSession
    let server: TLSSession

    init(pool: BufferPool, client: TLSContext, server: TLSContext, serverName: String = "127.0.0.1") throws {
        self.pool = pool
        let capacityBytes = BufferPool.largestCapacityBytes
        self.client = try TLSSession(
            client: client,
            serverName: serverName,
            input: BufferBox(pool.take(capacityBytes)),
            pool: pool
        )
        self.server = try TLSSession(server: server, input: BufferBox(pool.take(capacityBytes)), pool: pool)
    }

    /// Takes what `session` wants to send.
    static func takeOutput(of session: TLSSession) -> [UInt8] {
        var bytes: [UInt8] = []
        session.output.forEachSlice(100_000) { start, count in
            bytes += UnsafeRawBufferPointer(start: start, count: count)
        }
        session.output.removeAll()
        return bytes
    }

    /// Gives ciphertext to `session`.
    static func give(_ ciphertext: some Sequence<UInt8>, to session: TLSSession) {
        if session.input.buffer.isEmpty { session.input.buffer.clear() }
        let bytes = Array(ciphertext)
        session.input.buffer.append(bytes.span.bytes)
    }

    /// Carries handshakes to and fro until both sides are open; `carry` moves the ciphertext of a flight.
    func shakeHands(
        carry: (_ ciphertext: [UInt8], _ session: TLSSession) throws -> Void = { bytes, session in
            give(bytes, to: session)
            _ = try session.handshake()
        }
    ) throws {
        _ = try client.handshake()
        for _ in 0..<4 {
            try carry(Self.takeOutput(of: client), server)
            // The server's last words are tickets, which the client reads as it reads plaintext.
            let fromServer = Self.takeOutput(of: server)
            if client.isOpen, server.isOpen {
                Self.give(fromServer, to: client)
                #expect(try read(client).bytes.isEmpty)
                return
            }
            try carry(fromServer, client)
        }
        Issue.record("no handshake within four round trips")
    }

    /// Reads what has come to `session`.
    func read(_ session: TLSSession) throws -> (bytes: [UInt8], outcome: TLSSession.ReadOutcome) {
        var bytes: [UInt8] = []
        var buffer = pool.take(16 * 1024)
        while true {
            buffer.clear()
            let outcome = try session.read(into: &buffer)
            bytes += buffer.copiedBytes()
            if outcome != .filled { return (bytes, outcome) }
        }
    }
}

/// The certificates of one test.
struct TLSMaterial {
    let maker: CertificateMaker
    let clientContext: TLSContext
    let serverContext: TLSContext

    init(
        names: [String] = ["IP:127.0.0.1", "DNS:localhost"],
        validity: CertificateMaker.Validity = .thisYear,
        clientIdentity: Bool = false,
        trust: TLSContext.Trust? = nil
    ) throws {
        maker = try CertificateMaker(commonName: "test authority")
        serverContext = try TLSContext(
            server: maker.issueServer(names: names, validity: validity),
            clientAuthorities: maker.authorityPEM
        )
        clientContext = try TLSContext(
            trust: trust ?? .authorities(pem: maker.authorityPEM),
            identity: clientIdentity ? maker.issueClient(commonName: "alice") : nil
        )
    }

    func pair(_ pool: BufferPool, serverName: String = "127.0.0.1") throws -> TLSPair {
        try TLSPair(pool: pool, client: clientContext, server: serverContext, serverName: serverName)
    }
}

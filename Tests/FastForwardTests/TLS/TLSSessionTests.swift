import Testing

@testable import FastForward

@Suite struct `Speaking TLS without a transport` {
    @Test(arguments: [false, true])
    func `a handshake opens wherever its flights are cut`(resumes: Bool) throws {
        let pool = BufferPool()
        do {
            let material = try TLSMaterial()
            if resumes { try material.pair(pool).shakeHands() }
            var cut = 0
            var isCutInside = true
            while isCutInside {
                isCutInside = false
                let pair = try material.pair(pool)
                try pair.shakeHands { bytes, session in
                    isCutInside = isCutInside || cut < bytes.count
                    TLSPair.give(bytes.prefix(cut), to: session)
                    let isOpenEarly = try session.handshake()
                    #expect(!isOpenEarly || cut >= bytes.count, "open without the last bytes, cut at \(cut)")
                    TLSPair.give(bytes.dropFirst(cut), to: session)
                    _ = try session.handshake()
                }
                #expect(pair.client.isOpen && pair.server.isOpen, "cut at \(cut)")
                #expect(pair.client.isResumed == resumes, "cut at \(cut)")
                if !resumes { material.clientContext.forgetTicket() }
                cut += 1
            }
            #expect(
                cut > (resumes ? 400 : 500),
                "a flight with a ticket or a certificate is longer than that"
            )
        }
        #expect(pool.outstanding == 0)
    }

    @Test func `a handshake opens byte by byte, with AES-128 and what the certificates say`() throws {
        let pool = BufferPool()
        let material = try TLSMaterial(clientIdentity: true)
        let pair = try material.pair(pool, serverName: "localhost")
        try pair.shakeHands { bytes, session in
            for byte in bytes {
                TLSPair.give([byte], to: session)
                _ = try session.handshake()
            }
        }
        #expect(pair.client.negotiated == "TLSv1.3 TLS_AES_128_GCM_SHA256")
        #expect(pair.client.peerCommonName == "kube-apiserver")
        #expect(pair.server.peerCommonName == "alice")
    }

    @Test func `a client without a certificate has no name`() throws {
        let pair = try TLSMaterial().pair(BufferPool())
        try pair.shakeHands()
        #expect(pair.server.peerCommonName == nil)
    }

    @Test(arguments: [true, false])
    func `a mebibyte comes out as it went in, however its records are cut`(fromClient: Bool) throws {
        var generator = SeededGenerator(seed: testSeeds(1)[0])
        let plaintext = generator.bytes(1024 * 1024)
        let pool = BufferPool()
        do {
            let pair = try TLSMaterial().pair(pool)
            try pair.shakeHands()
            let (from, to) = fromClient ? (pair.client, pair.server) : (pair.server, pair.client)
            var received: [UInt8] = []
            for piece in plaintext.chunks(of: 100_000) {
                try from.write(piece.span.bytes)
                let ciphertext = TLSPair.takeOutput(of: from)
                for cut in randomCuts(of: ciphertext, using: &generator) {
                    TLSPair.give(cut, to: to)
                    let (bytes, outcome) = try pair.read(to)
                    received += bytes
                    #expect(outcome == .drained)
                    #expect(
                        to.input.buffer.isEmpty == true,
                        "the session leaves nothing for another one's buffer"
                    )
                }
            }
            #expect(received == plaintext, "seed \(generator.seed)")
        }
        #expect(pool.outstanding == 0)
    }

    @Test func `close_notify is an end, a transport's end without it is none`() throws {
        let pair = try TLSMaterial().pair(BufferPool())
        try pair.shakeHands()
        try pair.server.write(Array("last".utf8).span.bytes)
        let record = TLSPair.takeOutput(of: pair.server)
        pair.server.closeNotify()
        let notice = TLSPair.takeOutput(of: pair.server)
        #expect(!notice.isEmpty)

        TLSPair.give(record + notice.dropLast(), to: pair.client)
        var read = try pair.read(pair.client)
        #expect(read.bytes == Array("last".utf8))
        // All but the last byte of the notice: were this all, it would be a truncation.
        #expect(read.outcome == .drained)
        TLSPair.give(notice.suffix(1), to: pair.client)
        read = try pair.read(pair.client)
        #expect(read.bytes.isEmpty)
        #expect(read.outcome == .ended)

        // The other direction is still open.
        try pair.client.write(Array("answer".utf8).span.bytes)
        TLSPair.give(TLSPair.takeOutput(of: pair.client), to: pair.server)
        #expect(try pair.read(pair.server).bytes == Array("answer".utf8))
    }

    @Test func `a session goes on from an earlier one with the same server, and knows the client by it`()
        throws
    {
        let pool = BufferPool()
        let material = try TLSMaterial(clientIdentity: true)
        for isResumed in [false, true, true] {
            let pair = try material.pair(pool)
            try pair.shakeHands()
            #expect(pair.client.isResumed == isResumed)
            #expect(pair.server.peerCommonName == "alice")
            #expect(pair.client.peerCommonName == "kube-apiserver")
        }
    }

    @Test func `what one server has proved holds for no other name`() throws {
        let material = try TLSMaterial()
        try material.pair(BufferPool()).shakeHands()
        let pair = try material.pair(BufferPool(), serverName: "localhost")
        try pair.shakeHands()
        #expect(!pair.client.isResumed)
        let impostor = try material.pair(BufferPool(), serverName: "127.0.0.2")
        #expect(
            throws: TLSError.certificateNotVerified(serverName: "127.0.0.2", reason: "IP address mismatch")
        ) {
            try impostor.shakeHands()
        }
    }

    @Test func `a ticket that the server does not know costs nothing but a whole handshake`() throws {
        let material = try TLSMaterial()
        try material.pair(BufferPool()).shakeHands()
        let other = try TLSContext(server: material.maker.issueServer(), clientAuthorities: nil)
        let pair = try TLSPair(pool: BufferPool(), client: material.clientContext, server: other)
        try pair.shakeHands()
        #expect(!pair.client.isResumed)
    }

    @Test func `a session that has said goodbye does not open again`() throws {
        let pair = try TLSMaterial().pair(BufferPool())
        try pair.shakeHands()
        pair.client.closeNotify()
        #expect(!pair.client.isOpen)
        #expect(try !pair.client.handshake())
        #expect(!pair.client.isOpen)
    }

    @Test func `the sending key is renewed in time, and nothing is lost`() throws {
        let pair = try TLSMaterial().pair(BufferPool())
        try pair.shakeHands()
        pair.client.recordsPerKeyMax = 10
        var ciphertextBytes = 0
        for round in UInt8(0)..<100 {
            try pair.client.write([round].span.bytes)
            let ciphertext = TLSPair.takeOutput(of: pair.client)
            ciphertextBytes += ciphertext.count
            TLSPair.give(ciphertext, to: pair.server)
            #expect(try pair.read(pair.server).bytes == [round])
        }
        // A record is 5 bytes of head, the content, its type and a tag of 16; a KeyUpdate's content is 5 bytes.
        let renewals = (ciphertextBytes - 100 * (5 + 1 + 1 + 16)) / (5 + 5 + 1 + 16)
        #expect((9...10).contains(renewals))
    }

    @Test func `a peer that is asked for new keys answers, also without plaintext of its own`() throws {
        let pair = try TLSMaterial().pair(BufferPool())
        try pair.shakeHands()
        let bytes: [UInt8] = [1]
        for _ in 0..<3 {
            pair.server.renewKey(asksPeer: true)
            try pair.server.write(bytes.span.bytes)
        }
        TLSPair.give(TLSPair.takeOutput(of: pair.server), to: pair.client)
        #expect(try pair.read(pair.client).bytes == [1, 1, 1])
        // Whole records, each with a KeyUpdate of 5 bytes.
        let answers = TLSPair.takeOutput(of: pair.client)
        #expect(!answers.isEmpty && answers.count % (5 + 5 + 1 + 16) == 0)
        try pair.client.write(bytes.span.bytes)
        TLSPair.give(answers + TLSPair.takeOutput(of: pair.client), to: pair.server)
        #expect(try pair.read(pair.server).bytes == [1])
    }

    @Test(arguments: testSeeds(20))
    func `a changed byte is an error, never plaintext`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try TLSMaterial().pair(BufferPool())
        try pair.shakeHands()
        let plaintext = generator.bytes(5000)
        try pair.server.write(plaintext.span.bytes)
        var ciphertext = TLSPair.takeOutput(of: pair.server)
        ciphertext[Int.random(in: ciphertext.indices, using: &generator)] ^= UInt8.random(
            in: 1...255,
            using: &generator
        )
        TLSPair.give(ciphertext, to: pair.client)
        do {
            // A changed length may make the record longer: then the rest of it has yet to come.
            let (bytes, outcome) = try pair.read(pair.client)
            #expect(bytes.isEmpty && outcome == .drained, "seed \(seed)")
        } catch let error as TLSError {
            guard case .failed(during: "transfer", _) = error else {
                Issue.record("\(error), seed \(seed)")
                return
            }
        }
    }

    @Test(arguments: testSeeds(20))
    func `garbage instead of a handshake is TLS's own error`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try TLSMaterial().pair(BufferPool())
        _ = try pair.client.handshake()
        for session in [pair.client, pair.server] {
            TLSPair.give(generator.bytes(generator.logUniform(upTo: 2000)), to: session)
            do {
                #expect(try !session.handshake(), "seed \(seed)")
            } catch {
                guard case .failed(during: "handshake", _) = error else {
                    Issue.record("\(error), seed \(seed)")
                    return
                }
            }
        }
    }
}

@Suite struct `Trusting a server` {
    /// A handshake that the client must refuse before it has sent anything of its own.
    private func refusal(by client: TLSContext, of server: TLSContext, named name: String) throws -> TLSError?
    {
        let pool = BufferPool()
        let pair = try TLSPair(pool: pool, client: client, server: server, serverName: name)
        let error = #expect(throws: TLSError.self) { try pair.shakeHands() }
        #expect(!pair.client.isOpen)
        // What is left to be sent is an alert, in the clear or as one record.
        #expect(TLSPair.takeOutput(of: pair.client).count <= 5 + 2 + 1 + 16 + 6)
        return error
    }

    @Test(arguments: [
        ("127.0.0.2", "IP address mismatch"), ("::1", "IP address mismatch"),
        ("example.com", "hostname mismatch"),
    ])
    func `a certificate for somebody else is refused`(name: String, reason: String) throws {
        let material = try TLSMaterial()
        let error = try refusal(by: material.clientContext, of: material.serverContext, named: name)
        #expect(error == .certificateNotVerified(serverName: name, reason: reason))
    }

    @Test func `a certificate of an authority that nobody named is refused`() throws {
        let material = try TLSMaterial()
        let stranger = try TLSMaterial()
        let error = try refusal(by: material.clientContext, of: stranger.serverContext, named: "127.0.0.1")
        guard case .certificateNotVerified("127.0.0.1", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `an expired certificate is refused, in words that say so`() throws {
        let material = try TLSMaterial(validity: .expired)
        let error = try refusal(by: material.clientContext, of: material.serverContext, named: "127.0.0.1")
        #expect(
            error == .certificateNotVerified(serverName: "127.0.0.1", reason: "certificate has expired")
        )
    }

    @Test func `anybody is trusted where the user said so`() throws {
        let material = try TLSMaterial(names: ["DNS:elsewhere"], validity: .expired, trust: .anybody)
        let pair = try material.pair(BufferPool())
        try pair.shakeHands()
        #expect(pair.client.isOpen)
    }

    @Test func `a client's certificate of a stranger is refused by the server`() throws {
        let material = try TLSMaterial()
        let stranger = try TLSMaterial()
        let client = try TLSContext(
            trust: .authorities(pem: material.maker.authorityPEM),
            identity: stranger.maker.issueClient(commonName: "mallory")
        )
        let pair = try TLSPair(pool: BufferPool(), client: client, server: material.serverContext)
        #expect(throws: TLSError.self) { try pair.shakeHands() }
        #expect(!pair.server.isOpen)
        // In TLS 1.3 the client is open by then, and hears of it when it reads.
        TLSPair.give(TLSPair.takeOutput(of: pair.server), to: pair.client)
        let error = #expect(throws: TLSError.self) { _ = try pair.read(pair.client) }
        guard case .failed(during: "transfer", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}

@Suite struct `Using the user's certificates` {
    @Test func `what is no certificate or key is refused by its name, without its bytes`() throws {
        let maker = try CertificateMaker(commonName: "test authority")
        let identity = try maker.issueClient(commonName: "alice")
        let other = try maker.issueClient(commonName: "bob")
        let secret = Array("very secret".utf8)
        let cases: [(what: String, authority: [UInt8], identity: TLSContext.Identity)] = [
            ("the certificate authority", secret, identity),
            (
                "the client certificate", maker.authorityPEM,
                .init(certificatePEM: secret, keyPEM: identity.keyPEM)
            ),
            (
                "the client key", maker.authorityPEM,
                .init(certificatePEM: identity.certificatePEM, keyPEM: secret)
            ),
            (
                "the client key with its certificate", maker.authorityPEM,
                .init(certificatePEM: identity.certificatePEM, keyPEM: other.keyPEM)
            ),
        ]
        for (what, authority, identity) in cases {
            let error = #expect(throws: TLSError.self) {
                _ = try TLSContext(trust: .authorities(pem: authority), identity: identity)
            }
            guard case .material(what, _) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(error?.description.contains("secret") == false)
        }
    }

    @Test func `a WebSocket key is answered as RFC 6455 §1.3 shows`() {
        #expect(Digests.webSocketAccept(forKey: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(Digests.base64([]) == "")
        #expect(Digests.base64(Array("fooba".utf8)) == "Zm9vYmE=")
        #expect(Digests.randomWebSocketKey() != Digests.randomWebSocketKey())
    }
}

extension [UInt8] {
    fileprivate func chunks(of count: Int) -> [[UInt8]] {
        stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
    }
}

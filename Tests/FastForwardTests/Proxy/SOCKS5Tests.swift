import FastForward
import Testing

@Suite struct `Asking a SOCKS proxy` {
    static let login = UpstreamProxy.Login(user: "me", password: "pw")
    /// CONNECT to `server:6443` by name (RFC 1928 §4).
    static let connect: [UInt8] = [5, 1, 0, 3, 6] + Array("server".utf8) + [0x19, 0x2B]
    static let loginMessage: [UInt8] = [1, 2] + Array("me".utf8) + [2] + Array("pw".utf8)
    static let success: [UInt8] = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]

    static func start(host: String = "h", login: UpstreamProxy.Login? = nil) throws -> [UInt8] {
        try SOCKS5Exchange(to: ProxyDestination(host: host, port: 1), login: login).start()
    }

    @Test func `a login is offered where there is one`() throws {
        #expect(try Self.start() == [5, 1, 0])
        #expect(try Self.start(login: Self.login) == [5, 2, 0, 2])
    }

    @Test(arguments: [
        success, [5, 0, 0, 4] + [UInt8](repeating: 9, count: 18), [5, 0, 0, 3, 2, 65, 66, 1, 2],
        [5, 0, 0, 3, 0, 1, 2], [5, 0, 0, 3, 255] + [UInt8](repeating: 7, count: 257),
    ])
    func `the way is open behind the reply, whatever address it holds`(reply: [UInt8]) {
        let rest: [UInt8] = [22, 3, 1]
        let anonymous = ProxyOutcome(sent: Self.connect, isEstablished: true, rest: rest)
        for pieces in cuttings(of: [5, 0] + reply + rest, seed: 21) {
            #expect(play(.socks5, login: nil, pieces) == anonymous)
            #expect(play(.socks5, login: Self.login, pieces) == anonymous)
        }
        let known = ProxyOutcome(sent: Self.loginMessage + Self.connect, isEstablished: true, rest: rest)
        for pieces in cuttings(of: [5, 2, 1, 0] + reply + rest, seed: 22) {
            #expect(play(.socks5, login: Self.login, pieces) == known)
        }
    }

    @Test(
        arguments: [
            ("127.0.0.1", [1, 127, 0, 0, 1]),
            ("::1", [4] + [UInt8](repeating: 0, count: 15) + [1]),
            ("2001:db8::", [4, 0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 12)),
            ("1:2:3:4:5:6:7:8", [4, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]),
            ("::ffff:10.0.0.1", [4] + [UInt8](repeating: 0, count: 10) + [255, 255, 10, 0, 0, 1]),
            ("127.1", [3, 5] + Array("127.1".utf8)),
            ("127.0.0.01", [3, 10] + Array("127.0.0.01".utf8)),
            ("127.0.0.256", [3, 11] + Array("127.0.0.256".utf8)),
            ("fe80::1%eth0", [3, 12] + Array("fe80::1%eth0".utf8)),
            ("1::2::3", [3, 7] + Array("1::2::3".utf8)),
            ("1.2.3.4::", [3, 9] + Array("1.2.3.4::".utf8)),
            (":1", [3, 2] + Array(":1".utf8)),
        ] as [(String, [UInt8])]
    )
    func `an address is sent as its bytes, anything else as a name`(host: String, address: [UInt8]) throws {
        var exchange = SOCKS5Exchange(to: ProxyDestination(host: host, port: 0x0102), login: nil)
        let pool = BufferPool()
        var buffer = pool.take(2)
        buffer.append(5)
        buffer.append(0)
        var cursor = 0
        let event = try exchange.next(buffer.bytes, from: &cursor)
        #expect(event == .send([5, 1, 0] + address + [1, 2]))
    }

    static let refusals: [(answer: [UInt8], login: UpstreamProxy.Login?, error: ProxyError)] = [
        ([5, 0xFF], nil, .loginWanted),
        ([5, 0xFF], login, .loginRefused),
        ([5, 2, 1, 1], login, .loginRefused),
        ([5, 2, 1, 0xFF], login, .loginRefused),
        ([5, 2, 5, 0], login, .loginVersion(5)),
        ([5, 2], nil, .methodNotOffered(2)),
        ([5, 1], login, .methodNotOffered(1)),
        (Array("HTTP/1.0 400 Bad Request\r\n".utf8), nil, .notSOCKS5(firstByte: 72)),
        ([0, 0x5A], nil, .notSOCKS5(firstByte: 0)),
        ([5, 0, 4, 0], nil, .notSOCKS5(firstByte: 4)),
        ([5, 0, 5, 0, 0, 2, 0], nil, .unknownAddressType(2)),
    ]

    @Test(arguments: refusals)
    func `a refusal is told, however it is cut`(
        answer: [UInt8],
        login: UpstreamProxy.Login?,
        error: ProxyError
    ) {
        for pieces in cuttings(of: answer, seed: 23) {
            #expect(play(.socks5, login: login, pieces).error == error)
        }
    }

    @Test func `every reply has its words, even where the proxy sends no more than the code`() {
        var texts: Set<String> = []
        for code in UInt8(1)...9 {
            let error = play(.socks5, login: nil, [[5, 0, 5, code]]).error
            #expect(error == .notConnected(code: code))
            texts.insert("\(error.map(\.description) ?? "")")
        }
        #expect(texts.count == 9)
    }

    @Test func `what does not fit is refused before anything is sent`() throws {
        let long = String(repeating: "x", count: 256)
        typealias Login = UpstreamProxy.Login
        #expect(throws: ProxyError.nameNotSendable(bytes: 256)) { try Self.start(host: long) }
        for login in [
            Login(user: "", password: "x"), Login(user: long, password: "x"),
            Login(user: "x", password: long),
        ] {
            #expect(throws: ProxyError.loginTooLong(limitBytes: 255)) { try Self.start(login: login) }
        }
        let longest = Login(user: String(long.dropLast()), password: String(long.dropLast()))
        #expect(try Self.start(host: String(long.dropLast()), login: longest) == [5, 2, 0, 2])
        let sent = play(.socks5, login: longest, [[5, 2]]).sent
        #expect(sent.count == 3 + 2 * 255)
        #expect(play(.socks5, login: Login(user: "x", password: ""), [[5, 2]]).sent == [1, 1, 120, 0])
    }

    @Test(arguments: testSeeds(200))
    func `garbage is refused or waited upon`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let starts: [[UInt8]] = [[], [5, 0], [5, 2, 1, 0], [5, 0, 5, 0]]
        let start = starts.randomElement(using: &generator) ?? []
        let bytes = start + generator.bytes(Int.random(in: 0...600, using: &generator))
        let whole = play(.socks5, login: Self.login, [bytes])
        let cut = play(.socks5, login: Self.login, randomCuts(of: bytes, using: &generator))
        #expect(cut == whole, "seed \(seed)")
    }
}

@Suite struct `Naming a proxy` {
    @Test func `its login appears in no text`() {
        let login = UpstreamProxy.Login(user: "me", password: "hunter2")
        let proxy = UpstreamProxy(scheme: .https, host: "::1", port: 3128, login: login)
        #expect("\(proxy)" == "https://[::1]:3128")
        var dumped = ""
        dump(proxy, to: &dumped)
        for text in [dumped, "\(login)", String(reflecting: proxy), String(reflecting: login)] {
            #expect(!text.contains("hunter2"))
        }
    }
}

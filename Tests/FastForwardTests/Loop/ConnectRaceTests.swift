import Testing

@testable import FastForward

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

@Suite struct `Connecting to one of several addresses` {
    /// A port that takes no connection and refuses none: its queue, of one, is full.
    private final class DeadPort {
        private var descriptors: [Int32] = []
        let address: SocketAddress

        init() throws {
            let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            descriptors = [listening]
            let length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let anyPort = try #require(SocketAddress(ip: "127.0.0.2", port: 0))
            try #require(anyPort.withPointer { bind(listening, $0, length) } == 0)
            try #require(listen(listening, 0) == 0)
            var name = [UInt8](repeating: 0, count: 128)
            var nameLength = socklen_t(name.count)
            address = try name.withUnsafeMutableBytes { bytes in
                try bytes.withMemoryRebound(to: sockaddr.self) { names in
                    let name = try #require(names.baseAddress)
                    try #require(getsockname(listening, name, &nameLength) == 0)
                    return SocketAddress(copying: name)
                }
            }
            for _ in 0..<4 {
                let filling = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
                descriptors.append(filling)
                _ = address.withPointer { connect(filling, $0, length) }
            }
        }

        deinit { for descriptor in descriptors { close(descriptor) } }
    }

    /// Races, and gives back the address that won.
    private func winner(
        of addresses: [SocketAddress],
        in scene: LoopScene
    ) throws -> Result<SocketAddress, LoopError>? {
        var outcome: Result<SocketAddress, LoopError>?
        let race = ConnectRace(loop: scene.loop, addresses: addresses) { result in
            outcome = result.map { link in
                defer { link.close() }
                return link.peerAddress ?? addresses[0]
            }
        }
        #expect(outcome == nil, "the answer comes in a later turn")
        try scene.run { outcome != nil }
        race.cancel()
        return outcome
    }

    private func listener(in scene: LoopScene) throws -> Listener {
        try Listener(loop: scene.loop, address: .loopback(), resetsOnClose: false) { _ in }
    }

    /// A port that was free a moment ago.
    private func refusing(in scene: LoopScene) throws -> SocketAddress {
        let listener = try listener(in: scene)
        defer { listener.close() }
        return listener.address
    }

    @Test func `where one descriptor is left, the next address gets that of one that does not answer`() throws
    {
        let scene = try LoopScene()
        let dead = try DeadPort()
        let listener = try listener(in: scene)
        let ledger = scene.loop.descriptors
        ledger.limit(to: ledger.openCount + DescriptorLedger.leftToOthers + 1)
        #expect(try winner(of: [dead.address, listener.address], in: scene) == .success(listener.address))
        listener.close()
        try scene.finish()
    }

    @Test func `an address that does not answer costs a moment, not the connection`() throws {
        let scene = try LoopScene()
        let dead = try DeadPort()
        let listener = try listener(in: scene)
        let start = scene.loop.now
        let outcome = try winner(of: [dead.address, dead.address, listener.address], in: scene)
        #expect(try outcome?.get() == listener.address)
        let span = scene.loop.now - start
        #expect(span >= ConnectRace.attemptSpan && span < .seconds(5))
        listener.close()
        try scene.finish()
    }

    @Test func `one that refuses costs nothing`() throws {
        let scene = try LoopScene()
        let listener = try listener(in: scene)
        let refused = try refusing(in: scene)
        let start = scene.loop.now
        let outcome = try winner(of: [refused, refused, listener.address], in: scene)
        #expect(try outcome?.get() == listener.address)
        #expect(scene.loop.now - start < ConnectRace.attemptSpan)
        listener.close()
        try scene.finish()
    }

    @Test func `where all fail the last reason is told, once`() throws {
        let scene = try LoopScene()
        // Port 0 fails at once, the other in a later turn.
        let addresses = [
            try refusing(in: scene), try #require(SocketAddress(ip: "255.255.255.255", port: 1)),
        ]
        for addresses in [addresses, addresses.reversed()] {
            guard case .failure(let error) = try winner(of: addresses, in: scene) else {
                Issue.record("nobody is there")
                return
            }
            #expect(error.attempt == "connect to \(addresses[1])")
        }
        try scene.finish()
    }

    @Test func `a race that is called off says nothing and leaves nothing`() throws {
        let scene = try LoopScene()
        let dead = try DeadPort()
        let race = ConnectRace(loop: scene.loop, addresses: [dead.address, dead.address]) { _ in
            Issue.record("it was called off")
        }
        scene.runTurns(3)
        race.cancel()
        try scene.finish()
    }
}

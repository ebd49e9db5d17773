import Testing

@testable import FastForward

@Suite struct `Asking who owns a client's socket` {
    @Test func `a half-closed client is there, a closed one is not`() throws {
        let scene = try LoopScene()
        let owners = SocketOwners()
        do {
            let (client, server) = try scene.connectedPair()
            server.startReading()
            #expect(owners.answer(for: server) == .owned)
            client.shutdownWriting()
            try scene.run { server.end == .ended }
            #expect(owners.answer(for: server) == .owned)
            client.close()
            try scene.run { client.isClosed }
            // The client's end waits in the kernel for ours; no process has it.
            #expect(owners.answer(for: server) == .closed)
            server.close()
            try scene.run { server.isClosed }
            #expect(owners.answer(for: server) == .unknown)
        }
        try scene.finish()
    }

    @Test func `a client that reset is not there`() throws {
        let scene = try LoopScene()
        let owners = SocketOwners()
        do {
            let (client, server) = try scene.connectedPair()
            #expect(owners.answer(for: server) == .owned)
            client.closeWithReset()
            try scene.run { client.isClosed }
            #expect(owners.answer(for: server) != .owned)
            server.close()
            try scene.run { server.isClosed }
        }
        try scene.finish()
    }

    @Test func `what a client has received and not read is known`() throws {
        let scene = try LoopScene()
        let owners = SocketOwners()
        do {
            let (client, server) = try scene.connectedPair()
            #expect(owners.unreadBytes(atTheEndOf: server) == 0)
            server.output.append(copying: [UInt8](repeating: 1, count: 1000).span.bytes)
            server.flush()
            #expect(owners.unreadBytes(atTheEndOf: server) == 1000)
            client.startReading()
            try scene.run { owners.unreadBytes(atTheEndOf: server) == 0 }
            client.close()
            try scene.run { client.isClosed }
            #expect(owners.unreadBytes(atTheEndOf: server) == nil)
            server.close()
            try scene.run { server.isClosed }
        }
        try scene.finish()
    }
}

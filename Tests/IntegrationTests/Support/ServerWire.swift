import Foundation

@testable import FastForward

/// What a server of the test's own speaks through: a socket, as it is or with TLS in it.
///
/// Belongs to one thread.
final class ServerWire {
    private static let pieceBytes = 256 * 1024

    let socket: ClientSocket
    private let pool = BufferPool()
    private var tls: TLSSession?
    /// What has come and was not asked for yet.
    private var rest: [UInt8] = []

    init(_ socket: ClientSocket) {
        self.socket = socket
    }

    // MARK: TLS

    /// Shakes hands as a server.
    ///
    /// - Parameter cut: how many bytes of our side are sent; nil: all.
    /// - Returns: whether TLS is there.
    func startTLS(_ identity: TLSContext.Identity, cutAt cut: Int? = nil) throws -> Bool {
        let context = try TLSContext(server: identity, clientAuthorities: nil)
        let session = try TLSSession(
            server: context,
            input: BufferBox(pool.take(BufferPool.largestCapacityBytes)),
            pool: pool
        )
        var left = cut ?? .max
        var isOpen = false
        while !isOpen {
            guard give(try receiveCiphertext(), to: session) else { return false }
            isOpen = try session.handshake()
            let output = takeOutput(of: session)
            try socket.send(Array(output.prefix(left)))
            left -= output.count
            if left < 0 { return false }
        }
        tls = session
        return true
    }

    /// Asks the far side to renew its key, so many times.
    func askForKeys(_ count: Int) throws {
        guard let tls else { throw ScenarioError("no TLS on this wire") }
        // The request leaves with the next plaintext: an empty pong.
        let pong: [UInt8] = [0x8A, 0]
        for number in 1...count {
            tls.renewKey(asksPeer: true)
            try tls.write(pong.span.bytes)
            if number % 500 == 0 || number == count { try socket.send(takeOutput(of: tls)) }
        }
    }

    private func receiveCiphertext() throws -> [UInt8] {
        let (bytes, ending) = socket.receiveSome(Self.pieceBytes)
        if let ending, ending != .end { throw ScenarioError("\(ending) on a server's connection") }
        return bytes
    }

    private func give(_ ciphertext: [UInt8], to session: TLSSession) -> Bool {
        if session.input.buffer.isEmpty { session.input.buffer.clear() }
        session.input.buffer.append(ciphertext.span.bytes)
        return !ciphertext.isEmpty
    }

    private func takeOutput(of session: TLSSession) -> [UInt8] {
        var bytes: [UInt8] = []
        session.output.forEachSlice(100_000) { start, count in
            bytes += UnsafeRawBufferPointer(start: start, count: count)
        }
        session.output.removeAll()
        return bytes
    }

    // MARK: Bytes

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        guard let tls else {
            try socket.send(bytes)
            return
        }
        try tls.write(bytes.span.bytes)
        try socket.send(takeOutput(of: tls))
    }

    /// Sends `piece` again and again, `bytes` of it at most, or until the far side has had enough, which throws.
    func flood(_ piece: [UInt8], bytes limit: Int) throws {
        var block: [UInt8] = []
        repeat { block += piece } while block.count < min(limit, 64 * 1024)
        var sent = 0
        while sent < limit {
            try send(block)
            sent += block.count
        }
    }

    /// Sends byte by byte, so many milliseconds apart, until the far side speaks or ends.
    func drip(_ bytes: [UInt8], every milliseconds: Int32) throws {
        for byte in bytes {
            try send([byte])
            if milliseconds > 0, socket.hears(within: milliseconds) { return }
        }
    }

    /// Some bytes; none: the far side has ended.
    func receive() throws -> [UInt8] {
        guard rest.isEmpty else {
            defer { rest = [] }
            return rest
        }
        guard let tls else { return try receiveCiphertext() }
        var batch = pool.take(BufferPool.largestCapacityBytes)
        while true {
            batch.clear()
            let outcome = try tls.read(into: &batch)
            if !batch.isEmpty { return [UInt8](copying: batch.bytes) }
            guard outcome != .ended, give(try receiveCiphertext(), to: tls) else { return [] }
        }
    }

    /// The head of a request; nil: the far side has ended.
    func receiveHead() throws -> HTTPRequestHead? {
        var reader = HTTPRequestHeadReader()
        while true {
            let bytes = try receive()
            guard !bytes.isEmpty else { return nil }
            var cursor = 0
            guard let head = try reader.next(bytes.span.bytes, from: &cursor) else { continue }
            rest = Array(bytes[cursor...])
            return head
        }
    }

    // MARK: Ending

    /// Takes what still comes, until the far side ends.
    func awaitEnd() {
        while case (_, nil) = socket.receiveSome(Self.pieceBytes) {}
    }

    /// Ends our direction, and waits for the other: a close with bytes unread would be a reset, which can overtake
    /// what was sent.
    func end() {
        socket.shutdownWriting()
        awaitEnd()
        socket.close()
    }
}

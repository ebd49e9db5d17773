/// How one forwarded connection, a data stream and an error stream, comes to its end.
///
/// Theory of operation. A FIN on the data stream is no proof of a complete answer: servers before Kubernetes 1.32
/// send it first and say only then, on the error stream, that the pod refused or reset. So the end of the data is
/// held back until the error stream has ended too, or a grace is over (a gateway may leave it open, and a pod that
/// only half-closes leaves it open rightly). The connection is complete only if both streams ended by FIN and no
/// text came; text, or RST_STREAM on either, means that it failed, which the client must see as a reset. Servers
/// since 1.32 send the text and then reset both streams.
///
/// Each verb changes the state and returns what the driver has to do, in order.
package struct StreamPair: Equatable {
    /// How long the end of the data waits for the end of the error stream.
    ///
    /// It follows within 0.1 ms where it follows.
    package static let endGrace = TimeSpan.seconds(2)
    /// How much of the server's reason is kept, in bytes: containerd's are about 500.
    package static let errorTextBytesMax = 2048

    package enum Action: Equatable {
        /// Ask again, with ``graceExpired()``, when ``endGrace`` is over.
        case awaitErrorEnd
        /// The pod sends no more: the client gets a clean end behind its last byte. `isComplete`: the server has
        /// ended the whole connection; what the client still sends goes nowhere.
        case finish(isComplete: Bool)
        /// The client must see a reset, after what it can still read.
        case fail(ConnectionFailure)
        /// Tell the server that nobody wants the rest: RST_STREAM on the data stream.
        case cancelData
        /// End our side of the data stream if that has not been done.
        case finishData
        /// Nothing more will come for this pair: its slot is free.
        case release
    }

    private enum Side: Equatable { case open, finished, reset }
    private enum Local: Equatable {
        /// The client waits for more.
        case attached
        /// The client got its clean end; it may still send.
        case finished
        /// The client has been reset or has gone: what comes is thrown away.
        case gone
    }

    private var data = Side.open
    private var error = Side.open
    private var local = Local.attached
    private var errorText: [UInt8] = []
    private var isGraceRunning = false

    package init() {}

    /// Whether bytes for the client are still wanted.
    package var isDelivering: Bool { local == .attached }
    /// Whether the client is gone and only the server's end is awaited.
    package var isDiscarding: Bool { local == .gone }

    /// FIN on the data stream.
    package mutating func dataFinished() -> [Action] {
        guard data == .open else { return [] }
        data = .finished
        return settle()
    }

    /// RST_STREAM on the data stream.
    package mutating func dataReset(status: UInt32) -> [Action] {
        data = .reset
        return fail(status: status)
    }

    /// Text on the error stream, which may come in parts.
    package mutating func errorTextReceived(_ bytes: RawSpan) -> [Action] {
        let room = Self.errorTextBytesMax - errorText.count
        if room > 0, local != .gone {
            errorText += [UInt8](copying: bytes.prefix(upTo: min(room, bytes.byteCount)))
        }
        return startGrace()
    }

    /// FIN on the error stream.
    package mutating func errorFinished() -> [Action] {
        guard error == .open else { return [] }
        error = .finished
        return settle()
    }

    /// RST_STREAM on the error stream.
    package mutating func errorReset(status: UInt32) -> [Action] {
        error = .reset
        return fail(status: status)
    }

    /// The grace that ``Action/awaitErrorEnd`` asked for is over.
    package mutating func graceExpired() -> [Action] {
        isGraceRunning = false
        guard local != .gone else { return [] }
        if !errorText.isEmpty { return fail(status: 0) }
        guard local == .attached, data == .finished else { return [] }
        local = .finished
        return [.finish(isComplete: false)]
    }

    /// The client is gone: reset, or closed with bytes unread.
    package mutating func localGone() -> [Action] {
        guard local != .gone else { return [] }
        local = .gone
        errorText = []
        return (data == .reset ? [] : [.cancelData]) + releaseIfOver()
    }

    /// The server does not get as far as this connection, or has said that it does not look at it.
    package mutating func giveUp(_ failure: ConnectionFailure) -> [Action] {
        guard local != .gone else { return [] }
        local = .gone
        errorText = []
        return [.fail(failure)] + (data == .reset ? [] : [.cancelData]) + releaseIfOver()
    }

    // MARK: What follows from the state

    private mutating func settle() -> [Action] {
        guard local != .gone else { return releaseIfOver() }
        if !errorText.isEmpty {
            return error == .open ? startGrace() : fail(status: 0)
        }
        guard data == .finished else { return [] }
        guard error == .finished else { return startGrace() }
        let wasFinished = local == .finished
        local = .gone
        return wasFinished ? [.finishData, .release] : [.finish(isComplete: true), .finishData, .release]
    }

    private mutating func fail(status: UInt32) -> [Action] {
        guard local != .gone else { return releaseIfOver() }
        local = .gone
        var actions: [Action] = [.fail(failure(status: status))]
        errorText = []
        // Also behind the server's FIN: it keeps a stream until both sides have ended it (spdystream, connection.go
        // `remoteStreamFinish`), and the driver gives up waiting for the error stream only after a cancel.
        if data != .reset { actions.append(.cancelData) }
        return actions + releaseIfOver()
    }

    private func failure(status: UInt32) -> ConnectionFailure {
        guard !errorText.isEmpty else { return .reset(status: status) }
        return .reported(String(decoding: errorText, as: UTF8.self))
    }

    private mutating func startGrace() -> [Action] {
        guard local != .gone, !isGraceRunning else { return [] }
        // Behind a passed-on FIN only a text is worth waiting for.
        guard local == .attached || !errorText.isEmpty else { return [] }
        isGraceRunning = true
        return [.awaitErrorEnd]
    }

    /// After our reset of the data stream only the end of the error stream follows.
    private func releaseIfOver() -> [Action] {
        error == .open && data != .reset ? [] : [.release]
    }
}

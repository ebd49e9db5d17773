extension TunnelCore {
    /// What a tunnel's driver has to do.
    package enum Event: Equatable {
        /// Bytes for a client; the range indexes the batch.
        case payload(slot: Int, Range<Int>)
        /// The pod sends no more: a clean end for the client, behind its last byte.
        case finish(slot: Int, isComplete: Bool)
        /// A reset for the client, behind what it can still read.
        case fail(slot: Int, ConnectionFailure)
        /// Nothing more will come for this slot, which may be given to another connection from now on.
        case release(slot: Int)
        /// The streams of this worker may send again.
        case workerReady(Int)
        /// A WebSocket PING, to be answered with its payload (RFC 6455 §5.5.2).
        case webSocketPing(WebSocketControlPayload)
        /// The server takes no new connections; the live ones go on.
        case goAway
        /// The server has ended the WebSocket.
        case closed(code: UInt16?, reason: String)
    }
}

/// One connection over WebSocket channels (`v4.channel.k8s.io`), without its transport.
///
/// Theory of operation. Each message begins with a byte that names its channel: 0 carries data both ways, 1 what went
/// wrong, from the server. The first message on each channel holds the port, two bytes little-endian, and is dropped
/// (kubelet `portforward/websocket.go`). There is no half-close: the connection ends with the WebSocket, completely
/// if CLOSE came and no text on channel 1 before it.
package struct ChannelCore {
    /// In front of the payload of each message.
    package static let channelBytes = 1
    private static let dataChannel: UInt8 = 0
    private static let errorChannel: UInt8 = 1
    private static let preambleBytes = 2

    package enum Event: Equatable {
        /// Bytes for the client; the range indexes the batch.
        case payload(Range<Int>)
        /// A WebSocket PING, to be answered with its payload.
        case ping(WebSocketControlPayload)
        /// The connection is over; nil: it is complete.
        case ended(ConnectionFailure?)
    }

    private var webSocket = WebSocketFrameReader(role: .client)
    /// The channel of the message under way; nil: the next byte names it.
    private var channel: UInt8?
    /// What is left of the port on each channel, in bytes.
    private var preambleLeft = [preambleBytes, preambleBytes]
    private var errorText: [UInt8] = []

    package init() {}

    /// The next event, or nil when all of `bytes` was consumed.
    package mutating func next(_ bytes: RawSpan, from cursor: inout Int) throws(TunnelError) -> Event? {
        while true {
            let event: WebSocketEvent?
            do { event = try webSocket.next(bytes, from: &cursor) } catch { throw .webSocket(error) }
            guard let event else { return nil }
            switch event {
            case .payload(let range, _, let endsMessage):
                let payload = try receive(bytes, range)
                if endsMessage { channel = nil }
                if let payload { return .payload(payload) }
            case .ping(let payload):
                return .ping(payload)
            case .pong:
                continue
            case .close(let code, let reason):
                guard errorText.isEmpty else { return .ended(failure) }
                // 1000 is a normal end, and a server may give no code.
                guard (code ?? 1000) == 1000 else { return .ended(.reported("\(reason) (\(code ?? 0))")) }
                return .ended(nil)
            }
        }
    }

    /// The transport has ended without CLOSE: what came may be cut.
    package func cut() -> ConnectionFailure { errorText.isEmpty ? .tunnelLost : failure }

    private var failure: ConnectionFailure { .reported(String(decoding: errorText, as: UTF8.self)) }

    /// Takes a part of a message.
    ///
    /// - Returns: what of it is for the client.
    private mutating func receive(_ bytes: RawSpan, _ part: Range<Int>) throws(TunnelError) -> Range<Int>? {
        var range = part
        guard !range.isEmpty else { return nil }
        if channel == nil {
            channel = bytes.byte(at: range.lowerBound)
            range = (range.lowerBound + 1)..<range.upperBound
        }
        guard let channel, channel <= Self.errorChannel else { throw .unexpectedChannel(self.channel ?? 0) }
        let skipped = min(preambleLeft[Int(channel)], range.count)
        preambleLeft[Int(channel)] -= skipped
        range = (range.lowerBound + skipped)..<range.upperBound
        guard !range.isEmpty else { return nil }
        if channel == Self.dataChannel { return range }
        let room = StreamPair.errorTextBytesMax - errorText.count
        errorText += [UInt8](
            copying: bytes.extracting(range.lowerBound..<range.lowerBound + min(room, range.count))
        )
        return nil
    }
}

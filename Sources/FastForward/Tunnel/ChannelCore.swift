/// The two forms of WebSocket channels (apimachinery `httpstream/wsstream/conn.go`).
package enum ChannelForm: String, Equatable, Sendable, CaseIterable {
    /// Binary messages: a byte for the channel, then the bytes as they are.
    case binary = "v4.channel.k8s.io"
    /// Text messages, for what lets nothing else through: a digit for the channel, then the bytes in base64, padded
    /// within each message.
    case base64 = "v4.base64.channel.k8s.io"
}

/// One connection over WebSocket channels, without its transport.
///
/// Theory of operation. Each message begins with a byte that names its channel: 0 carries data both ways, 1 what went
/// wrong, from the server. The first message on each channel holds the port, two bytes little-endian, and is dropped
/// (kubelet `portforward/websocket.go`). There is no half-close: the connection ends with the WebSocket, completely
/// if CLOSE came and no text on channel 1 before it. A text that is longer than any is not waited for.
///
/// Base64 is decoded in place, which a reader of borrowed bytes cannot do: ``next(_:from:)`` says where it lies, and the
/// caller hands the same bytes to ``decode(_:in:endsMessage:)`` before the next event.
package struct ChannelCore {
    /// In front of the payload of each message.
    package static let channelBytes = 1
    private static let dataChannel: UInt8 = 0
    private static let errorChannel: UInt8 = 1
    private static let preambleBytes = 2

    package enum Event: Equatable {
        /// Bytes for the client; the range indexes the batch.
        case payload(Range<Int>)
        /// A part of a message in base64: to be decoded at once, with the batch to be changed.
        case encoded(Range<Int>, endsMessage: Bool)
        /// A WebSocket PING, to be answered with its payload.
        case ping(WebSocketControlPayload)
        /// The connection is over; nil: it is complete.
        case ended(ConnectionFailure?)
    }

    private let form: ChannelForm
    private var webSocket: WebSocketFrameReader
    /// For the message under way.
    private var decoder = Base64Decoder()
    /// The channel of the message under way; nil: the next byte names it.
    private var channel: UInt8?
    /// What is left of the port on each channel, in bytes.
    private var preambleLeft = [preambleBytes, preambleBytes]
    private var errorText: [UInt8] = []
    /// Whether the end has been told.
    private var isOver = false

    package init(form: ChannelForm = .binary) {
        self.form = form
        webSocket = WebSocketFrameReader(role: .client, messages: form == .binary ? .binary : .text)
    }

    /// In front of the bytes of a read from the client, so that they can become a message where they are, in bytes.
    ///
    /// - Parameter capacityBytes: of the buffer that is read into.
    package static func gapBytes(_ form: ChannelForm, capacityBytes: Int) -> Int {
        switch form {
        case .binary: channelBytes
        // A quarter of a text of base64 is what it has more than its bytes.
        case .base64: channelBytes + capacityBytes / 4 + 4
        }
    }

    /// Makes one message of the bytes behind a gap at the begin of the buffer.
    package static func makeMessage(_ form: ChannelForm, gapBytes: Int, in buffer: inout ByteBuffer) {
        let count = buffer.readableBytes - gapBytes
        switch form {
        case .binary:
            buffer.store(bigEndian: dataChannel, at: 0)
        case .base64:
            let source = gapBytes..<gapBytes + count
            Base64.encode(&buffer, in: source, to: channelBytes)
            buffer.store(bigEndian: zero + dataChannel, at: 0)
            buffer.dropLast(buffer.readableBytes - channelBytes - Base64.encodedBytes(count))
        }
    }

    private static let zero = UInt8(ascii: "0")

    /// The next event, or nil when all of `bytes` was consumed.
    package mutating func next(_ bytes: RawSpan, from cursor: inout Int) throws(TunnelError) -> Event? {
        while !isOver {
            if errorText.count == StreamPair.errorTextBytesMax { return end(failure) }
            let event: WebSocketEvent?
            do { event = try webSocket.next(bytes, from: &cursor) } catch { throw .webSocket(error) }
            guard let event else { return nil }
            switch event {
            case .payload(let range, _, let endsMessage):
                let rest = try nameChannel(bytes, range)
                switch form {
                case .binary:
                    let payload = take(bytes, rest)
                    if endsMessage { channel = nil }
                    if let payload { return .payload(payload) }
                case .base64:
                    // A message may be empty, or be over with its channel's digit.
                    if !rest.isEmpty || endsMessage { return .encoded(rest, endsMessage: endsMessage) }
                }
            case .ping(let payload):
                return .ping(payload)
            case .pong:
                continue
            case .close(let code, let reason):
                guard errorText.isEmpty else { return end(failure) }
                // 1000 is a normal end, and a server may give no code.
                guard (code ?? 1000) == 1000 else { return end(.reported("\(reason) (\(code ?? 0))")) }
                return end(nil)
            }
        }
        cursor = bytes.byteCount
        return nil
    }

    private mutating func end(_ failure: ConnectionFailure?) -> Event {
        isOver = true
        return .ended(failure)
    }

    /// The transport has ended without CLOSE: what came may be cut.
    package func cut() -> ConnectionFailure { errorText.isEmpty ? .tunnelLost : failure }

    private var failure: ConnectionFailure { .reported(String(decoding: errorText, as: UTF8.self)) }

    /// Decodes what ``Event/encoded(_:endsMessage:)`` told of.
    ///
    /// - Returns: what of it is for the client, which lies within `range`.
    package mutating func decode(
        _ batch: inout ByteBuffer,
        in range: Range<Int>,
        endsMessage: Bool
    ) throws(TunnelError) -> Range<Int>? {
        let decoded: Range<Int>
        do throws(Base64Error) {
            decoded = try decoder.decode(&batch, in: range)
            if endsMessage { try decoder.finish() }
        } catch {
            throw .base64(error)
        }
        let payload = take(batch.bytes, decoded)
        if endsMessage {
            channel = nil
            decoder = Base64Decoder()
        }
        return payload
    }

    /// Reads the channel where a message begins.
    ///
    /// - Returns: what is behind it.
    private mutating func nameChannel(
        _ bytes: RawSpan,
        _ range: Range<Int>
    ) throws(TunnelError) -> Range<Int> {
        guard channel == nil, !range.isEmpty else { return range }
        let name = bytes.byte(at: range.lowerBound)
        let number = form == .binary ? name : name &- Self.zero
        guard number <= Self.errorChannel else { throw .unexpectedChannel(number) }
        channel = number
        return range.lowerBound + Self.channelBytes..<range.upperBound
    }

    /// Takes bytes of a channel.
    ///
    /// - Returns: what of them is for the client.
    private mutating func take(_ bytes: RawSpan, _ part: Range<Int>) -> Range<Int>? {
        guard let channel else { return nil }
        let skipped = min(preambleLeft[Int(channel)], part.count)
        preambleLeft[Int(channel)] -= skipped
        let range = (part.lowerBound + skipped)..<part.upperBound
        guard !range.isEmpty else { return nil }
        if channel == Self.dataChannel { return range }
        let room = StreamPair.errorTextBytesMax - errorText.count
        errorText += [UInt8](
            copying: bytes.extracting(range.lowerBound..<range.lowerBound + min(room, range.count))
        )
        return nil
    }
}

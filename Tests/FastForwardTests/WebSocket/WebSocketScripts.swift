import FastForward
import Testing

/// What a reader saw, without regard to how the bytes were cut.
enum WebSocketSeen: Equatable {
    /// Payload of a message in one run, unmasked; a control frame between fragments parts runs.
    case data([UInt8], endsMessage: Bool)
    case ping([UInt8])
    case pong([UInt8])
    case close(UInt16?, String)
}

/// Everything seen until the end, or until an error.
struct WebSocketReading: Equatable {
    var seen: [WebSocketSeen] = []
    var error: WebSocketError?

    /// The payload of all data messages in one.
    var payload: [UInt8] {
        seen.flatMap { event -> [UInt8] in if case .data(let bytes, _) = event { bytes } else { [] } }
    }
}

/// Reads frames that arrive in pieces.
func readWebSocket(
    _ pieces: [[UInt8]],
    role: WebSocketRole = .client,
    messages: WebSocketOpcode = .binary
) -> WebSocketReading {
    var reader = WebSocketFrameReader(role: role, messages: messages)
    var result = WebSocketReading()
    do throws(WebSocketError) {
        for piece in pieces {
            var cursor = 0
            while let event = try reader.next(piece.span.bytes, from: &cursor) {
                #expect(cursor <= piece.count)
                result.append(event, of: piece)
            }
            #expect(cursor == piece.count)
        }
    } catch {
        result.error = error
    }
    return result
}

extension WebSocketReading {
    fileprivate mutating func append(_ event: WebSocketEvent, of piece: [UInt8]) {
        switch event {
        case .payload(let range, let mask, let endsMessage):
            #expect(!range.isEmpty || endsMessage)
            var bytes = Array(piece[range])
            if let mask {
                var elements = bytes.mutableSpan
                var span = elements.mutableBytes
                mask.apply(to: &span, in: 0..<range.count)
            }
            if case .data(let before, endsMessage: false) = seen.last {
                seen[seen.count - 1] = .data(before + bytes, endsMessage: endsMessage)
            } else {
                seen.append(.data(bytes, endsMessage: endsMessage))
            }
        case .ping(let payload): seen.append(.ping(payload.bytes))
        case .pong(let payload): seen.append(.pong(payload.bytes))
        case .close(let code, let reason): seen.append(.close(code, reason))
        }
    }
}

/// A frame written the long way, also one that must not be written.
func webSocketFrame(_ first: UInt8, _ payload: [UInt8], key: [UInt8]? = nil, lengthBytes: Int? = nil)
    -> [UInt8]
{
    let maskBit: UInt8 = key == nil ? 0 : 0x80
    let lengthBytes = lengthBytes ?? (payload.count < 126 ? 0 : payload.count < 65536 ? 2 : 8)
    var bytes = [first]
    switch lengthBytes {
    case 0: bytes.append(maskBit | UInt8(payload.count))
    case 2: bytes.append(maskBit | 126)
    default: bytes.append(maskBit | 127)
    }
    for index in (0..<lengthBytes).reversed() {
        bytes.append(UInt8(truncatingIfNeeded: payload.count >> (8 * index)))
    }
    guard let key else { return bytes + payload }
    return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
}

/// Why a tunnel cannot go on: the server, or something on the way, broke a protocol.
package enum TunnelError: Error, Equatable, CustomStringConvertible {
    case webSocket(WebSocketError)
    case spdy(SPDYError)
    /// The server opened a stream, which nothing in the port-forward protocol does.
    case unexpectedStream(UInt32)
    /// The server sent on a channel that a single port does not have.
    case unexpectedChannel(UInt8)
    /// The server sent text that is no base64, on channels that carry it.
    case base64(Base64Error)
    /// The server sends PINGs faster than it reads our answers.
    case pingFlood

    package var description: String {
        switch self {
        case .webSocket(let error): "\(error)"
        case .spdy(let error): "\(error)"
        case .unexpectedStream(let id): "the server opened stream \(id), which port-forwarding does not know"
        case .unexpectedChannel(let channel):
            "the server sent on channel \(channel), which one port does not have"
        case .base64(let error): "the server sent no base64: \(error)"
        case .pingFlood:
            "the server sent more than \(TunnelCore.pongsOwedMax) PINGs without taking the answers"
        }
    }
}

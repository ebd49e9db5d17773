/// How a WebSocket peer can break RFC 6455.
///
/// Every case is the peer's fault. After one the connection is of no more use: its next byte has no meaning.
package enum WebSocketError: Error, Equatable {
    // Frames.
    /// A reserved bit is set, though no extension was agreed upon (§5.2).
    case reservedBits(firstByte: UInt8)
    case unknownOpcode(UInt8)
    /// A server's frame is masked (§5.1).
    case maskedByServer
    /// A client's frame is not masked (§5.1).
    case notMaskedByClient
    /// A length in more bytes than it needs (§5.2).
    case lengthNotMinimal(payloadBytes: UInt64)
    /// A length of 2^63 or more (§5.2).
    case lengthTooLarge(payloadBytes: UInt64)
    /// A control frame of more than 125 bytes (§5.5).
    case controlFrameTooLong(opcode: UInt8, payloadBytes: UInt64)
    /// A control frame in fragments (§5.5).
    case controlFrameFragmented(opcode: UInt8)
    /// A message begins inside another (§5.4).
    case messageInsideMessage(opcode: UInt8)
    /// A continuation where no message has begun (§5.4).
    case continuationOfNothing
    /// A text message where the subprotocol sends binary ones, or the reverse.
    case wrongMessageKind(opcode: UInt8)
    /// A CLOSE whose payload is a single byte (§5.5.1).
    case closeTooShort
    /// A close code that must not be on the wire (§7.4).
    case closeCodeInvalid(UInt16)
    /// A CLOSE whose reason is not UTF-8 (§5.5.1).
    case closeReasonNotUTF8
    /// The connection ended without a CLOSE.
    case endedWithoutClose(isInsideFrame: Bool)

    // The handshake.
    /// An answer other than 101; its body says why.
    case upgradeRefused(status: Int, reason: String)
    /// A field of the handshake is missing, or is not what it must be (§4.1, §4.2.1).
    case handshakeField(String)
    /// The accept value does not answer our key (§4.1): something else answered, a cache for instance.
    case acceptWrong
    /// The server chose a subprotocol that was not offered, or none (`nil`).
    case subprotocolNotOffered(String?)
    /// The server uses an extension; none was offered (§4.1).
    case extensionNotOffered(String)
    /// The request is no GET with HTTP/1.1 (§4.2.1).
    case notAnUpgradeRequest
    /// The client wants another version than 13 (§4.4).
    case unsupportedVersion(String)
}

extension WebSocketError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .reservedBits(let firstByte):
            "the peer sent a WebSocket frame with reserved bits (first byte \(firstByte), RFC 6455 §5.2)"
        case .unknownOpcode(let opcode):
            "the peer sent a WebSocket frame with the unknown opcode \(opcode) (RFC 6455 §5.2)"
        case .maskedByServer:
            "the server sent a masked WebSocket frame (RFC 6455 §5.1)"
        case .notMaskedByClient:
            "the client sent a WebSocket frame without a mask (RFC 6455 §5.1)"
        case .lengthNotMinimal(let payloadBytes):
            "the peer wrote the WebSocket frame length \(payloadBytes) in too many bytes (RFC 6455 §5.2)"
        case .lengthTooLarge(let payloadBytes):
            "the peer announced a WebSocket frame of \(payloadBytes) bytes, more than can be (RFC 6455 §5.2)"
        case .controlFrameTooLong(let opcode, let payloadBytes):
            "the peer sent a WebSocket control frame (opcode \(opcode)) of \(payloadBytes) bytes, more than 125"
        case .controlFrameFragmented(let opcode):
            "the peer sent a WebSocket control frame (opcode \(opcode)) in fragments (RFC 6455 §5.5)"
        case .messageInsideMessage(let opcode):
            "the peer began a WebSocket message (opcode \(opcode)) inside another (RFC 6455 §5.4)"
        case .continuationOfNothing:
            "the peer continued a WebSocket message that had not begun (RFC 6455 §5.4)"
        case .wrongMessageKind(let opcode):
            "the peer sent a WebSocket message of the wrong kind (opcode \(opcode)) for the agreed subprotocol"
        case .closeTooShort:
            "the peer sent a WebSocket CLOSE with half a code (RFC 6455 §5.5.1)"
        case .closeCodeInvalid(let code):
            "the peer sent a WebSocket CLOSE with the invalid code \(code) (RFC 6455 §7.4)"
        case .closeReasonNotUTF8:
            "the peer sent a WebSocket CLOSE whose reason is not UTF-8 (RFC 6455 §5.5.1)"
        case .endedWithoutClose(isInsideFrame: true):
            "the connection ended inside a WebSocket frame"
        case .endedWithoutClose(isInsideFrame: false):
            "the connection ended without a WebSocket CLOSE"
        case .upgradeRefused(let status, let reason):
            "the server refused the WebSocket upgrade: \(status) \(reason)"
        case .handshakeField(let name):
            "the WebSocket handshake's field \(name) is missing or wrong (is there a proxy in between?)"
        case .acceptWrong:
            "the server's Sec-WebSocket-Accept does not answer our key (is there a caching proxy in between?)"
        case .subprotocolNotOffered(.some(let subprotocol)):
            "the server chose the WebSocket subprotocol \(subprotocol.debugDescription), which was not offered"
        case .subprotocolNotOffered(.none):
            "the server chose none of the WebSocket subprotocols that were offered"
        case .extensionNotOffered(let name):
            "the server uses the WebSocket extension \(name.debugDescription), which was not offered"
        case .notAnUpgradeRequest:
            "the request is no WebSocket upgrade: expected GET and HTTP/1.1 (RFC 6455 §4.2.1)"
        case .unsupportedVersion(let version):
            "the client wants WebSocket version \(version.debugDescription), only 13 is spoken (RFC 6455 §4.4)"
        }
    }
}

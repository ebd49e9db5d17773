/// The HTTP exchange that turns a connection into a WebSocket (RFC 6455 §4), for both sides.
///
/// Keys and digests are arguments: the client's key is 16 random bytes in base64, and the accept value is the
/// base64 of the SHA-1 of the key and the protocol's own identifier (§4.2.2).
package enum WebSocketHandshake {
    /// What a server reads in an upgrade request.
    package struct Request: Equatable, Sendable {
        /// The client's key as it sent it.
        package let key: String
        /// The subprotocols that the client offers, in order of preference.
        package let subprotocols: [String]
    }

    /// The version of RFC 6455 (§4.1).
    private static let version = "13"

    // MARK: Client

    /// The request for an upgrade (§4.1).
    ///
    /// - Parameters:
    ///   - fields: what else belongs to the request: `Host` above all, and the credential.
    ///   - key: 16 random bytes in base64, fresh for each connection.
    ///   - subprotocols: what is offered, in order of preference.
    package static func request(
        target: String,
        fields: HTTPFields,
        key: String,
        subprotocols: [String]
    ) -> HTTPRequestHead {
        precondition(isKey(key), "the key is the base64 of 16 bytes")
        var fields = fields
        fields.append("Connection", "Upgrade")
        fields.append("Upgrade", "websocket")
        fields.append("Sec-WebSocket-Version", version)
        fields.append("Sec-WebSocket-Key", key)
        if !subprotocols.isEmpty {
            fields.append("Sec-WebSocket-Protocol", subprotocols.joined(separator: ", "))
        }
        return HTTPRequestHead(method: "GET", target: target, fields: fields)
    }

    /// Checks the answer to an upgrade request (§4.1).
    ///
    /// - Parameters:
    ///   - expectedAccept: the accept value of the key that was sent.
    ///   - offered: the subprotocols of the request.
    /// - Returns: the subprotocol that the server chose; `nil` only where none was offered.
    package static func verify(
        _ response: HTTPResponseHead,
        expectedAccept: String,
        offered: [String]
    ) throws(WebSocketError) -> String? {
        guard response.status == 101 else {
            throw .upgradeRefused(status: response.status, reason: response.reason)
        }
        let fields = response.fields
        guard fields.contains("websocket", in: "Upgrade") else { throw .handshakeField("Upgrade") }
        guard fields.contains("upgrade", in: "Connection") else { throw .handshakeField("Connection") }
        guard fields.values(of: "Sec-WebSocket-Accept") == [expectedAccept] else { throw .acceptWrong }
        if let name = fields.elements(of: "Sec-WebSocket-Extensions").first {
            throw .extensionNotOffered(name)
        }
        let chosen = fields.values(of: "Sec-WebSocket-Protocol")
        guard chosen.count <= 1 else { throw .handshakeField("Sec-WebSocket-Protocol") }
        guard let subprotocol = chosen.first else {
            // §4.1 lets a server choose none; nothing that is spoken here works without the one it asked for.
            guard offered.isEmpty else { throw .subprotocolNotOffered(nil) }
            return nil
        }
        guard offered.contains(subprotocol) else { throw .subprotocolNotOffered(subprotocol) }
        return subprotocol
    }

    // MARK: Server

    /// Checks a request for an upgrade (§4.2.1).
    package static func read(_ request: HTTPRequestHead) throws(WebSocketError) -> Request {
        guard request.method == "GET", request.version == .http11 else { throw .notAnUpgradeRequest }
        let fields = request.fields
        guard fields.contains("websocket", in: "Upgrade") else { throw .handshakeField("Upgrade") }
        guard fields.contains("upgrade", in: "Connection") else { throw .handshakeField("Connection") }
        guard let requestedVersion = fields["Sec-WebSocket-Version"] else {
            throw .handshakeField("Sec-WebSocket-Version")
        }
        guard requestedVersion == version else { throw .unsupportedVersion(requestedVersion) }
        let keys = fields.values(of: "Sec-WebSocket-Key")
        guard keys.count == 1, isKey(keys[0]) else { throw .handshakeField("Sec-WebSocket-Key") }
        return Request(key: keys[0], subprotocols: fields.elements(of: "Sec-WebSocket-Protocol"))
    }

    /// The answer that completes the upgrade (§4.2.2).
    package static func response(accept: String, subprotocol: String?) -> HTTPResponseHead {
        var fields: HTTPFields = [
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept,
        ]
        if let subprotocol { fields.append("Sec-WebSocket-Protocol", subprotocol) }
        return HTTPResponseHead(status: 101, reason: "Switching Protocols", fields: fields)
    }

    /// Whether `text` can be the base64 of 16 bytes.
    private static func isKey(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 24, bytes.suffix(2) == Array("==".utf8)[...] else { return false }
        return bytes.dropLast(2).allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                true
            default:
                false
            }
        }
    }
}

/// The ways into a pod (kubectl has the first two).
package enum TunnelWay: String, CaseIterable, Sendable {
    /// SPDY inside a WebSocket: API servers since Kubernetes 1.30.
    case webSocket = "websocket"
    /// SPDY as it is: every API server, but not every proxy before it.
    case spdy
    /// WebSocket channels, a WebSocket for each connection: every API server, and proxies that let nothing else through.
    case channels
}

/// Asks for a tunnel, and checks the answer.
package struct TunnelUpgrade: Equatable {
    /// Why an answer is no tunnel.
    package enum Failure: Error, Equatable, CustomStringConvertible {
        case webSocket(WebSocketError)
        /// A field of a SPDY upgrade's answer is not what it must be.
        case field(String, expected: String)

        package var description: String {
            switch self {
            case .webSocket(let error): "\(error)"
            case .field(let name, let expected):
                "the answer to the upgrade has no '\(name): \(expected)' (something in between does not let SPDY through)"
            }
        }
    }

    private static let webSocketProtocol = "SPDY/3.1+portforward.k8s.io"
    /// The best first: a server takes the first that it knows.
    private static let channelProtocols = [ChannelForm.binary, .base64].map(\.rawValue)
    private static let spdyProtocol = "portforward.k8s.io"
    private static let streamProtocolField = "X-Stream-Protocol-Version"

    package let way: TunnelWay
    private let key: String
    private let expectedAccept: String

    /// - Parameters:
    ///   - key: 16 random bytes in base64, and `expectedAccept` what a server makes of it (RFC 6455 §4.2.2); only a
    ///     WebSocket needs them.
    package init(way: TunnelWay, key: String, expectedAccept: String) {
        self.way = way
        self.key = key
        self.expectedAccept = expectedAccept
    }

    /// The request, with the fields that every request has.
    package func request(target: String, fields: HTTPFields) -> HTTPRequestHead {
        switch way {
        case .webSocket, .channels:
            return WebSocketHandshake.request(
                target: target,
                fields: fields,
                key: key,
                subprotocols: subprotocols
            )
        case .spdy:
            // apimachinery `httpstream/spdy/roundtripper.go`.
            var fields = fields
            fields.append("Connection", "Upgrade")
            fields.append("Upgrade", "SPDY/3.1")
            fields.append(Self.streamProtocolField, Self.spdyProtocol)
            fields.append("Content-Length", "0")
            return HTTPRequestHead(method: "POST", target: target, fields: fields)
        }
    }

    private var subprotocols: [String] {
        way == .channels ? Self.channelProtocols : [Self.webSocketProtocol]
    }

    /// The method of the request, which decides how the answer's body is read.
    package var method: String {
        switch way {
        case .webSocket, .channels: "GET"
        case .spdy: "POST"
        }
    }

    /// Checks a 101.
    ///
    /// - Returns: the form of the channels, where that is the way.
    package func verify(_ head: HTTPResponseHead) throws(Failure) -> ChannelForm? {
        switch way {
        case .webSocket, .channels:
            do throws(WebSocketError) {
                let chosen = try WebSocketHandshake.verify(
                    head,
                    expectedAccept: expectedAccept,
                    offered: subprotocols
                )
                return chosen.flatMap { ChannelForm(rawValue: $0) }
            } catch {
                throw .webSocket(error)
            }
        case .spdy:
            guard head.fields.contains("upgrade", in: "Connection") else {
                throw .field("Connection", expected: "Upgrade")
            }
            guard head.fields.contains("spdy/3.1", in: "Upgrade") else {
                throw .field("Upgrade", expected: "SPDY/3.1")
            }
            guard head.fields[Self.streamProtocolField] == Self.spdyProtocol else {
                throw .field(Self.streamProtocolField, expected: Self.spdyProtocol)
            }
            return nil
        }
    }
}

/// The decoders and cores that read bytes of others, each with a promise that must hold for any bytes.
///
/// The fuzzer and an ordinary test, which replays what was found, call the same ``violation(by:)``.
package enum FuzzedDecoder: String, CaseIterable, Sendable {
    case httpResponse = "http-response"
    case httpRequest = "http-request"
    case webSocket = "websocket"
    case spdy
    case headerBlock = "header-block"
    case kubeconfig
    case tunnel
    case channels
    case upgrade
    case watch
    case objects
    case proxy
    case arguments

    /// Checks the promise on `bytes`.
    ///
    /// - Returns: what was broken; nil: nothing. What a decoder must never do, it traps on.
    package func violation(by bytes: [UInt8]) -> String? {
        switch self {
        case .httpResponse: httpResponseViolation(by: bytes)
        case .httpRequest: httpRequestViolation(by: bytes)
        case .webSocket: webSocketViolation(by: bytes)
        case .spdy: spdyViolation(by: bytes)
        case .headerBlock: headerBlockViolation(by: bytes)
        case .kubeconfig: kubeconfigViolation(by: bytes)
        case .tunnel: tunnelViolation(by: bytes)
        case .channels: channelsViolation(by: bytes)
        case .upgrade: upgradeViolation(by: bytes)
        case .watch: watchViolation(by: bytes)
        case .objects: objectsViolation(by: bytes)
        case .proxy: proxyViolation(by: bytes)
        case .arguments: argumentsViolation(by: bytes)
        }
    }
}

import FastForward
import Logging

/// Puts a forwarder's facts into words.
struct FactLog {
    let logger: Logger

    func tell(_ fact: ForwardingFact) {
        switch fact {
        case .podChosen(let pod, let namespace):
            logger.info("pod chosen", metadata: ["pod": "\(pod)", "namespace": "\(namespace)"])
        case .tunnelOpened(.channels, _):
            logger.info("WebSocket channels work: each connection gets a WebSocket of its own")
        case .tunnelOpened(let way, let tls):
            logger.info("tunnel opened", metadata: ["way": "\(way.rawValue)", "tls": "\(tls ?? "none")"])
        case .tunnelEnded(let way, let reason, nil):
            logger.info("no tunnel", metadata: ["way": "\(way.rawValue)", "reason": "\(reason)"])
        case .tunnelEnded(let way, let reason, let span?):
            logger.info(
                "tunnel ended",
                metadata: ["way": "\(way.rawValue)", "reason": "\(reason)", "after": "\(Self.text(span))"]
            )
        case .tunnelRetired(let way, let span):
            logger.info(
                "tunnel closed, as it took no more connections",
                metadata: ["way": "\(way.rawValue)", "after": "\(Self.text(span))"]
            )
        case .networkChanged(let endsPause):
            logger.info("the network has changed", metadata: endsPause ? ["reconnecting": "at once"] : [:])
        case .requestEnded(let target, .success(let status), let span):
            logger.debug(
                "GET \(target)",
                metadata: ["status": "\(status)", "after": "\(Self.text(span))"]
            )
        case .requestEnded(let target, .failure(let error), let span):
            logger.debug(
                "GET \(target)",
                metadata: ["reason": "\(error)", "after": "\(Self.text(span))"]
            )
        case .requestPutOff(let target, let status, let wait, let number):
            logger.notice(
                "the server wants to be asked again later: GET \(target)",
                metadata: [
                    "status": "\(status)", "after": "\(Self.text(wait))",
                    "time": "\(number) of \(RequestRetry.repeatsMax)",
                ]
            )
        case .connectionBegan(let client, let localPort, let remotePort):
            logger.trace(
                "connection began",
                metadata: ["client": "\(Self.text(client))", "ports": "\(localPort)->\(remotePort)"]
            )
        case .connectionEnded(let connection):
            logger.trace(
                "connection ended",
                metadata: [
                    "client": "\(Self.text(connection.client))",
                    "ports": "\(connection.localPort)->\(connection.remotePort)",
                    "sent": "\(connection.bytesFromClient)", "received": "\(connection.bytesToClient)",
                    "after": "\(Self.text(connection.span))",
                ]
            )
        }
    }

    private static func text(_ client: SocketAddress?) -> String { client.map { "\($0)" } ?? "unknown" }

    /// In milliseconds, or in seconds from ten on.
    private static func text(_ span: TimeSpan) -> String {
        let milliseconds = span.nanoseconds / 1_000_000
        return milliseconds < 10_000 ? "\(milliseconds)ms" : "\(milliseconds / 1000)s"
    }
}

extension ClusterAccess {
    /// Where requests go and as whom, without what proves it.
    var logMetadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["server": "\(server)", "namespace": "\(namespace)"]
        if !contextName.isEmpty { metadata["context"] = "\(contextName)" }
        if let proxy { metadata["proxy"] = "\(proxy)" }
        return metadata
    }
}

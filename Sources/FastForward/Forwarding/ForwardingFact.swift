/// How much a forwarder tells besides what its user must know.
///
/// Each level holds those before it. What is not wanted is not even looked at.
package enum ForwardingDetail: Int, Comparable, Sendable {
    case nothing
    /// What is waited for.
    case notes
    /// The pod that was chosen, the way in, tunnels that open and close.
    case steps
    /// Each request to the API server.
    case requests
    /// Each connection's begin and end.
    case connections

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Something that went as it should, or was mended, for those who want to know how.
///
/// No case carries a secret: request targets are made of names, and errors are what a user sees anyway.
package enum ForwardingFact {
    case podChosen(pod: String, namespace: String)
    /// A way in leads to the pod now. `tls`: the version and the cipher; nil for a plain server, and for channels,
    /// which open with each connection.
    case tunnelOpened(way: TunnelWay, tls: String?)
    /// A way in did not lead to the pod, or an open tunnel has ended. `openSpan`: for how long it was open.
    case tunnelEnded(way: TunnelWay, reason: UpstreamError, openSpan: TimeSpan?)
    /// A tunnel that took no more connections has ended what it carried.
    case tunnelRetired(way: TunnelWay, openSpan: TimeSpan)
    /// A link, an address or a route of this host came, changed or went, or the host has slept.
    ///
    /// `endsPause`: a lost tunnel is made again now that would have waited.
    case networkChanged(endsPause: Bool)
    /// A GET was answered with a status, or failed. A watch tells when it ends.
    case requestEnded(target: String, outcome: Result<Int, UpstreamError>, span: TimeSpan)
    /// The server wants a GET, which it answered with a status, to be made again after `wait`. `number`: from 1.
    case requestPutOff(target: String, status: Int, wait: TimeSpan, number: Int)
    case connectionBegan(client: SocketAddress?, localPort: UInt16, remotePort: UInt16)
    case connectionEnded(ForwardedConnection)

    /// The least level at which it is told.
    package var detail: ForwardingDetail {
        switch self {
        case .requestPutOff: .notes
        case .podChosen, .tunnelOpened, .tunnelEnded, .tunnelRetired, .networkChanged: .steps
        case .requestEnded: .requests
        case .connectionBegan, .connectionEnded: .connections
        }
    }
}

/// A connection that is over.
package struct ForwardedConnection {
    package let client: SocketAddress?
    package let localPort: UInt16
    package let remotePort: UInt16
    /// What was read from the client.
    package let bytesFromClient: Int
    /// What the kernel took for the client.
    package let bytesToClient: Int
    package let span: TimeSpan
}

extension Tunnel {
    /// What the set that a tunnel belongs to has to know.
    protocol Owner: AnyObject {
        /// Whether the pod serves somebody on any of its tunnels.
        var isPodServing: Bool { get }
        func tunnelOpened(_ tunnel: Tunnel)
        func tunnelTakesNoMore(_ tunnel: Tunnel)
        func tunnelBecameIdle(_ tunnel: Tunnel)
        func tunnelTakesAgain(_ tunnel: Tunnel)
        func tunnelEnded(_ tunnel: Tunnel, _ error: UpstreamError)
        func connectionFailed(local: UInt16, remote: UInt16, _ failure: ConnectionFailure)
        /// A connection on which nothing has happened has left the tunnel, which is lost or ending, for another one.
        func connectionLeft(_ local: LocalConnection)
        /// The pod refused a connection, of which all that was sent is kept; it has left the tunnel.
        func connectionRefused(_ local: LocalConnection, _ failure: ConnectionFailure)
    }
}

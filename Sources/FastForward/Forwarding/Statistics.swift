/// What went to one pod and came from it, by tunnels or by WebSocket channels.
package struct TunnelStatistics: Equatable, Sendable {
    /// Connections that were given to a tunnel, or a WebSocket; one that moved to another tunnel counts twice.
    package var connections = 0
    /// Payload bytes.
    package var toPodBytes: UInt64 = 0
    package var fromPodBytes: UInt64 = 0
    /// Tunnels.
    package var opened = 0
    package var lost = 0

    mutating func add(_ carrier: Carrier) {
        toPodBytes += carrier.toPodBytes
        fromPodBytes += carrier.fromPodBytes
    }

    mutating func add(_ other: TunnelStatistics) {
        connections += other.connections
        toPodBytes += other.toPodBytes
        fromPodBytes += other.fromPodBytes
        opened += other.opened
        lost += other.lost
    }
}

/// What a forward has done so far.
package struct ForwarderStatistics: Sendable {
    package var accepted = 0
    /// Clients whose descriptors are open now.
    package var open = 0
    /// How many connections failed, by kind.
    package var failures: [(kind: String, count: Int)] = []
    /// By pod, in the order in which they came to be forwarded to.
    package var pods: [(name: String, TunnelStatistics)] = []
}

/// Decides whether another client may be accepted.
///
/// Theory of operation. When a process is out of descriptors, libuv accepts the clients that wait and closes them
/// without a word. So clients are not accepted any more before that: they wait in the kernel's backlog, where they see
/// an open connection, until one that is there has ended. Each port then has one connection that libuv has taken
/// already; it is the first to go on.
///
/// How many clients that makes is known at the start, but tunnels, watches and requests come and go, so the descriptors that
/// are free at the moment are looked at as well.
///
/// One *episode* lasts from the first client that has to wait until a tenth of the connections are gone; it is told once.
package struct AcceptGate: Equatable {
    /// What keeps clients waiting.
    package enum Limit: Equatable, Sendable {
        /// The descriptors that the system allows this process.
        case descriptors(Int)
        /// The memory that the user allows, where each client has an upstream connection of its own.
        case memory
        /// What the user allows.
        case connections
    }

    enum Verdict: Equatable {
        case accept
        /// The client waits, for this reason where it is the first of an episode.
        case wait(new: Limit?)
    }

    /// Descriptors that are kept for what is no client: API requests, look-ups, plugins, tunnels that end.
    private static let reserve = 48

    let connectionsMax: Int
    let limit: Limit
    private let descriptorsMax: Int
    /// How many connections there were when the episode began; nil: there is none.
    private var fullCount: Int?

    /// - Parameters:
    ///   - descriptorsMax: the process's limit.
    ///   - openDescriptors: those that are open before the first client comes.
    ///   - tunnelsMax: how many tunnels there may be.
    ///   - perConnection: 2 where each client has an upstream connection of its own.
    ///   - memoryConnectionsMax: how many clients there is memory for; nil: that is no matter of their number.
    /// - Returns: nil: there is none for a client.
    init?(
        descriptorsMax: Int,
        openDescriptors: Int,
        tunnelsMax: Int,
        perConnection: Int,
        memoryConnectionsMax: Int? = nil,
        connectionsMax: Int?
    ) {
        // Where there are very few, half of them are for clients all the same, but not those that are needed at once.
        let needed = Self.descriptorsMin(beside: openDescriptors, perConnection: 0)
        let kept = min(openDescriptors + tunnelsMax + Self.reserve, max(needed, descriptorsMax / 2))
        let possible = (descriptorsMax - kept) / perConnection
        guard possible > 0 else { return nil }
        self.descriptorsMax = descriptorsMax
        let affordable = memoryConnectionsMax ?? .max
        if let connectionsMax, connectionsMax <= min(possible, affordable) {
            self.connectionsMax = connectionsMax
            limit = .connections
        } else if affordable <= possible {
            self.connectionsMax = affordable
            limit = .memory
        } else {
            self.connectionsMax = possible
            limit = .descriptors(descriptorsMax)
        }
    }

    /// How many descriptors are needed for one client.
    static func descriptorsMin(beside openDescriptors: Int, perConnection: Int) -> Int {
        openDescriptors + DescriptorLedger.leftToOthers + perConnection
    }

    /// Asks for one more beside `count` connections.
    mutating func verdict(beside count: Int, hasDescriptor: Bool) -> Verdict {
        guard count >= connectionsMax || !hasDescriptor else { return .accept }
        guard fullCount == nil else { return .wait(new: nil) }
        fullCount = count
        return .wait(new: count >= connectionsMax ? limit : .descriptors(descriptorsMax))
    }

    /// Takes note that only `count` are left.
    ///
    /// - Returns: whether that ends an episode.
    mutating func left(_ count: Int) -> Bool {
        guard let fullCount, count <= fullCount - max(1, fullCount / 10) else { return false }
        self.fullCount = nil
        return true
    }
}

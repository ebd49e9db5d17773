/// Decides what the silence of a connection's other side, and the loss of its own address, mean for it.
///
/// Theory of operation. Who has acknowledged nothing for a long time is gone. Before that, and where the connection's
/// own address has gone from this host, it is only *doubted*: new connections keep away from it, as the address may
/// come back (a laptop that wakes up on the same network) and with it all that it carries.
package struct LifeSigns: Equatable {
    /// How long nothing may be acknowledged before the connection is dead.
    ///
    /// The kernel's own patience is some fifteen minutes. A server that is only slow or stopped still acknowledges.
    package static let silenceMax = TimeSpan.seconds(15)
    /// How long before it is doubted.
    package static let doubtSpan = TimeSpan.seconds(2)
    /// How long the address may be gone.
    package static let addressPatience = TimeSpan.seconds(5)
    /// How often to look.
    package static let look = TimeSpan.seconds(5)
    /// How often while it is doubted, or the network has just changed.
    package static let closeLook = TimeSpan.seconds(1)

    package enum Verdict: Equatable {
        case alive
        case doubted
        /// Nothing is acknowledged.
        case silent
        /// It has no address here any more.
        case addressGone
    }

    private var addressGoneSince: Instant?
    /// Since which look an acknowledgement has been overdue.
    ///
    /// Behind a long rest the first byte looks overdue at once, as the last acknowledgement is that old.
    private var overdueSince: Instant?
    /// When to look again.
    package private(set) var nextLook: Instant

    package init(at now: Instant) { nextLook = now + Self.look }

    /// Takes a look.
    ///
    /// - Parameters:
    ///   - silence: for how long what was sent has not been acknowledged.
    ///   - hasAddress: whether this host has the connection's address.
    ///   - networkChanged: whether that is why it is looked.
    package mutating func look(
        silence: TimeSpan,
        hasAddress: Bool,
        networkChanged: Bool = false,
        at now: Instant
    ) -> Verdict {
        addressGoneSince = hasAddress ? nil : addressGoneSince ?? now
        overdueSince = silence >= Self.doubtSpan ? overdueSince ?? now : nil
        if silence >= Self.silenceMax, let overdueSince, now - overdueSince >= Self.closeLook {
            return .silent
        }
        if let addressGoneSince, now - addressGoneSince >= Self.addressPatience { return .addressGone }
        let isDoubted = !hasAddress || silence >= Self.doubtSpan
        nextLook = now + (isDoubted || networkChanged ? Self.closeLook : Self.look)
        return isDoubted ? .doubted : .alive
    }
}

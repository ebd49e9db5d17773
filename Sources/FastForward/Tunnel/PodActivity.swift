/// Whether a pod serves, so that a connection whose bytes it does not take for long is in the way of others by itself.
///
/// Where it sends nothing to anybody, it or the server stands still as a whole (a breakpoint, a machine that is asleep):
/// then nothing is gained by giving up who waits, as it would be no better for anybody else.
package struct PodActivity: Equatable {
    /// A pod that has sent nothing for so long counts as standing still: long before anybody's patience is at its end
    /// (``TunnelCore/blockedMax``), as what it sent last may have come behind what it took last.
    static let quietMax = TimeSpan.seconds(10)
    /// How long it must have served again: what has come to a standstill with it goes on meanwhile.
    static let servingMin = TunnelCore.answerMax

    private var since = Instant(nanoseconds: 0)
    private var last: Instant?

    package init() {}

    /// Records that the pod has sent something.
    package mutating func received(at now: Instant) {
        if last.map({ $0 + Self.quietMax < now }) ?? true { since = now }
        last = now
    }

    /// Whether it has served for a while, and does.
    package func isServing(at now: Instant) -> Bool {
        guard let last else { return false }
        return now <= last + Self.quietMax && since + Self.servingMin <= now
    }
}

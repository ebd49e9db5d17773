/// Since when a connection has waited for a tunnel.
///
/// A tunnel that is lost at once has been none: who comes back from it goes on waiting, so that a server which opens tunnels
/// and breaks them does not make anybody wait for ever.
struct TunnelWait: Equatable {
    private(set) var since = Instant(nanoseconds: 0)
    private var isWaiting = false
    private var placedAt: Instant?

    /// It waits, for the first time or again; or goes on waiting elsewhere.
    mutating func begin(at now: Instant) {
        guard !isWaiting else { return }
        isWaiting = true
        let isOfOldWait = placedAt.map { now - $0 < ReconnectPolicy.steadySpan } ?? false
        if !isOfOldWait { since = now }
    }

    /// For `span` of its waiting nobody could do anything about it.
    mutating func prolong(by span: TimeSpan, at now: Instant) { since = min(now, since + span) }

    /// It has got a tunnel.
    mutating func placed(at now: Instant) {
        isWaiting = false
        placedAt = now
    }
}

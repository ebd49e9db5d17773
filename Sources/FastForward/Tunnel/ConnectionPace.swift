/// Whether a client can be expected to wait for more from the pod.
///
/// Nobody can see what a pod has sent behind a tunnel that is not read. But who has spoken and has had no answer waits
/// for one, and who was being sent something in several pieces when it stopped waits for the next one. Who has had
/// his answer does not wait.
package struct ConnectionPace: Equatable {
    /// How shortly before a stop the last piece came.
    package static let freshSpan = TimeSpan.milliseconds(500)
    private static let piecesMax: UInt8 = 2

    private var hasSpoken = false
    /// Pieces that came since the client spoke last, up to ``piecesMax``.
    private var pieces: UInt8 = 0
    private var lastReceived = Instant(nanoseconds: 0)

    package init() {}

    /// The client has sent something.
    package mutating func sent() {
        hasSpoken = true
        pieces = 0
    }

    /// The pod has sent something: once for each batch.
    package mutating func received(at now: Instant) {
        lastReceived = now
        if pieces < Self.piecesMax { pieces += 1 }
    }

    /// Whether the pod has not answered what the client said last, if anything; asked before it has ever answered.
    package var hasHeardNothing: Bool { pieces == 0 && lastReceived.nanoseconds == 0 }

    /// Whether the pod has spoken last.
    package var hasBeenAnswered: Bool { pieces > 0 }

    /// Whether neither side has sent anything, so that another tunnel is as good.
    package var isUntouched: Bool { !hasSpoken && pieces == 0 }

    /// Whether something is missing since nothing comes any more.
    package func expectsMore(since stop: Instant) -> Bool {
        if pieces == 0 { return hasSpoken }
        return pieces == Self.piecesMax && lastReceived + Self.freshSpan >= stop
    }
}

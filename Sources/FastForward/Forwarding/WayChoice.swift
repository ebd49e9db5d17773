/// Which way into the API server is taken, and what is told where none works.
///
/// Theory of operation. The ways are tried in their order until one works; that one is stayed with, also for what is made
/// again later. A way that is refused is not asked again. Of the refusals the one that says most is kept, since the last
/// is often a proxy's that knows nothing of pods.
struct WayChoice {
    /// How much a refusal says.
    private enum Weight: Int, Comparable {
        /// Something in between did not understand, or hung up.
        case misunderstood
        /// An HTTP status.
        case answered
        /// The API server's own words, but no reason.
        case unreasoned
        case reasoned
        /// It holds for all ways.
        case final

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    /// The best first; those that were refused are gone.
    private var ways: [TunnelWay]
    /// Whether one has worked.
    private(set) var isFound = false
    private var telling: (error: UpstreamError, weight: Weight)?

    /// - Parameter known: what has worked with this server for another pod: no bad moment of the server's makes it
    ///   look for another way then.
    init(_ ways: [TunnelWay], known: TunnelWay? = nil) {
        precondition(!ways.isEmpty, "there is at least one way in")
        self.ways = known.map { [$0] } ?? ways
        isFound = known != nil
    }

    /// The way that has worked; nil: none yet.
    var found: TunnelWay? { isFound ? current : nil }

    /// The way to be taken now.
    var current: TunnelWay { ways[0] }

    /// The current way works.
    mutating func worked() {
        isFound = true
        telling = nil
    }

    /// The current way ended with `error`.
    ///
    /// - Returns: what to tell of it; nil: another way is to be tried, which is the current one now.
    mutating func ended(_ error: UpstreamError) -> UpstreamError? {
        guard !isFound else { return error }
        let weight = Self.weight(error)
        // Of two that say the same kubectl shows the answer to its last attempt, which is the SPDY upgrade.
        if telling.map({ weight > $0.weight || (weight == $0.weight && current == .spdy) }) ?? true {
            telling = (error, weight)
        }
        guard error.isWayRefused, ways.count > 1 else { return telling?.error ?? error }
        ways.removeFirst()
        return nil
    }

    private static func weight(_ error: UpstreamError) -> Weight {
        switch error {
        case .refused(let failure):
            if !error.isWayRefused { return .final }
            guard failure.status != nil else { return .answered }
            return failure.lacksCreate ? .unreasoned : .reasoned
        case .network, .tls, .proxy, .http, .handshake, .tunnel, .timedOut, .silent, .ended, .unanswered,
            .closed,
            .credential, .answer:
            return .misunderstood
        }
    }
}

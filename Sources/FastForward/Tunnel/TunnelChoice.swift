/// Which tunnel a new connection gets, and how many tunnels there are.
///
/// Theory of operation. A client that does not read holds up its whole tunnel, and nothing tells beforehand which one
/// that will be. So connections that come at different times ride on different tunnels: a newcomer joins those of
/// its own *generation*, the tunnels that got their first connection less than ``generationSpan`` ago, and where the
/// generation is not wide enough yet, it takes the warm spare. A handful of connections then have a tunnel each, the
/// thousands of a load test share a few, and who comes later shares with none of them as long as there are tunnels.
/// Once the most tunnels are there, the least loaded that nobody holds up is taken.
///
/// What a port that refuses leaves in the server's way (`WorkerWindow`) harms connections to that port only: a tunnel
/// carries connections to one port of the pod as long as there are enough tunnels. One in which every worker may be in
/// the way is none of the bounds' tunnels until it is known to be well, up to ``suspectsMax`` of them.
package struct TunnelChoice: Equatable {
    /// For how long tunnels take connections of the same generation.
    package static let generationSpan = TimeSpan.seconds(1)
    /// How many tunnels a generation has before its connections share.
    package static let generationWidth = 4
    /// How many connections on each of its tunnels make a generation wider: a far server answers for about 150 frames
    /// of a tunnel at a time.
    package static let connectionsPerTunnel = 64
    /// How many tunnels may be suspect without counting.
    package static let suspectsMax = 4
    /// How long a tunnel that is not needed stays.
    package static let idleSpan = TimeSpan.seconds(30)

    /// How many tunnels there are: at least these from the start, at most these under load.
    package struct Bounds: Equatable, Sendable {
        package let least: Int
        package let most: Int

        package init(least: Int, most: Int) {
            precondition(
                1 <= least && least <= most,
                "at least one tunnel, and no more at the start than at the end"
            )
            self.least = least
            self.most = most
        }

        /// Each tunnel costs the servers a handshake, a few goroutines and five descriptors.
        package static let standard = Bounds(least: 1, most: 16)
        /// What `--tunnels` takes: more would be a burden to any server.
        package static let mostMax = 256
    }

    /// What is to be known of a tunnel.
    package struct Candidate: Equatable {
        package enum Standing: Equatable {
            /// On its way.
            case opening
            case open
            /// It only ends what it carries.
            case retiring
        }

        package var standing: Standing
        /// Whether a client that does not read holds it up.
        package var isHeldUp = false
        /// Whether connections that failed may have left something in everybody's way: it does not count until that is
        /// known.
        package var isSuspect = false
        /// Connections on it, those among them that the server only has to end.
        package var load = 0
        /// The port that they go to; nil: there are none.
        package var port: UInt16?
        /// When it got the first of those; nil: there are none.
        package var loadedSince: Instant?

        package init(_ standing: Standing) { self.standing = standing }
    }

    /// What becomes of a connection.
    package enum Verdict: Equatable {
        /// It is opened on this one of the candidates.
        case use(Int)
        /// It waits: a tunnel is on its way, or will be.
        case wait
    }

    package var verdict: Verdict
    /// Whether another tunnel is to be opened.
    package var opensAnother: Bool

    /// Chooses for a connection to `port`.
    ///
    /// - Parameters:
    ///   - mayOpen: whether an attempt may be made now: no pause between attempts is on, and there are not too many that
    ///     only end what they carry.
    ///   - mayWait: whether it may wait for a tunnel that suits it better than those that are open.
    package init(
        for port: UInt16,
        among candidates: [Candidate],
        bounds: Bounds,
        mayOpen: Bool,
        mayWait: Bool = true,
        now: Instant
    ) {
        var usableCount = 0
        var isOpening = false
        var idle: Int?
        var idleCount = 0
        var generationCount = 0
        var generationLoad = 0
        /// The least loaded of this generation, of those that carry connections to the same port, and of all.
        var peer = Best()
        var elder = Best()
        var stranger = Best()
        var heldUp = Best()
        var suspect = Best()
        var suspectCount = 0
        for (index, candidate) in candidates.enumerated() {
            guard candidate.standing != .retiring else { continue }
            guard !candidate.isSuspect else {
                suspect.consider(index, candidate.load)
                suspectCount += 1
                continue
            }
            usableCount += 1
            guard candidate.standing == .open else {
                isOpening = true
                continue
            }
            guard !candidate.isHeldUp else {
                heldUp.consider(index, candidate.load)
                continue
            }
            guard candidate.load > 0 else {
                idle = idle ?? index
                idleCount += 1
                continue
            }
            stranger.consider(index, candidate.load)
            guard candidate.port == port else { continue }
            elder.consider(index, candidate.load)
            if let since = candidate.loadedSince, now - since < Self.generationSpan {
                generationCount += 1
                generationLoad += candidate.load
                peer.consider(index, candidate.load)
            }
        }
        let count = usableCount + max(0, suspectCount - Self.suspectsMax)
        let mayGrow = mayOpen && !isOpening && count < bounds.most
        let width = max(Self.generationWidth, generationLoad / Self.connectionsPerTunnel + 1)
        if let index = peer.index, generationCount >= width {
            verdict = .use(index)
            opensAnother = mayGrow && idleCount == 0
        } else if let index = idle {
            verdict = .use(index)
            // A spare is kept warm, so that who comes next has a tunnel of his own.
            opensAnother = mayGrow && idleCount == 1
        } else if let index = peer.index ?? elder.index {
            verdict = .use(index)
            opensAnother = mayGrow
        } else if isOpening || mayGrow, mayWait || stranger.index == nil {
            // Whatever is in the way elsewhere, a fresh tunnel has nothing of it.
            verdict = .wait
            opensAnother = mayGrow
        } else if let index = stranger.index {
            verdict = .use(index)
            opensAnother = mayGrow
        } else if let index = heldUp.index, count >= bounds.most {
            verdict = .use(index)
            opensAnother = false
        } else if let index = suspect.index, usableCount == 0, !isOpening, !mayGrow {
            verdict = .use(index)
            opensAnother = false
        } else {
            verdict = .wait
            opensAnother = false
        }
    }

    private struct Best {
        var index: Int?
        private var load = Int.max

        mutating func consider(_ index: Int, _ load: Int) {
            guard load < self.load else { return }
            self.index = index
            self.load = load
        }
    }

    /// Whether one of the idle tunnels is to be closed, after ``idleSpan``: the bounds' least stay, and a warm spare.
    package static func mayCloseIdle(among candidates: [Candidate], bounds: Bounds) -> Bool {
        let usable = candidates.filter { $0.standing != .retiring }
        let idleCount = usable.count { $0.standing == .open && $0.load == 0 }
        let isLoaded = usable.contains { $0.load > 0 }
        return usable.count > bounds.least && idleCount > (isLoaded ? 1 : 0)
    }
}

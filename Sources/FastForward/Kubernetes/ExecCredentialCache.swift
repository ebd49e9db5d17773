// Theory of operation: a plugin may take seconds, ask a person, or cost money, so it runs only where there is no
// credential that might be good, and once for all who wait. Whoever needs a credential asks; the answer is one to
// use, the order to run the plugin, or to wait for the run that somebody else was ordered to make. The end of a
// run, good or bad, is told to the cache, and then everybody who waited uses what it gave or gives up with its error. A
// refusal (401) names the credential that was refused by its number, so that late refusals of an old credential do
// not throw away its successor.

/// Keeps the credential of one plugin until it expires or the server refuses it.
///
/// Time is an argument: the wall clock, in which plugins tell when a credential expires.
package struct ExecCredentialCache: Equatable, Sendable {
    package enum Verdict: Equatable, Sendable {
        case use(Lease)
        /// Run ``plugin``, then call ``finished(_:)``.
        case run
        /// Somebody runs it already; ask again when that is over.
        case wait
    }

    /// A credential, and the number by which it is refused.
    package struct Lease: Equatable, Sendable {
        package let number: Int
        package let credential: ExecCredential
    }

    private enum State: Equatable {
        case empty
        case running
        case holding(Lease)
    }

    package private(set) var plugin: ExecPlugin
    private var state = State.empty
    private var lastNumber = 0

    package init(plugin: ExecPlugin) {
        self.plugin = plugin
    }

    /// Has the plugin neither ask nor tell anybody anything.
    mutating func leaveAlone() { plugin.isUnattended = true }

    /// Asks for a credential that is good at `now`.
    ///
    /// Changes the state only where the verdict is `.run`.
    package mutating func request(at now: UnixTime) -> Verdict {
        switch state {
        case .running: return .wait
        case .holding(let lease) where !Self.isExpired(lease.credential, at: now): return .use(lease)
        case .empty, .holding:
            state = .running
            return .run
        }
    }

    /// Whether ``request(at:)`` would order a run.
    package func wouldRun(at now: UnixTime) -> Bool {
        switch state {
        case .running: false
        case .holding(let lease): Self.isExpired(lease.credential, at: now)
        case .empty: true
        }
    }

    /// Records the end of the run that ``request(at:)`` ordered; nil: it gave no credential.
    package mutating func finished(_ credential: ExecCredential?) {
        precondition(state == .running, "a run ends only after it was ordered")
        guard let credential else {
            state = .empty
            return
        }
        lastNumber += 1
        state = .holding(Lease(number: lastNumber, credential: credential))
    }

    /// Records that the server did not take the credential of this number (401).
    package mutating func wasRefused(_ number: Int) {
        guard case .holding(let lease) = state, lease.number == number else { return }
        state = .empty
    }

    /// The credential that is held, expired or not; nil while there is none.
    package var held: Lease? {
        guard case .holding(let lease) = state else { return nil }
        return lease
    }

    /// A credential is good up to and including its last nanosecond (credsExpired in exec.go).
    private static func isExpired(_ credential: ExecCredential, at now: UnixTime) -> Bool {
        guard let end = credential.expiresAt else { return false }
        return now > end
    }
}

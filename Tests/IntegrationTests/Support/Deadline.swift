import Foundation

/// The instant by which a scenario has to be through; every wait of it ends there.
struct Deadline: Sendable {
    private let instant: ContinuousClock.Instant

    /// - Parameter duration: for an ordinary build of the programs; others get ``Programs/patience`` times as much.
    init(in duration: Duration) {
        instant = .now + duration * Programs.patience
    }

    /// What is left, never negative.
    var remaining: Duration { max(.zero, instant - .now) }

    var isOver: Bool { ContinuousClock.now >= instant }

    /// What is left in milliseconds, rounded up, as `poll` wants it.
    var remainingMilliseconds: Int32 {
        let (seconds, attoseconds) = remaining.components
        return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
    }

    /// The same instant for Foundation's waits.
    var date: Date { Date(timeIntervalSinceNow: Double(remainingMilliseconds) / 1000) }
}

/// What went wrong in a scenario, with what is known about it.
struct ScenarioError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }

    /// A failed call of the operating system, by `errno`.
    static func system(_ call: String) -> Self {
        Self("\(call): \(String(cString: strerror(errno)))")
    }
}

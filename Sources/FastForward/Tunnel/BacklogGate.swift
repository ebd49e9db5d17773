/// Two marks between which nothing changes, so that a flow does not flap.
package struct BacklogMarks: Equatable, Sendable {
    package let lowBytes: Int
    package let highBytes: Int

    package init(lowBytes: Int, highBytes: Int) {
        precondition(0 <= lowBytes && lowBytes < highBytes, "the low mark lies below the high mark")
        self.lowBytes = lowBytes
        self.highBytes = highBytes
    }
}

/// Says once when a backlog has grown too long, and once when it is short again.
///
/// The backlog itself is counted where the bytes are; the gate keeps one bit.
package struct BacklogGate: Equatable {
    package enum Verdict: Equatable { case pause, resume }

    /// Whether the backlog crossed the high mark and has not come down to the low one since.
    package private(set) var isPaused = false

    package init() {}

    /// Tells the gate how long the backlog is now.
    ///
    /// - Returns: what has to change; nil: nothing.
    package mutating func update(backlogBytes: Int, marks: BacklogMarks) -> Verdict? {
        if isPaused {
            guard backlogBytes <= marks.lowBytes else { return nil }
            isPaused = false
            return .resume
        }
        guard backlogBytes > marks.highBytes else { return nil }
        isPaused = true
        return .pause
    }
}

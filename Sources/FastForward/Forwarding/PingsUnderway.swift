/// The PINGs of a tunnel that its server's host may not have yet.
///
/// Theory of operation. Behind uploads on a slow link a PING waits for seconds in our kernel, and a server cannot answer
/// what has not come. What the other side's kernel has acknowledged has come; that is looked at now and then, and only
/// while the answer to a PING is missing.
struct PingsUnderway {
    /// How often it is looked.
    private static let look = TimeSpan.milliseconds(250)

    private struct Mark {
        /// How many PINGs there are up to here.
        let count: Int
        /// Behind which byte of the connection they stand.
        let end: Int
    }

    /// At most one for each round of PINGs that a worker may owe.
    private var marks = FirstInFirstOut<Mark>()
    /// When to look; nil: nothing is underway.
    private(set) var nextLook: Instant?

    /// Notes that the PINGs up to `count` have been sent in front of the connection's byte `end`.
    mutating func sent(_ count: Int, end: Int, at now: Instant) {
        marks.push(Mark(count: count, end: end))
        nextLook = nextLook ?? now + Self.look
    }

    /// Takes a look.
    ///
    /// - Parameters:
    ///   - answered: how many PINGs have come, to go by their answers.
    ///   - acknowledgedByteCount: how many bytes of the connection have; asked only where answers are missing.
    /// - Returns: how many PINGs have come.
    mutating func look(answered: Int, acknowledgedByteCount: () -> Int, at now: Instant) -> Int {
        var arrived = answered
        while let mark = marks.first, mark.count <= answered { _ = marks.pop() }
        if !marks.isEmpty {
            let acknowledged = acknowledgedByteCount()
            while let mark = marks.first, mark.end <= acknowledged {
                arrived = mark.count
                _ = marks.pop()
            }
        }
        nextLook = marks.isEmpty ? nil : now + Self.look
        return arrived
    }
}

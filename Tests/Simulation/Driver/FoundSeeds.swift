/// Seeds that have found something, each with what it was: they are run each time.
enum FoundSeeds {
    static let all: [UInt64] = [
        tunnelTimerLeft, wayForgotten,
    ]

    /// A write that failed ended a tunnel in the middle of its turn, which then made it a new timer that nobody closed.
    private static let tunnelTimerLeft: UInt64 = 282
    /// The first tunnel to a new pod met an API server that answered 500 for a moment: every way in was given up for good.
    private static let wayForgotten: UInt64 = 62
}

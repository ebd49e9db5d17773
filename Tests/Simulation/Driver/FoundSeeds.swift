/// Seeds that have found something, each with what it was: they are run each time.
enum FoundSeeds {
    static let all: [UInt64] = []
}

import Foundation

/// A repeatable source of randomness (SplitMix64); print ``seed`` where a test fails.
struct SeededGenerator: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// `count` random bytes.
    mutating func bytes(_ count: Int) -> [UInt8] {
        var result = [UInt8]()
        result.reserveCapacity(count)
        while result.count < count { result.append(UInt8(truncatingIfNeeded: next())) }
        return result
    }

    /// A size between 1 and `most`, as often small as large (log-uniform).
    mutating func logUniform(upTo most: Int) -> Int {
        let exponent = Double.random(in: 0...Double(most).logarithm2, using: &self)
        return max(1, min(most, Int(exponent.power2)))
    }
}

extension Double {
    fileprivate var logarithm2: Double { log2(self) }
    fileprivate var power2: Double { exp2(self) }
}

/// The seeds of a test run: `FFWD_SEED` where it is set, else `count` fixed ones.
func testSeeds(_ count: Int) -> [UInt64] {
    if let text = ProcessInfo.processInfo.environment["FFWD_SEED"], let seed = UInt64(text) { return [seed] }
    return (1...UInt64(count)).map { $0 &* 0x2545_F491_4F6C_DD1D }
}

/// Cuts `bytes` in pieces at random places.
func randomCuts(of bytes: [UInt8], using generator: inout SeededGenerator) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
        let count = min(generator.logUniform(upTo: bytes.count), bytes.count - start)
        pieces.append(Array(bytes[start..<start + count]))
        start += count
    }
    return pieces
}

/// What all carriers of a process may keep in memory together.
///
/// Theory of operation. The pool knows the bytes of all buffers that are in use, wherever they wait; what a carrier costs
/// beside them (its TLS session, and what comes in before it is noticed that there is too much) is *reserved* for as
/// long as it lives. While both together are above the limit, memory is *scarce*: then every carrier goes on with little,
/// which is what its reservation is for, and takes more only as its own clients and its network take something from it.
/// So the limit holds for any number of pods, tunnels and WebSockets, and nobody is stopped who keeps nothing waiting.
final class MemoryBudget {
    /// How often a tunnel that is held up because memory is scarce looks whether it still is: no event tells.
    static let scarcityLook = TimeSpan.milliseconds(100)

    /// The buffer that is read into, and the batch in hand: of what the process needs in any case.
    private static let inHandBytes = 2 * BufferPool.largestCapacityBytes

    private let pool: BufferPool
    private let limitBytes: Int
    private(set) var reservedBytes = 0
    /// How many carriers there are.
    private(set) var carrierCount = 0

    init(pool: BufferPool, limits: TunnelLimits) {
        self.pool = pool
        limitBytes = limits.memoryBytes - TunnelLimits.baseBytes
    }

    /// Whether more is kept than should be.
    var isScarce: Bool { pool.outstandingBytes - Self.inHandBytes + reservedBytes > limitBytes }

    /// Whether so much more can be reserved.
    func hasRoom(for bytes: Int) -> Bool { reservedBytes + bytes <= limitBytes }

    /// How many carriers of one cost there can be, at least one.
    func carriersMax(each bytes: Int) -> Int { max(1, limitBytes / bytes) }

    /// What a carrier has reserved, until it lets it go.
    final class Reservation {
        private let budget: MemoryBudget
        private let bytes: Int

        init(_ bytes: Int, of budget: MemoryBudget) {
            self.budget = budget
            self.bytes = bytes
            budget.reservedBytes += bytes
            budget.carrierCount += 1
        }

        deinit {
            budget.reservedBytes -= bytes
            budget.carrierCount -= 1
        }
    }
}

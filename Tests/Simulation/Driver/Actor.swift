import SimulatedKernel

/// Somebody with sockets and no loop: a client, or a pod's end of a connection.
class Actor {
    unowned let world: World
    private(set) var token: UInt64 = 0

    init(world: World) {
        self.world = world
        token = world.register(self)
    }

    /// A socket is ready, or a timer is due.
    func wake() {}

    final func wakeLater(_ span: UInt64) { sim_timer(token, sim_now() + span) }

    final func leave() { world.unregister(self) }
}

/// When an end reads, and how much.
struct ReadingPace {
    private let reading: Exchange.Reading
    private let startedAt: UInt64
    private var nextAt: UInt64 = 0

    init(_ reading: Exchange.Reading) {
        self.reading = reading
        startedAt = sim_now()
    }

    /// How many bytes it reads now; 0: none, and `waits` says for how long if it knows.
    mutating func allowance(isHealed: Bool, waits: inout UInt64?) -> Int {
        guard !isHealed else { return .max }
        switch reading {
        case .eager: return .max
        case .late(let span):
            guard sim_now() < startedAt + span else { return .max }
            waits = startedAt + span - sim_now()
            return 0
        case .slow(let bytes, let span):
            guard sim_now() < nextAt else {
                nextAt = sim_now() + span
                waits = span
                return bytes
            }
            waits = nextAt - sim_now()
            return 0
        case .stuck: return 0
        }
    }
}

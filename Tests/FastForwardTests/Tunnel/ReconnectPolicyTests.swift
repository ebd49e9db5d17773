import FastForward
import Testing

@Suite struct `Waiting before the next attempt` {
    private let start = Instant(milliseconds: 1000)

    private func pause(_ policy: ReconnectPolicy) -> TimeSpan? { policy.nextAttempt.map { $0 - start } }

    @Test func `pauses grow to a bound and are a random share of it`() {
        var policy = ReconnectPolicy()
        #expect(policy.mayTry(at: start))
        var longest: [TimeSpan] = []
        for _ in 0..<10 {
            policy.failed(at: start, random: .max)
            longest.append(pause(policy) ?? .zero)
        }
        #expect(longest.first == ReconnectPolicy.shortest)
        #expect(zip(longest, longest.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(longest.last == ReconnectPolicy.longest)
        policy.failed(at: start, random: 0)
        #expect(pause(policy) == .zero)
        var patient = ReconnectPolicy(longest: .seconds(60))
        for _ in 0..<20 { patient.failed(at: start, random: .max) }
        #expect(pause(patient) == .seconds(60))
    }

    /// Else the server may be back for seconds while somebody is given up.
    @Test(arguments: [(patience: 30, most: 2_500), (patience: 5, most: 500), (patience: 1, most: 500)])
    func `where somebody waits, pauses are a small part of that time`(patience: UInt64, most: UInt64) {
        var policy = ReconnectPolicy()
        for _ in 0..<10 { policy.failed(at: start, random: .max, patience: .seconds(patience)) }
        #expect(pause(policy) == .milliseconds(most))
        policy.failed(at: start, random: .max)
        #expect(pause(policy) == ReconnectPolicy.longest)
    }

    @Test func `a tunnel that lives only for a moment does not end the growth, a steady one does`() {
        var policy = ReconnectPolicy()
        var now = start
        for _ in 0..<5 {
            policy.lost(after: .milliseconds(50), at: now, random: .max)
            now = policy.nextAttempt ?? now
        }
        #expect(pause(policy) == .milliseconds(100 + 200 + 400 + 800 + 1600))
        policy.lost(after: ReconnectPolicy.steadySpan, at: now, random: .max)
        #expect(policy.nextAttempt == now + ReconnectPolicy.shortest)
    }

    @Test func `tunnels that are lost together make one pause`() {
        var policy = ReconnectPolicy()
        for _ in 0..<16 { policy.lost(after: .milliseconds(50), at: start, random: .max) }
        #expect(pause(policy) == ReconnectPolicy.shortest)
        // The next one is lost after an attempt could be made.
        let later = start + ReconnectPolicy.shortest
        policy.lost(after: .milliseconds(50), at: later, random: .max)
        #expect(policy.nextAttempt.map { $0 - later } == .milliseconds(200))
    }

    @Test func `a pause is cut short for who needs it, but not to nothing`() {
        var policy = ReconnectPolicy()
        #expect(policy.hasten(at: start, random: .max) == false)
        for _ in 0..<10 { policy.failed(at: start, random: .max) }
        #expect(pause(policy) == ReconnectPolicy.longest)
        // The jitter stays.
        #expect(policy.hasten(at: start + .seconds(2), random: .max) == true)
        #expect(pause(policy) == .milliseconds(2100))
        #expect(policy.hasten(at: start + .seconds(1), random: 0) == true)
        #expect(pause(policy) == .seconds(1))
        // Never later than planned.
        #expect(policy.hasten(at: start + .seconds(5), random: 0) == false)
        #expect(pause(policy) == .seconds(1))
    }

    @Test func `a stream of clients does not become a stream of attempts`() {
        var policy = ReconnectPolicy()
        for _ in 0..<10 { policy.failed(at: start, random: .max) }
        #expect(policy.hasten(at: start, random: 0) == true)
        #expect(pause(policy) == ReconnectPolicy.hastenedSpan)
        for millisecond in UInt64(1)..<500 {
            #expect(policy.hasten(at: start + .milliseconds(millisecond), random: 0) == false)
        }
        // A pause that is shorter anyway stays.
        let later = policy.nextAttempt ?? start
        policy.lost(after: ReconnectPolicy.steadySpan, at: later, random: .max)
        #expect(policy.hasten(at: later, random: 0) == false)
        #expect(policy.nextAttempt == later + ReconnectPolicy.shortest)
    }
}

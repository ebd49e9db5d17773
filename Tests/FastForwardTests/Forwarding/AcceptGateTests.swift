import Testing

@testable import FastForward

@Suite struct `Accepting clients up to a limit` {
    private func gate(_ descriptors: Int, perConnection: Int = 1, most: Int? = nil) throws -> AcceptGate {
        try #require(
            AcceptGate(
                descriptorsMax: descriptors,
                openDescriptors: 10,
                tunnelsMax: 16,
                perConnection: perConnection,
                connectionsMax: most
            )
        )
    }

    @Test func `what tunnels and requests need is kept`() throws {
        #expect(try gate(20_000).connectionsMax == 20_000 - 10 - 16 - 48)
        #expect(try gate(20_000, perConnection: 2).connectionsMax == (20_000 - 74) / 2)
        #expect(try gate(100).connectionsMax == 50)
        #expect(try gate(17).connectionsMax == 1)
        #expect(
            AcceptGate(
                descriptorsMax: 16,
                openDescriptors: 10,
                tunnelsMax: 16,
                perConnection: 1,
                connectionsMax: nil
            ) == nil
        )
    }

    @Test func `the smaller limit holds, and is the one that is told`() throws {
        #expect(try gate(20_000, most: 5).limit == .connections)
        #expect(try gate(20_000, most: 5).connectionsMax == 5)
        #expect(try gate(100, most: 5000).limit == .descriptors(100))
    }

    @Test func `an episode is told once, and is over when a tenth has gone`() throws {
        var gate = try gate(20_000, most: 100)
        let verdicts = [99, 100, 99, 100].map { gate.verdict(beside: $0) }
        #expect(verdicts == [.accept, .wait(isNew: true), .accept, .wait(isNew: false)])
        let ends = [99, 91, 90, 89].map { gate.left($0) }
        #expect(ends == [false, false, true, false])
        let next = gate.verdict(beside: 100)
        #expect(next == .wait(isNew: true))
    }
}

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

    @Test(arguments: [1, 2])
    func `what is said to be needed is enough, and no less`(perConnection: Int) {
        let needed = AcceptGate.descriptorsMin(beside: 10, perConnection: perConnection)
        let gates = [needed, needed - 1].map { limit in
            AcceptGate(
                descriptorsMax: limit,
                openDescriptors: 10,
                tunnelsMax: 16,
                perConnection: perConnection,
                connectionsMax: nil
            )
        }
        #expect(gates.map { $0?.connectionsMax } == [1, nil])
        let text = ForwarderFailure.tooFewDescriptors(limit: 16, needed: needed).description
        #expect(text.contains("may have 16 descriptors, and needs \(needed) to forward"), "\(text)")
        #expect(text.contains("ulimit -n"))
    }

    @Test func `the smaller limit holds, and is the one that is told`() throws {
        #expect(try gate(20_000, most: 5).limit == .connections)
        #expect(try gate(20_000, most: 5).connectionsMax == 5)
        #expect(try gate(100, most: 5000).limit == .descriptors(100))
    }

    @Test func `an episode is told once, and is over when a tenth has gone`() throws {
        var gate = try gate(20_000, most: 100)
        let verdicts = [99, 100, 99, 100].map { gate.verdict(beside: $0, hasDescriptor: true) }
        #expect(verdicts == [.accept, .wait(new: .connections), .accept, .wait(new: nil)])
        let ends = [99, 91, 90, 89].map { gate.left($0) }
        #expect(ends == [false, false, true, false])
        let next = gate.verdict(beside: 100, hasDescriptor: true)
        #expect(next == .wait(new: .connections))
    }

    @Test func `where descriptors went elsewhere, fewer clients are accepted`() throws {
        var gate = try gate(20_000, most: 100)
        let verdicts = [true, false, false].map { gate.verdict(beside: 50, hasDescriptor: $0) }
        #expect(verdicts == [.accept, .wait(new: .descriptors(20_000)), .wait(new: nil)])
        let ends = [46, 45].map { gate.left($0) }
        #expect(ends == [false, true])
    }
}

@Suite struct `Dividing the descriptors of a process` {
    /// 100 for what is counted.
    private func ledger(held: Int) -> DescriptorLedger {
        let ledger = DescriptorLedger()
        ledger.calibrate(openCount: 10)
        ledger.limit(to: 110 + DescriptorLedger.leftToOthers)
        ledger.hold(held)
        return ledger
    }

    @Test func `clients and spare tunnels leave some to tunnels that are needed`() {
        let kept = DescriptorLedger.keptForNeeds
        let almost = ledger(held: 100 - kept - 1)
        #expect(almost.hasRoomForClient(beside: 50) && almost.hasRoomForSpare(beside: 1))
        let full = ledger(held: 100 - kept)
        #expect(!full.hasRoomForClient(beside: 50) && !full.hasRoomForSpare(beside: 1))
        #expect(full.mayConnect)
        #expect(!ledger(held: 100).mayConnect)
    }

    @Test func `one client is accepted, however few there are`() {
        #expect(ledger(held: 100).hasRoomForClient(beside: 0))
    }

    @Test func `tunnels leave room for clients`() {
        let ledger = ledger(held: 20)
        #expect(ledger.hasRoomForSpare(beside: 24) && !ledger.hasRoomForSpare(beside: 25))
        #expect(ledger.podsMax == 50)
    }

    @Test func `what is promised is not free`() {
        let ledger = ledger(held: 0)
        do {
            let promise = DescriptorLedger.Promise(of: ledger)
            #expect(ledger.freeCount == 99)
            withExtendedLifetime(promise) {}
        }
        #expect(ledger.freeCount == 100)
    }

    @Test func `without a limit there is no end of them`() {
        let ledger = DescriptorLedger()
        ledger.calibrate(openCount: 10)
        #expect(ledger.mayConnect && ledger.hasRoomForSpare(beside: 1000))
    }
}

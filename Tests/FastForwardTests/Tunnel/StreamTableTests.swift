import Testing

@testable import FastForward

@Suite struct `Finding the slot of a stream` {
    @Test(arguments: testSeeds(8))
    func `the table agrees with a dictionary while connections come and go`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var table = StreamTable()
        var model: [UInt32: UInt32] = [:]
        var living: [UInt32] = []
        var nextID: UInt32 = seed % 2 == 0 ? 1 : 0x7FFF_0001
        var target = 0
        for step in 0..<4000 {
            if step % 200 == 0 { target = generator.logUniform(upTo: 1500) }
            if living.count < target {
                // As the tunnel does: odd ids that rise, sometimes with a leap past a full worker.
                if Int.random(in: 0..<10, using: &generator) == 0 { nextID += 8 }
                let value = UInt32(truncatingIfNeeded: generator.next())
                table.insert(nextID, value)
                model[nextID] = value
                living.append(nextID)
                nextID += 2
            } else if !living.isEmpty {
                // The young die first, so some live long.
                let fromEnd = min(generator.logUniform(upTo: living.count), living.count)
                let id = living.remove(at: living.count - fromEnd)
                table.remove(id)
                model[id] = nil
                #expect(table.value(for: id) == nil, "seed \(seed), step \(step)")
                table.remove(id)
            }
            #expect(table.count == model.count, "seed \(seed), step \(step)")
            if step % 97 == 0 {
                for (id, value) in model where table.value(for: id) != value {
                    Issue.record("stream \(id) is lost: seed \(seed), step \(step)")
                    return
                }
                #expect(table.value(for: nextID) == nil)
                #expect(table.value(for: 0) == nil)
            }
        }
    }

    @Test func `ids that share a home are told apart, and each can go first`() {
        for first in 0..<4 {
            var table = StreamTable()
            // Fibonacci hashing looks at the upper bits: these four multiply to nearly the same.
            let ids: [UInt32] = [1, 1 + 0x1000_0000, 1 + 0x2000_0000, 1 + 0x3000_0000]
            for (place, id) in ids.enumerated() { table.insert(id, UInt32(place)) }
            table.remove(ids[first])
            for (place, id) in ids.enumerated() {
                #expect(table.value(for: id) == (place == first ? nil : UInt32(place)))
            }
        }
    }
}

import FastForward
import Testing

@testable import ffwd

@Suite struct `Counting lines of a kind` {
    private let start = Instant(milliseconds: 1000)

    @Test func `ten are printed and the others counted, for each kind by itself`() {
        var budget = LineBudget<String>()
        for _ in 0..<10 { #expect(budget.line(ofKind: "a", at: start) == .print) }
        for _ in 0..<3 { #expect(budget.line(ofKind: "a", at: start) == .count) }
        #expect(budget.line(ofKind: "b", at: start) == .print)
        let counts = budget.drain()
        #expect(counts.map(\.kind) == ["a"] && counts.map(\.count) == [3])
        #expect(budget.drain().isEmpty)
    }

    /// A forward may run for weeks, and the reason be another one by then.
    @Test func `one comes back every five seconds, ten at most`() {
        var budget = LineBudget<String>()
        for _ in 0..<11 { _ = budget.line(ofKind: "a", at: start) }
        #expect(budget.line(ofKind: "a", at: start + .milliseconds(4999)) == .count)
        #expect(budget.line(ofKind: "a", at: start + .seconds(5)) == .print)
        #expect(budget.line(ofKind: "a", at: start + .seconds(5)) == .count)
        #expect(budget.line(ofKind: "a", at: start + .seconds(10)) == .print)
        let later = start + .seconds(3600)
        for _ in 0..<10 { #expect(budget.line(ofKind: "a", at: later) == .print) }
        #expect(budget.line(ofKind: "a", at: later) == .count)
    }
}

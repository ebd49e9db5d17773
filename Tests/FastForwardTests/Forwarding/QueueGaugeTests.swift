import Testing

@testable import FastForward

@Suite struct `A queue of clients that is full` {
    @Test func `is told once until half of it is empty`() {
        var gauge = QueueGauge()
        #expect(gauge.look(length: 7, most: 8) == false)
        // The kernel lets one more in, and one has been accepted when it is looked.
        #expect(gauge.look(length: 8, most: 8) == true)
        #expect(gauge.look(length: 9, most: 8) == false)
        #expect(gauge.look(length: 5, most: 8) == false)
        #expect(gauge.look(length: 8, most: 8) == false)
        #expect(gauge.look(length: 4, most: 8) == false)
        #expect(gauge.look(length: 9, most: 8) == true)
    }

    @Test func `is never one of which the kernel tells nothing`() {
        var gauge = QueueGauge()
        #expect(gauge.look(length: 0, most: 0) == false)
    }
}

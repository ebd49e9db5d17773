/// The descriptors that the handles of a loop hold or are about to, beside what this process may have.
///
/// Theory of operation. A process that has no descriptor left loses clients: libuv accepts and closes those that wait. So
/// what is opened and closed is counted, a listener for two, as libuv accepts one client ahead. Connections that this
/// process makes fail before the limit; what opens a descriptor in passing, on other threads or for libuv itself, has
/// the rest.
package final class DescriptorLedger {
    /// Left to look-ups on libuv's threads, to libuv's own spare one, and to questions to the kernel.
    package static let leftToOthers = 6

    private var most = Int.max
    private var others = 0
    private var heldCount = 0
    private var promisedCount = 0

    package init() {}

    /// Takes note of how many descriptors are open in the whole process.
    package func calibrate(openCount: Int) { others = max(0, openCount - heldCount) }

    /// Sets how many descriptors this process may have; until then there is no end of them.
    package func limit(to most: Int) { self.most = most }

    /// How many are open, as far as is known.
    package var openCount: Int { others + heldCount }
    /// How many there are for all that is counted here.
    package var available: Int { most - others - Self.leftToOthers }
    /// How many of these are neither held nor promised.
    package var freeCount: Int { available - heldCount - promisedCount }
    /// Whether a connection may be made now, if need be with what was promised to another one.
    var mayConnect: Bool { heldCount < available }

    func hold(_ count: Int) { heldCount += count }
    func release(_ count: Int) { heldCount -= count }

    /// One descriptor for a connection that is looked up and tried, until it has one.
    package final class Promise {
        private let ledger: DescriptorLedger

        package init(of ledger: DescriptorLedger) {
            self.ledger = ledger
            ledger.promisedCount += 1
        }

        deinit { ledger.promisedCount -= 1 }
    }
}

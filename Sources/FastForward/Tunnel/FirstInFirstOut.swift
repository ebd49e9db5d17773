/// A queue of values whose memory is used again once it is empty.
///
/// What bounds its length is said where it is used.
struct FirstInFirstOut<Element> {
    /// The room that an empty queue keeps, in elements.
    private static var keptMax: Int { 64 }

    private var items: [Element] = []
    private var head = 0

    var isEmpty: Bool { head == items.count }
    var count: Int { items.count - head }
    var first: Element? { head < items.count ? items[head] : nil }

    mutating func push(_ element: Element) { items.append(element) }

    mutating func pop() -> Element? {
        guard head < items.count else { return nil }
        let element = items[head]
        head += 1
        if head == items.count {
            items.removeAll(keepingCapacity: items.count <= Self.keptMax)
            head = 0
        } else if head > Self.keptMax, head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
        return element
    }
}

/// Waits of one length each for slots of a tunnel, so that the first to come is the first to go.
///
/// Holds at most one item for each time a slot began to wait within that length.
struct SlotDeadlines {
    struct Item {
        let instant: Instant
        let slot: Int
        /// Tells a slot's successive connections apart.
        let dataID: UInt32
    }

    private var items = FirstInFirstOut<Item>()

    var first: Instant? { items.first?.instant }

    mutating func push(_ item: Item) { items.push(item) }

    /// The oldest item whose instant has come.
    mutating func pop(at now: Instant) -> Item? {
        guard let first = items.first, first.instant <= now else { return nil }
        return items.pop()
    }
}

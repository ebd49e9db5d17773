/// Finds the slot of a stream id.
///
/// Open addressing with linear probing over a power of two, at most half full: two loads in the common case.
/// Ids are the keys; 0 marks a free place (no stream has id 0). Removal moves the followers back, so no tombstones
/// pile up however many connections come and go.
struct StreamTable {
    private var keys: [UInt32]
    private var values: [UInt32]
    private var shift: UInt32
    private(set) var count = 0

    init() {
        keys = [UInt32](repeating: 0, count: 16)
        values = keys
        shift = 28
    }

    /// The value stored for `id`; nil: none.
    func value(for id: UInt32) -> UInt32? {
        var place = home(id)
        while keys[place] != 0 {
            if keys[place] == id { return values[place] }
            place = (place + 1) & (keys.count - 1)
        }
        return nil
    }

    /// Stores a value for an id that is not in the table.
    mutating func insert(_ id: UInt32, _ value: UInt32) {
        precondition(id != 0, "stream 0 is the connection itself")
        if (count + 1) * 2 > keys.count { grow() }
        var place = home(id)
        while keys[place] != 0 {
            precondition(keys[place] != id, "the stream is in the table")
            place = (place + 1) & (keys.count - 1)
        }
        keys[place] = id
        values[place] = value
        count += 1
    }

    /// Removes an id if it is there.
    mutating func remove(_ id: UInt32) {
        precondition(id != 0, "stream 0 is the connection itself")
        var place = home(id)
        while keys[place] != id {
            guard keys[place] != 0 else { return }
            place = (place + 1) & (keys.count - 1)
        }
        count -= 1
        // Moves back each follower whose home is not behind the hole.
        var hole = place
        var next = (hole + 1) & (keys.count - 1)
        while keys[next] != 0 {
            let distance = (next - home(keys[next])) & (keys.count - 1)
            if distance >= (next - hole) & (keys.count - 1) {
                keys[hole] = keys[next]
                values[hole] = values[next]
                hole = next
            }
            next = (next + 1) & (keys.count - 1)
        }
        keys[hole] = 0
    }

    private func home(_ id: UInt32) -> Int {
        // Fibonacci hashing: consecutive odd ids spread evenly.
        Int((id &* 2_654_435_769) >> shift)
    }

    private mutating func grow() {
        let oldKeys = keys
        let oldValues = values
        keys = [UInt32](repeating: 0, count: oldKeys.count * 2)
        values = keys
        shift -= 1
        count = 0
        for place in oldKeys.indices where oldKeys[place] != 0 { insert(oldKeys[place], oldValues[place]) }
    }
}

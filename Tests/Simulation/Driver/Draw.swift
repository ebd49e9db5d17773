/// Random choices that follow from a seed.
struct Draw: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        // Neighbours must not be the same numbers, shifted.
        state = Self.mixed(seed &+ 0x1234_5678_9ABC_DEF1)
    }

    mutating func next() -> UInt64 { Self.mixed(advancing: &state) }

    private static func mixed(advancing state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return mixed(state)
    }

    /// A number that looks like no other (splitmix64).
    static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// True with a probability of `percent` of a hundred.
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// A number of any order of magnitude of the range.
    mutating func magnitude(_ range: ClosedRange<Int>) -> Int {
        var bits = 0
        while range.upperBound >> bits > max(1, range.lowerBound) { bits += 1 }
        let top = max(range.lowerBound, range.upperBound >> number(0...bits))
        return number(range.lowerBound...top)
    }

    mutating func one<Element>(of elements: [Element]) -> Element {
        elements[number(0...elements.count - 1)]
    }

    /// One of them, each as often as its weight says.
    mutating func weighted<Element>(_ elements: [(Int, Element)]) -> Element {
        var left = number(0...elements.reduce(0) { $0 + $1.0 } - 1)
        for (weight, element) in elements {
            if left < weight { return element }
            left -= weight
        }
        return elements[0].1
    }
}

/// The bytes of a connection, one way: each follows from the connection, the direction and its position.
struct Stream {
    let key: UInt64

    init(id: UInt32, isToPod: Bool) {
        key = Draw.mixed(UInt64(id) << 1 | (isToPod ? 1 : 0))
    }

    /// Fills the buffer with what stands at `position` and behind it.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, from position: Int) {
        var word: UInt64 = 0
        var index = 0
        while index < buffer.count {
            let at = position + index
            if index == 0 || at & 7 == 0 { word = self.word(at >> 3) }
            if at & 7 == 0, index + 8 <= buffer.count {
                buffer.storeBytes(of: word.littleEndian, toByteOffset: index, as: UInt64.self)
                index += 8
                continue
            }
            buffer[index] = UInt8(truncatingIfNeeded: word >> UInt64(8 * (at & 7)))
            index += 1
        }
    }

    /// The first place where the buffer is something else.
    func mismatch(_ buffer: UnsafeRawBufferPointer, from position: Int) -> Int? {
        var word: UInt64 = 0
        for index in 0..<buffer.count {
            let at = position + index
            if index == 0 || at & 7 == 0 { word = self.word(at >> 3) }
            guard buffer[index] == UInt8(truncatingIfNeeded: word >> UInt64(8 * (at & 7))) else { return at }
        }
        return nil
    }

    private func word(_ number: Int) -> UInt64 {
        (key &+ UInt64(number) &* 0x9E37_79B9_7F4A_7C15) ^ (key >> 31 &* UInt64(number))
    }
}

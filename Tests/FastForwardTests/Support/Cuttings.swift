import FastForward

/// The ways to cut bytes that a decoder must not care about.
///
/// Whole, byte by byte, in two at every place (where that is few enough), and at random.
func cuttings(of bytes: [UInt8], seed: UInt64, inTwo: Bool = true) -> [[[UInt8]]] {
    var generator = SeededGenerator(seed: seed)
    var result = [[bytes], bytes.map { [$0] }]
    if inTwo {
        for place in 0...bytes.count { result.append([Array(bytes[..<place]), Array(bytes[place...])]) }
    }
    for _ in 0..<5 { result.append(randomCuts(of: bytes, using: &generator)) }
    return result
}

/// What `write` puts in a buffer of `capacityBytes`.
func written(
    capacityBytes: Int = BufferPool.largestCapacityBytes,
    headroomBytes: Int = 0,
    _ write: (inout ByteBuffer) throws -> Void
) rethrows -> [UInt8] {
    let pool = BufferPool()
    var buffer = pool.take(capacityBytes)
    buffer.clear(headroomBytes: headroomBytes)
    try write(&buffer)
    return [UInt8](copying: buffer.bytes)
}

/// Exclusive-or with a repeated key, for masks.
///
/// Here because the standard library has no safe wide load from a span of raw bytes (6.3).
extension MutableRawSpan {
    /// Combines the bytes in `range` with a key of four bytes, over and over from its first byte.
    ///
    /// - Parameter key: the key's bytes, the first in the lowest place.
    package mutating func formExclusiveOr(repeating key: UInt32, in range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "outside the span")
        var offset = range.lowerBound
        let end = range.upperBound
        let word = UInt64(truncatingIfNeeded: key) << 32 | UInt64(truncatingIfNeeded: key)
        unsafe withUnsafeMutableBytes { memory in
            guard let base = memory.baseAddress else { return }
            // Two vectors a turn: the compiler makes of them what the processor has.
            let wide = SIMD8<UInt64>(repeating: word.littleEndian)
            while end - offset >= 128 {
                let first = unsafe (base + offset).loadUnaligned(as: SIMD8<UInt64>.self)
                let second = unsafe (base + offset + 64).loadUnaligned(as: SIMD8<UInt64>.self)
                unsafe (base + offset).storeBytes(of: first ^ wide, as: SIMD8<UInt64>.self)
                unsafe (base + offset + 64).storeBytes(of: second ^ wide, as: SIMD8<UInt64>.self)
                offset += 128
            }
            while end - offset >= 8 {
                let bytes = unsafe (base + offset).loadUnaligned(as: UInt64.self)
                unsafe (base + offset).storeBytes(of: bytes ^ word.littleEndian, as: UInt64.self)
                offset += 8
            }
            var rest = word
            while offset < end {
                let byte = unsafe (base + offset).load(as: UInt8.self)
                unsafe (base + offset).storeBytes(of: byte ^ UInt8(truncatingIfNeeded: rest), as: UInt8.self)
                rest >>= 8
                offset += 1
            }
        }
    }
}

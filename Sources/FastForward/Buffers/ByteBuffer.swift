/// A run of bytes with one owner: headroom in front for headers that are written later, tailroom behind.
///
///     |  headroom  |  readable bytes  |  tailroom  |
///     0          start               end        capacity
///
/// Every offset in this type's API counts from the first readable byte. Goes home to its ``BufferPool`` when it
/// is consumed or goes out of scope.
@safe package struct ByteBuffer: ~Copyable {
    let block: UnsafeMutablePointer<BufferBlock>
    private let base: UnsafeMutableRawPointer
    /// The size of the whole buffer, in bytes.
    package let capacityBytes: Int
    private var start = 0
    private var end = 0

    init(block: UnsafeMutablePointer<BufferBlock>) {
        unsafe self.block = block
        unsafe self.base = BufferBlock.bytes(of: block)
        unsafe self.capacityBytes = BufferPool.capacitiesBytes[Int(block.pointee.sizeClass)]
    }

    deinit {
        let pool = unsafe block.pointee.pool.takeUnretainedValue()
        unsafe pool.give(block)
    }

    /// How many bytes can be prepended.
    package var headroomBytes: Int { start }
    /// How many bytes there are to read.
    package var readableBytes: Int { end - start }
    /// How many bytes can be appended.
    package var tailroomBytes: Int { capacityBytes - end }
    package var isEmpty: Bool { start == end }

    /// The readable bytes, borrowed.
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base) + start, byteCount: end - start)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The readable bytes, to be changed in place.
    package var mutableBytes: MutableRawSpan {
        @_lifetime(&self)
        mutating get {
            let span = unsafe MutableRawSpan(_unsafeStart: base + start, byteCount: end - start)
            return unsafe _overrideLifetime(span, mutating: &self)
        }
    }

    /// Drops every byte and leaves `headroomBytes` in front of the next one.
    package mutating func clear(headroomBytes: Int = 0) {
        precondition(headroomBytes >= 0 && headroomBytes <= capacityBytes)
        start = headroomBytes
        end = headroomBytes
    }

    /// Drops the first `count` readable bytes.
    package mutating func consume(_ count: Int) {
        precondition(count >= 0 && count <= readableBytes, "consumed more than there is")
        start += count
    }

    /// Drops the last `count` readable bytes.
    package mutating func dropLast(_ count: Int) {
        precondition(count >= 0 && count <= readableBytes, "dropped more than there is")
        end -= count
    }

    // MARK: Writing behind

    package mutating func append(_ byte: UInt8) {
        precondition(tailroomBytes >= 1, "no tailroom")
        unsafe base.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
        end += 1
    }

    package mutating func append<T: FixedWidthInteger & BitwiseCopyable>(bigEndian value: T) {
        precondition(tailroomBytes >= MemoryLayout<T>.size, "no tailroom")
        unsafe (base + end).storeBytes(of: value.bigEndian, as: T.self)
        end += MemoryLayout<T>.size
    }

    package mutating func append(_ span: RawSpan) {
        precondition(tailroomBytes >= span.byteCount, "no tailroom")
        unsafe span.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            unsafe (base + end).copyMemory(from: start, byteCount: source.count)
        }
        end += span.byteCount
    }

    /// Appends text as UTF-8.
    package mutating func append(_ text: String) {
        unsafe append(text.utf8Span.span.bytes)
    }

    /// Appends text as UTF-8, which takes no memory.
    package mutating func append(_ text: StaticString) {
        unsafe append(RawSpan(_unsafeStart: text.utf8Start, byteCount: text.utf8CodeUnitCount))
    }

    /// How many digits a number has in ASCII.
    package static func decimalBytes(_ number: UInt64) -> Int {
        var count = 1
        var rest = number / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        return count
    }

    /// Appends a number as decimal digits in ASCII.
    package mutating func append(decimal number: UInt64) {
        let count = Self.decimalBytes(number)
        precondition(tailroomBytes >= count, "no tailroom")
        var rest = number
        for place in stride(from: end + count - 1, through: end, by: -1) {
            let digit = UInt8(ascii: "0") + UInt8(rest % 10)
            unsafe base.storeBytes(of: digit, toByteOffset: place, as: UInt8.self)
            rest /= 10
        }
        end += count
    }

    /// Takes `count` bytes that were written into the tailroom into the readable bytes.
    package mutating func commit(_ count: Int) {
        precondition(count >= 0 && count <= tailroomBytes, "committed more than the tailroom")
        end += count
    }

    /// The tailroom behind a gap of `gapBytes`, for the kernel or a cipher to write into.
    ///
    /// ``commit(_:)`` the gap and what was written.
    @unsafe package mutating func tail(afterGap gapBytes: Int = 0) -> UnsafeMutableRawBufferPointer {
        precondition(gapBytes >= 0)
        return unsafe UnsafeMutableRawBufferPointer(
            start: base + min(end + gapBytes, capacityBytes),
            count: max(0, tailroomBytes - gapBytes)
        )
    }

    // MARK: Writing in front, and over

    package mutating func prepend(_ byte: UInt8) {
        precondition(start >= 1, "no headroom")
        start -= 1
        unsafe base.storeBytes(of: byte, toByteOffset: start, as: UInt8.self)
    }

    package mutating func prepend<T: FixedWidthInteger & BitwiseCopyable>(bigEndian value: T) {
        precondition(start >= MemoryLayout<T>.size, "no headroom")
        start -= MemoryLayout<T>.size
        unsafe (base + start).storeBytes(of: value.bigEndian, as: T.self)
    }

    /// Overwrites readable bytes from `offset` on.
    package mutating func store<T: FixedWidthInteger & BitwiseCopyable>(bigEndian value: T, at offset: Int) {
        precondition(offset >= 0 && offset + MemoryLayout<T>.size <= readableBytes, "outside the buffer")
        unsafe (base + start + offset).storeBytes(of: value.bigEndian, as: T.self)
    }

    /// Where the readable bytes start; for ``WriteQueue`` and Loop.
    @unsafe var readablePointer: UnsafeMutableRawPointer { unsafe base + start }

    /// Gives the memory away without returning it to the pool.
    @unsafe consuming func release() -> UnsafeMutablePointer<BufferBlock> {
        let block = unsafe self.block
        discard self
        return unsafe block
    }
}

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Bytes on their way to the kernel, in order: buffers that the queue owns, and slices of a buffer that it only
/// borrows until the end of the batch.
///
/// Theory of operation. A batch of plaintext is cut into slices for many connections; each appends its slices
/// *borrowed*, writes what the kernel takes, and then *settles*: what was not taken is copied into a buffer of the
/// right size or, where one connection keeps more than half of the batch, the whole batch changes owner. So bytes
/// that flow are never copied, and a slow reader pins no more memory than about twice what it is owed.
///
/// Invariant: borrowed slices stand behind all owned ones; an empty queue holds no memory.
@safe package struct WriteQueue: ~Copyable {
    @unsafe private struct Slice {
        var start: UnsafeMutableRawPointer
        var count: Int
        /// The buffer that goes home when this slice is consumed; nil: borrowed, or a later slice owns it.
        var owner: UnsafeMutablePointer<BufferBlock>?
        /// Free bytes behind this slice that the queue may append to.
        var tailroom: Int
    }

    private let pool: BufferPool
    private var ring: UnsafeMutablePointer<Slice>?
    private var ringCapacity: UInt32 = 0
    private var head: UInt32 = 0
    private var count: UInt32 = 0
    private var borrowedCount: UInt32 = 0
    /// The bytes in the queue, owned and borrowed.
    package private(set) var byteCount = 0
    /// The capacity of the buffers that the queue owns, in bytes: what it costs in memory.
    package private(set) var allocatedBytes = 0

    package init(pool: BufferPool) {
        self.pool = pool
        unsafe ring = nil
    }

    deinit {
        for index in 0..<count {
            guard let owner = unsafe slot(index).pointee.owner else { continue }
            unsafe pool.give(owner)
        }
        unsafe free(ring)
    }

    package var isEmpty: Bool { byteCount == 0 }
    /// Whether slices of somebody else's buffer are in the queue; never across turns.
    package var isBorrowing: Bool { borrowedCount > 0 }

    // MARK: Appending

    /// Appends a copy of `span`, behind what is there where there is room, else in new buffers.
    ///
    /// - Parameter bufferBytes: how large a new buffer should be at least, so that what follows fits behind.
    package mutating func append(copying span: RawSpan, bufferBytes: Int = 0) {
        precondition(borrowedCount == 0, "settle before appending owned bytes")
        var taken = 0
        if count > 0 {
            let last = unsafe slot(count - 1)
            taken = unsafe min(last.pointee.tailroom, span.byteCount)
            unsafe copy(span, from: 0, count: taken, to: last.pointee.start + last.pointee.count)
            unsafe last.pointee.count += taken
            unsafe last.pointee.tailroom -= taken
            byteCount += taken
        }
        while taken < span.byteCount {
            let wanted = min(max(span.byteCount - taken, bufferBytes), BufferPool.largestCapacityBytes)
            let piece = min(span.byteCount - taken, BufferPool.largestCapacityBytes)
            let buffer = pool.take(wanted)
            let tailroom = buffer.capacityBytes - piece
            let start = unsafe buffer.readablePointer
            unsafe copy(span, from: taken, count: piece, to: start)
            unsafe push(Slice(start: start, count: piece, owner: buffer.release(), tailroom: tailroom))
            taken += piece
        }
    }

    /// Appends a buffer's readable bytes and takes the buffer.
    package mutating func append(_ buffer: consuming ByteBuffer) {
        precondition(borrowedCount == 0, "settle before appending owned bytes")
        guard !buffer.isEmpty else { return }
        let start = unsafe buffer.readablePointer
        let count = buffer.readableBytes
        let tailroom = buffer.tailroomBytes
        unsafe push(Slice(start: start, count: count, owner: buffer.release(), tailroom: tailroom))
    }

    /// Appends a slice of `buffer` without taking it: ``settle(_:)`` before the buffer changes.
    ///
    /// - Parameter range: offsets from the buffer's first readable byte; not empty.
    package mutating func appendBorrowed(_ buffer: borrowing ByteBuffer, _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= buffer.readableBytes, "outside the buffer")
        guard !range.isEmpty else { return }
        let start = unsafe buffer.readablePointer + range.lowerBound
        unsafe push(Slice(start: start, count: range.count, owner: nil, tailroom: 0))
        borrowedCount += 1
    }

    /// The bytes of the borrowed slices that are still in the queue.
    package var borrowedBytes: Int {
        var bytes = 0
        for index in (count - borrowedCount)..<count { bytes += unsafe slot(index).pointee.count }
        return bytes
    }

    /// Ends the borrowing by copying what is left into a buffer of the right size.
    package mutating func settleByCopying() {
        guard borrowedCount > 0 else { return }
        var left = borrowedBytes
        var source = count - borrowedCount
        let end = count
        var moved: UInt32 = 0
        let firstMoved = source
        source += fillTailroom(before: source, left: &left)
        // Gathers the slices into as few buffers as they need; a buffer never holds less than it can.
        while source < end {
            var buffer = pool.take(min(left, BufferPool.largestCapacityBytes))
            while source < end, buffer.tailroomBytes > 0 {
                let from = unsafe slot(source)
                let piece = unsafe min(buffer.tailroomBytes, from.pointee.count)
                let span = unsafe RawSpan(_unsafeStart: from.pointee.start, byteCount: piece)
                buffer.append(span)
                unsafe from.pointee.start += piece
                unsafe from.pointee.count -= piece
                if unsafe from.pointee.count == 0 { source += 1 }
            }
            left -= buffer.readableBytes
            let start = unsafe buffer.readablePointer
            let bytes = buffer.readableBytes
            let tailroom = buffer.tailroomBytes
            // There are at least as many borrowed slices as buffers, but the slot may still be read: append
            // behind and close the gap afterwards.
            unsafe pushRaw(Slice(start: start, count: bytes, owner: buffer.release(), tailroom: tailroom))
            moved += 1
        }
        for index in 0..<moved { unsafe slot(firstMoved + index).pointee = slot(end + index).pointee }
        count = firstMoved + moved
        borrowedCount = 0
    }

    /// Copies the first borrowed bytes behind the last owned ones, as far as there is room: else a client that is
    /// sent little at a time would pin a buffer for each bit.
    ///
    /// - Returns: how many of the slices from `source` on are used up.
    private func fillTailroom(before source: UInt32, left: inout Int) -> UInt32 {
        guard source > 0 else { return 0 }
        let last = unsafe slot(source - 1)
        var used: UInt32 = 0
        while left > 0, unsafe last.pointee.tailroom > 0 {
            let from = unsafe slot(source + used)
            let piece = unsafe min(last.pointee.tailroom, from.pointee.count)
            let target = unsafe last.pointee.start + last.pointee.count
            unsafe target.copyMemory(from: from.pointee.start, byteCount: piece)
            unsafe last.pointee.count += piece
            unsafe last.pointee.tailroom -= piece
            unsafe from.pointee.start += piece
            unsafe from.pointee.count -= piece
            left -= piece
            if unsafe from.pointee.count == 0 { used += 1 }
        }
        return used
    }

    /// Ends the borrowing by taking the whole buffer and leaving an empty one of the same size in its place.
    ///
    /// No other queue may still borrow from `buffer`.
    package mutating func settle(byTaking buffer: inout ByteBuffer) {
        guard borrowedCount > 0 else { return }
        let taken = buffer
        buffer = pool.take(taken.capacityBytes)
        allocatedBytes += taken.capacityBytes
        unsafe slot(count - 1).pointee.owner = taken.release()
        borrowedCount = 0
    }

    // MARK: Consuming

    /// Drops the first `bytes` bytes; buffers that are used up go home.
    package mutating func consume(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= byteCount, "consumed more than is queued")
        byteCount -= bytes
        if byteCount == 0, borrowedCount == count {
            // A whole batch of small frames: nobody's buffers go home.
            count = 0
            dropRing()
            return
        }
        var left = bytes
        while left > 0 {
            let first = unsafe slot(0)
            let piece = unsafe min(left, first.pointee.count)
            unsafe first.pointee.start += piece
            unsafe first.pointee.count -= piece
            left -= piece
            guard unsafe first.pointee.count == 0 else { break }
            if let owner = unsafe first.pointee.owner {
                unsafe allocatedBytes -= owner.pointee.capacityBytes
                unsafe pool.give(owner)
            }
            if borrowedCount == count { borrowedCount -= 1 }
            head = (head + 1) & (ringCapacity - 1)
            count -= 1
        }
        if count == 0 { dropRing() }
    }

    /// Drops everything.
    package mutating func removeAll() { consume(byteCount) }

    /// Moves everything behind what `other` holds.
    ///
    /// What fills no more than half of its buffer is copied where there is room: else many short writes that wait would
    /// keep a large buffer each.
    package mutating func moveAll(to other: inout WriteQueue) {
        guard count > 0 else { return }
        precondition(borrowedCount == 0 && other.borrowedCount == 0, "settle before moving")
        for index in 0..<count {
            let slice = unsafe slot(index).pointee
            // An earlier slice without an owner stands in the same buffer.
            let isAlone = unsafe index == 0 || slot(index - 1).pointee.owner != nil
            if let owner = unsafe slice.owner, isAlone,
                unsafe slice.count * 2 <= owner.pointee.capacityBytes && other.fitsBehind(slice)
            {
                unsafe other.append(copying: RawSpan(_unsafeStart: slice.start, byteCount: slice.count))
                unsafe pool.give(owner)
            } else {
                unsafe other.push(slice)
            }
        }
        count = 0
        byteCount = 0
        allocatedBytes = 0
        dropRing()
    }

    /// Calls `body` with each of the first slices, at most `slicesMax` of them.
    @unsafe func forEachSlice(_ slicesMax: Int, _ body: (UnsafeMutableRawPointer, Int) -> Void) {
        for index in 0..<min(count, UInt32(slicesMax)) {
            let slice = unsafe slot(index)
            unsafe body(slice.pointee.start, slice.pointee.count)
        }
    }

    // MARK: The ring

    @unsafe private func slot(_ index: UInt32) -> UnsafeMutablePointer<Slice> {
        // The ring exists wherever there is a slice.
        unsafe ring.unsafelyUnwrapped + Int((head + index) & (ringCapacity - 1))
    }

    /// Whether the last buffer has room for a slice's bytes.
    @unsafe private func fitsBehind(_ slice: Slice) -> Bool {
        unsafe count > 0 && slot(count - 1).pointee.tailroom >= slice.count
    }

    @unsafe private mutating func push(_ slice: Slice) {
        unsafe pushRaw(slice)
        unsafe byteCount += slice.count
    }

    @unsafe private mutating func pushRaw(_ slice: Slice) {
        if count == ringCapacity { growRing() }
        if let owner = unsafe slice.owner { unsafe allocatedBytes += owner.pointee.capacityBytes }
        unsafe slot(count).initialize(to: slice)
        count += 1
    }

    private mutating func growRing() {
        let capacity = max(8, ringCapacity * 2)
        guard let memory = unsafe malloc(Int(capacity) * MemoryLayout<Slice>.stride) else {
            fatalError("out of memory: malloc refused \(capacity) slices")
        }
        let larger = unsafe memory.assumingMemoryBound(to: Slice.self)
        for index in 0..<count { unsafe (larger + Int(index)).initialize(to: slot(index).pointee) }
        unsafe free(ring)
        unsafe ring = larger
        ringCapacity = capacity
        head = 0
    }

    private mutating func dropRing() {
        unsafe free(ring)
        unsafe ring = nil
        ringCapacity = 0
        head = 0
        borrowedCount = 0
    }

    @unsafe private func copy(
        _ span: RawSpan,
        from offset: Int,
        count: Int,
        to target: UnsafeMutableRawPointer
    ) {
        guard count > 0 else { return }
        unsafe span.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            unsafe target.copyMemory(from: start + offset, byteCount: count)
        }
    }
}

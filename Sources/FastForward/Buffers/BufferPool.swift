#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Lends buffers of five sizes and keeps a few of those that come home.
///
/// One pool belongs to one event loop and is used on its thread only. Counts what is out, so that a test
/// can end with `outstanding == 0` and a budget can be kept in allocated bytes, not in used ones.
@safe package final class BufferPool {
    /// The sizes that the pool hands out, in bytes.
    ///
    /// The slack above the round number is room for headers, so that a read of the round size still has its
    /// headroom.
    package static let capacitiesBytes = [
        2 * 1024, 16 * 1024 + 512, 64 * 1024 + 512, 256 * 1024 + 1024, largestCapacityBytes,
    ]

    /// The capacity of the largest buffer, in bytes: of a batch, and of what is gathered for one write.
    ///
    /// Half of it costs an upload a seventh more processor time, twice as much saves a twentieth.
    package static let largestCapacityBytes = 512 * 1024 + 1024

    /// How many buffers of each size stay in the pool when they come home; more are freed.
    ///
    /// The larger ones cost more to get from the kernel than to keep, but an idle process should be small.
    private static let keptMax = [64, 16, 8, 3, 4]

    /// Buffers that have been taken and not returned.
    package private(set) var outstanding = 0
    /// The capacity of the buffers that have been taken and not returned, in bytes.
    package private(set) var outstandingBytes = 0

    private var free: [UnsafeMutablePointer<BufferBlock>?] = unsafe [nil, nil, nil, nil, nil]
    private var freeCount = [0, 0, 0, 0, 0]

    package init() {}

    deinit {
        precondition(outstanding == 0, "a buffer outlived its pool")
        trim()
    }

    /// Lends an empty buffer that holds at least `capacity` bytes.
    ///
    /// - Parameter capacity: at most ``largestCapacityBytes``.
    package func take(_ capacity: Int) -> ByteBuffer {
        precondition(capacity <= Self.largestCapacityBytes, "no buffer is that large")
        var sizeClass = 0
        while Self.capacitiesBytes[sizeClass] < capacity { sizeClass += 1 }
        outstanding += 1
        outstandingBytes += Self.capacitiesBytes[sizeClass]
        if let block = unsafe free[sizeClass] {
            unsafe free[sizeClass] = block.pointee.next
            unsafe block.pointee.next = nil
            freeCount[sizeClass] -= 1
            return unsafe lend(block)
        }
        return unsafe lend(BufferBlock.allocate(sizeClass: sizeClass, pool: self))
    }

    /// A buffer that is out keeps its pool alive, also where nobody names the pool any more.
    private func lend(_ block: UnsafeMutablePointer<BufferBlock>) -> ByteBuffer {
        unsafe _ = block.pointee.pool.retain()
        return unsafe ByteBuffer(block: block)
    }

    /// Gives back to the kernel what the pool keeps for later.
    package func trim() {
        for sizeClass in Self.capacitiesBytes.indices {
            while let block = unsafe free[sizeClass] {
                unsafe free[sizeClass] = block.pointee.next
                unsafe Glibc.free(block)
            }
            freeCount[sizeClass] = 0
        }
    }

    /// Takes a block home; the caller holds the pool until this returns.
    func give(_ block: UnsafeMutablePointer<BufferBlock>) {
        // What ``lend(_:)`` took; the block may be freed below.
        defer { unsafe Unmanaged.passUnretained(self).release() }
        let sizeClass = unsafe Int(block.pointee.sizeClass)
        outstanding -= 1
        outstandingBytes -= Self.capacitiesBytes[sizeClass]
        guard freeCount[sizeClass] < Self.keptMax[sizeClass] else {
            unsafe Glibc.free(block)
            return
        }
        unsafe block.pointee.next = free[sizeClass]
        unsafe free[sizeClass] = block
        freeCount[sizeClass] += 1
    }
}

/// The head of a buffer's memory; its bytes follow directly.
@unsafe struct BufferBlock {
    var next: UnsafeMutablePointer<BufferBlock>?
    let pool: Unmanaged<BufferPool>
    let sizeClass: UInt32

    static let headBytes = 64

    var capacityBytes: Int { unsafe BufferPool.capacitiesBytes[Int(sizeClass)] }

    static func allocate(sizeClass: Int, pool: BufferPool) -> UnsafeMutablePointer<BufferBlock> {
        unsafe precondition(MemoryLayout<BufferBlock>.size <= headBytes)
        guard let memory = unsafe malloc(headBytes + BufferPool.capacitiesBytes[sizeClass]) else {
            fatalError("out of memory: malloc refused \(BufferPool.capacitiesBytes[sizeClass]) bytes")
        }
        let block = unsafe memory.assumingMemoryBound(to: BufferBlock.self)
        unsafe block.initialize(
            to: BufferBlock(next: nil, pool: Unmanaged.passUnretained(pool), sizeClass: UInt32(sizeClass))
        )
        return unsafe block
    }

    static func bytes(of block: UnsafeMutablePointer<BufferBlock>) -> UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(block) + headBytes
    }
}

/// Big-endian reads at any offset, as every format here wants them.
extension RawSpan {
    /// The byte at `offset`.
    package func byte(at offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount, "outside the span")
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// The big-endian integer that starts at `offset`.
    package func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T {
        precondition(offset >= 0 && offset + MemoryLayout<T>.size <= byteCount, "outside the span")
        return unsafe T(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: T.self))
    }

    /// The bytes before `end`, so that offsets mean the same in both spans.
    @_lifetime(copy self)
    package func prefix(upTo end: Int) -> RawSpan {
        extracting(..<end)
    }
}

extension [UInt8] {
    /// A copy of the bytes of a span; not for the way of a byte.
    package init(copying span: RawSpan) {
        self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}

extension String {
    /// Text from bytes that should be UTF-8; what is not becomes the replacement character.
    package init(lossy span: RawSpan) {
        self = unsafe span.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

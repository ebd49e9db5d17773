import CZlib

// The header blocks of one direction are one zlib stream (RFC 1950) with SPDY/3's dictionary, as long as the
// tunnel lives (§2.6.10.1). The two directions have nothing in common, and neither have the two types here.

/// Wraps what we send in a zlib stream that only stores.
///
/// Every reader of zlib data takes stored blocks (RFC 1951 §3.2.4), so the sending side needs no deflate
/// state, no memory and no zlib:
///
///     once a tunnel   78 20 | Adler-32 of the dictionary             RFC 1950 §2.2: FDICT, fastest level
///     each block      00 | length | ~length (little-endian) | text   a stored block that is not the last
///                     00 | 00 00 | FF FF                             an empty one
///
/// Go's reader gives out what it has only when it meets the empty stored block; deflate's sync flush ends so
/// too.
///
/// Deflating would save 63 of the 93 bytes of a SYN_STREAM, and cost .7 µs a block and 9 KiB a tunnel at its
/// cheapest (level 1, window 9, memory level 1; 7 µs and 268 KB with spdystream's level 9). It would also let
/// the length of a block tell about its text (the CRIME attack).
package struct HeaderCompressor: ~Copyable {
    /// The longest text that fits a stored block.
    static let textBytesMax = 0xFFFF

    private static let streamHeadBytes = 6
    private static let storedHeadBytes = 5
    private static let flushBytes = 5
    private static let dictionaryAdler32: UInt32 = 0xE3C6_A7C2

    private var hasBegun = false

    package init() {}

    /// The length of the next block, at most, in bytes.
    static func blockBytesMax(_ headers: SPDYHeaders) -> Int {
        streamHeadBytes + storedHeadBytes + headers.textBytes + flushBytes
    }

    /// The exact length of the next block, in bytes.
    func blockBytes(textBytes: Int) -> Int {
        (hasBegun ? 0 : Self.streamHeadBytes) + Self.storedHeadBytes + textBytes + Self.flushBytes
    }

    /// Appends the block that carries `headers`: exactly ``blockBytes(textBytes:)``.
    mutating func appendBlock(_ headers: some SPDYHeaderText, textBytes: Int, to buffer: inout ByteBuffer) {
        precondition(textBytes <= Self.textBytesMax, "headers of more than 65,535 bytes of text")
        if !hasBegun {
            buffer.append(bigEndian: UInt16(0x7820))
            buffer.append(bigEndian: Self.dictionaryAdler32)
            hasBegun = true
        }
        let length = UInt16(textBytes)
        buffer.append(0)
        buffer.append(bigEndian: length.byteSwapped)
        buffer.append(bigEndian: (~length).byteSwapped)
        headers.appendText(to: &buffer)
        buffer.append(0)
        buffer.append(bigEndian: UInt32(0x0000_FFFF))
    }
}

/// Inflates the header blocks that a peer sends, one after the other.
///
/// Owns a zlib state (7 KiB, and a window of 32 KiB from the first block on). After an error nothing more can
/// be inflated.
@safe package struct HeaderDecompressor: ~Copyable {
    /// The longest text that a block may inflate to, in bytes.
    ///
    /// A few bytes can inflate a thousandfold (CVE-2026-35469 brought spdystream down so). Kubernetes' blocks
    /// have 60 bytes of text and replies have 4; 16 KiB is what HTTP servers commonly allow.
    package static let headerBlockBytesMax = 16 * 1024

    /// The dictionary of SPDY/3 (§2.6.10.1): 1,423 bytes.
    package static var dictionary: [UInt8] {
        let bytes = unsafe UnsafeBufferPointer(
            start: ffwd_spdy3_dictionary(),
            count: Int(FFWD_SPDY3_DICTIONARY_BYTES)
        )
        return unsafe [UInt8](bytes)
    }

    /// On the heap because zlib keeps a pointer to it.
    private let stream: UnsafeMutablePointer<z_stream>
    /// Room for the longest text and one byte, which shows that there is more.
    private let memory: UnsafeMutableRawPointer
    private var textBytes = 0

    init() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        unsafe memory = .allocate(byteCount: Self.headerBlockBytesMax + 1, alignment: 1)
        let code = unsafe ffwd_inflate_init(stream)
        precondition(
            code == Z_OK,
            "zlib refused to start: out of memory, or another version than compiled for"
        )
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
        unsafe memory.deallocate()
    }

    /// Starts a block: the text of the last one is gone.
    mutating func beginBlock() {
        textBytes = 0
    }

    /// Inflates the next piece of the block that was begun.
    mutating func inflate(_ piece: RawSpan) throws(HeaderBlockFault) {
        let fault = unsafe piece.withUnsafeBytes { bytes in unsafe inflate(all: bytes) }
        if let fault { throw fault }
    }

    /// What the block inflated to so far.
    var text: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(memory), byteCount: textBytes)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    private mutating func inflate(all bytes: UnsafeRawBufferPointer) -> HeaderBlockFault? {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return nil }
        // zlib does not write there: next_in is not const for the sake of old compilers only.
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: start.assumingMemoryBound(to: Bytef.self)
        )
        unsafe stream.pointee.avail_in = UInt32(bytes.count)
        while unsafe stream.pointee.avail_in > 0 {
            let roomBytes = Self.headerBlockBytesMax + 1 - textBytes
            unsafe stream.pointee.next_out = (memory + textBytes).assumingMemoryBound(to: Bytef.self)
            unsafe stream.pointee.avail_out = UInt32(roomBytes)
            let code = unsafe CZlib.inflate(stream, Z_SYNC_FLUSH)
            textBytes += unsafe roomBytes - Int(stream.pointee.avail_out)
            guard textBytes <= Self.headerBlockBytesMax else { return .tooLong }
            switch code {
            case Z_OK: continue
            case Z_NEED_DICT:
                guard unsafe ffwd_inflate_set_spdy3_dictionary(stream) == Z_OK else {
                    return .wrongDictionary
                }
            case Z_STREAM_END: return .streamEnded
            case Z_MEM_ERROR: fatalError("out of memory: zlib could not allocate its window")
            default: return .corrupt
            }
        }
        return nil
    }
}

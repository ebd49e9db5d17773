// SPDY/3.1 (draft-mbelshe-httpbis-spdy-00, the text of SPDY/3) as the streaming code of Kubernetes speaks it.
//
// One frame after the other, everything big-endian, each with a head of eight bytes:
//
//     data frame      0 | stream id (31)                 flags (8) | payload length (24)
//     control frame   1 | version = 3 (15) | type (16)   flags (8) | body length (24)
//
// A control frame's body begins with a few words of fixed length; three types carry a header block behind
// them.
//
// Theory of operation. The payload of a data frame is the way of a byte: the reader hands out ranges of the
// caller's buffer and never sees the payload itself; the writer puts a head of eight bytes before it.
// Everything else happens a few times per connection. The header blocks of one direction are one zlib stream
// for the life of the tunnel, so every block is inflated, also when nobody wants it. No body of a control
// frame is ever gathered: its words go into a few integers, its header block goes into the inflater piece by
// piece, and only the inflated text, which has a bound, is kept until the frame ends.
//
// Neither reader nor writer knows which streams exist. That a frame concerns a stream that was never opened,
// or is gone, is for the tunnel to see.

/// What a SPDY peer sent: one frame, or a part of a data frame.
package enum SPDYEvent: Equatable, Sendable {
    /// Bytes of a stream: the part of a data frame's payload that is there.
    ///
    /// `payload` counts in the bytes given to the reader; it is empty for a frame without payload.
    /// `endsFrame`: no more of this frame follows. `isFinal`: the peer sends no more on this stream; only
    /// ever on a frame's last part.
    case data(streamID: UInt32, payload: Range<Int>, endsFrame: Bool, isFinal: Bool)
    /// The peer opened a stream (SYN_STREAM). `associatedID` is nil where the frame says 0; 0 is the highest
    /// priority.
    case openedStream(
        streamID: UInt32,
        associatedID: UInt32?,
        priority: UInt8,
        headers: SPDYHeaders,
        isFinal: Bool
    )
    /// The peer took our stream (SYN_REPLY). Its headers mean nothing here.
    case reply(streamID: UInt32, isFinal: Bool)
    /// More headers for a stream (HEADERS). They mean nothing here, but the frame can end the stream.
    case headers(streamID: UInt32, isFinal: Bool)
    /// The stream ended in both directions before its time (RST_STREAM).
    case reset(streamID: UInt32, status: UInt32)
    /// A PING of the peer, or its answer to ours: the evenness of `id` says whose it is.
    case ping(id: UInt32)
    /// The peer accepts no new streams.
    case goAway(lastGoodStreamID: UInt32, status: UInt32)
}

/// Why a stream was reset (§2.6.3).
package enum SPDYResetStatus {
    package static let protocolError: UInt32 = 1
    package static let invalidStream: UInt32 = 2
    package static let refusedStream: UInt32 = 3
    package static let cancel: UInt32 = 5
    package static let internalError: UInt32 = 6
}

/// The control frames that mean something here (§2.6).
enum SPDYFrameType: UInt16 {
    case synStream = 1
    case synReply = 2
    case rstStream = 3
    case settings = 4
    case ping = 6
    case goAway = 7
    case headers = 8
    case windowUpdate = 9

    /// The length of the words before the header block or the settings, in bytes.
    var fixedBytes: Int {
        switch self {
        case .synStream: 10
        case .rstStream, .goAway, .windowUpdate: 8
        case .synReply, .settings, .ping, .headers: 4
        }
    }

    /// Whether the body ends with the fixed words.
    var hasFixedLength: Bool {
        switch self {
        case .rstStream, .ping, .goAway, .windowUpdate: true
        case .synStream, .synReply, .settings, .headers: false
        }
    }

    var carriesHeaderBlock: Bool {
        switch self {
        case .synStream, .synReply, .headers: true
        case .rstStream, .settings, .ping, .goAway, .windowUpdate: false
        }
    }
}

/// Numbers of the wire format.
enum SPDYWire {
    static let version: UInt16 = 3
    /// FLAG_FIN on data frames, SYN_STREAM, SYN_REPLY and HEADERS.
    static let finFlag: UInt8 = 0x01
    /// The head of every frame.
    static let frameHeadBytes = 8
    /// Stream ids have 31 bits; the bit above is reserved, and ignored when read.
    static let streamIDMask: UInt32 = 0x7FFF_FFFF
}

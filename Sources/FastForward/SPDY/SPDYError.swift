/// What a SPDY peer did that ends the tunnel.
///
/// Every case is the peer's fault, or that of something between that changed the bytes; a mistake of our own
/// code traps. The bytes that follow cannot be trusted: the reader must not be asked again.
package enum SPDYError: Error, Equatable, Sendable {
    /// A control frame of another version than 3: usually the first sign that this is no SPDY at all.
    case unsupportedVersion(UInt16)
    /// The length of a control frame does not fit its type.
    case wrongFrameLength(type: UInt16, lengthBytes: Int)
    /// A control frame is longer than ``SPDYFrameReader/controlFrameBytesMax``.
    case controlFrameTooLong(type: UInt16, lengthBytes: Int)
    /// A SETTINGS frame is not as long as its number of entries says.
    case wrongSettingsCount(count: UInt32, lengthBytes: Int)
    /// A frame that belongs to a stream names stream 0; nil is the type of a data frame.
    case zeroStreamID(type: UInt16?)
    /// The peer opened a stream with an id of our side, or with one that is not above its last one.
    case invalidNewStreamID(UInt32, lastOpened: UInt32)
    /// The header block of a stream cannot be read, so no later one can.
    case invalidHeaderBlock(streamID: UInt32, HeaderBlockFault)
}

/// What is wrong with a header block.
package enum HeaderBlockFault: Error, Equatable, Sendable {
    /// No valid zlib data.
    case corrupt
    /// Compressed with another dictionary than SPDY/3's.
    case wrongDictionary
    /// The peer ended the compressed stream, which lives as long as the tunnel.
    case streamEnded
    /// The text is longer than ``HeaderDecompressor/headerBlockBytesMax``.
    case tooLong
    /// More headers than ``SPDYHeaders/headerCountMax``.
    case tooManyHeaders(count: UInt32)
    /// The text ends before its headers do.
    case truncated
    /// The text goes on behind its last header.
    case trailingBytes(Int)
    /// The name of the header at this place, from 0, is empty.
    case emptyName(index: Int)
    /// The name of the header at this place has an upper-case letter.
    case upperCaseName(index: Int)
    /// The header at this place has the name of an earlier one.
    case duplicateName(index: Int)
    /// One of several values of the header at this place is empty.
    case emptyValue(index: Int)
}

extension SPDYError: CustomStringConvertible {
    package var description: String {
        "SPDY: the peer broke the protocol: \(situation). The tunnel is closed; if this happens again, "
            + "look for a proxy on the way that changes the bytes"
    }

    private var situation: String {
        switch self {
        case .unsupportedVersion(let version):
            "a control frame has version \(version) instead of \(SPDYWire.version)"
        case .wrongFrameLength(let type, let lengthBytes):
            "a \(Self.name(ofType: type)) frame has the impossible length \(lengthBytes)"
        case .controlFrameTooLong(let type, let lengthBytes):
            "a \(Self.name(ofType: type)) frame has \(lengthBytes) bytes, more than the "
                + "\(SPDYFrameReader.controlFrameBytesMax) that are accepted"
        case .wrongSettingsCount(let count, let lengthBytes):
            "a SETTINGS frame of \(lengthBytes) bytes claims \(count) entries"
        case .zeroStreamID(let type):
            "a \(type.map(Self.name(ofType:)) ?? "data") frame names stream 0"
        case .invalidNewStreamID(let id, let lastOpened):
            "it opened stream \(id) after stream \(lastOpened)"
        case .invalidHeaderBlock(let streamID, let fault):
            "the header block of stream \(streamID) \(fault)"
        }
    }

    private static func name(ofType type: UInt16) -> String {
        switch SPDYFrameType(rawValue: type) {
        case .synStream: "SYN_STREAM"
        case .synReply: "SYN_REPLY"
        case .rstStream: "RST_STREAM"
        case .settings: "SETTINGS"
        case .ping: "PING"
        case .goAway: "GOAWAY"
        case .headers: "HEADERS"
        case .windowUpdate: "WINDOW_UPDATE"
        case nil: "control (type \(type))"
        }
    }
}

extension HeaderBlockFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .corrupt: "is no valid zlib data"
        case .wrongDictionary: "was compressed with a dictionary that is not SPDY/3's"
        case .streamEnded: "comes with, or after, the end of the compressed stream"
        case .tooLong: "inflates to more than \(HeaderDecompressor.headerBlockBytesMax) bytes"
        case .tooManyHeaders(let count): "claims \(count) headers, more than \(SPDYHeaders.headerCountMax)"
        case .truncated: "ends in the middle of a header"
        case .trailingBytes(let count): "has \(count) bytes behind its last header"
        case .emptyName(let index): "has no name for header \(index)"
        case .upperCaseName(let index): "has an upper-case letter in the name of header \(index)"
        case .duplicateName(let index): "repeats a name in header \(index)"
        case .emptyValue(let index): "has an empty one among the values of header \(index)"
        }
    }
}

/// What can be wrong with an HTTP/1.1 message.
///
/// The peer is at fault in every case but ``invalidHead(_:)`` and ``noRoom(neededBytes:tailroomBytes:)``, which
/// are the caller's. Lines are counted from 1, the start line. No case carries a field's value: it may be a
/// credential.
package enum HTTPError: Error, Equatable {
    // The head.
    /// The answer does not begin with an HTTP status line; `start` is what it begins with, made printable.
    case notHTTP(start: String)
    /// The request line is not `method target version`.
    case malformedRequestLine
    /// A version other than HTTP/1.0 and HTTP/1.1.
    case unsupportedVersion(String)
    /// A LF that no CR precedes.
    case bareLineFeed(line: Int)
    /// A CR that no LF follows.
    case bareCarriageReturn(line: Int)
    /// A control character in a line.
    case forbiddenByte(UInt8, line: Int)
    /// A field line that begins with white space (obs-fold).
    case foldedField(line: Int)
    /// A field line without a colon, or with something other than a token before it.
    case malformedFieldName(line: Int)
    case headTooLong(limitBytes: Int)
    case tooManyFields(limit: Int)
    /// More interim answers (1xx) before the one that counts than anybody sends.
    case tooManyInterimHeads(limit: Int)
    /// The connection ended inside a head.
    case headCutShort

    // The body.
    /// A Content-Length that is no number, or is too large.
    case invalidContentLength
    /// Several lengths that differ.
    case conflictingContentLength
    /// Both Content-Length and Transfer-Encoding.
    case contentLengthWithTransferEncoding
    /// A transfer coding other than `chunked`.
    case unsupportedTransferEncoding(String)
    /// A chunk's size line that is no hexadecimal number, or too large a one.
    case invalidChunkSize
    /// A chunk's size line, or its data, does not end in CR LF.
    case unterminatedChunk
    case chunkExtensionTooLong(limitBytes: Int)
    case trailersTooLong(limitBytes: Int)
    /// The connection ended inside a body; how much is missing is known where its length was announced.
    case bodyCutShort(missingBytes: Int?)

    // Writing.
    /// A part of a head that would not be read as what it is.
    case invalidHead(HTTPHeadPart)
    /// The buffer's tailroom is too small.
    case noRoom(neededBytes: Int, tailroomBytes: Int)
}

/// A part of a head that is being written.
package enum HTTPHeadPart: Equatable, Sendable {
    case method
    case target
    case status
    case reason
    case fieldName(String)
    /// The value of the field of this name.
    case fieldValue(of: String)
}

extension HTTPError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notHTTP(let start):
            "the peer does not speak HTTP/1.1, its answer begins with \"\(start)\" (check the server's address and port)"
        case .malformedRequestLine:
            "the request line is not HTTP/1.1: expected a method, a target and a version"
        case .unsupportedVersion(let version):
            "the peer speaks \"\(version)\", only HTTP/1.1 is understood (is there a proxy in between?)"
        case .bareLineFeed(let line):
            "line \(line) of the HTTP head ends without a carriage return (RFC 9112 §2.2)"
        case .bareCarriageReturn(let line):
            "line \(line) of the HTTP message holds a carriage return that ends no line (RFC 9112 §2.2)"
        case .forbiddenByte(let byte, let line):
            "line \(line) of the HTTP head holds the control character \(byte) (RFC 9110 §5.5)"
        case .foldedField(let line):
            "line \(line) of the HTTP head begins with white space, as obsolete line folding does (RFC 9112 §5.2)"
        case .malformedFieldName(let line):
            "line \(line) of the HTTP head is no field: expected a name and a colon (RFC 9112 §5)"
        case .headTooLong(let limitBytes):
            "the HTTP head is longer than \(limitBytes) bytes"
        case .tooManyFields(let limit):
            "the HTTP head has more than \(limit) fields"
        case .tooManyInterimHeads(let limit):
            "more than \(limit) interim answers came before the answer"
        case .headCutShort:
            "the connection ended inside the HTTP head"
        case .invalidContentLength:
            "the HTTP message's Content-Length is not a length (RFC 9112 §6.3)"
        case .conflictingContentLength:
            "the HTTP message states different lengths (RFC 9112 §6.3)"
        case .contentLengthWithTransferEncoding:
            "the HTTP message states both a length and a transfer encoding (RFC 9112 §6.3)"
        case .unsupportedTransferEncoding(let coding):
            "the HTTP message's transfer encoding \"\(coding)\" is not supported, only chunked is"
        case .invalidChunkSize:
            "a chunk of the HTTP body has no valid size (RFC 9112 §7.1)"
        case .unterminatedChunk:
            "a chunk of the HTTP body does not end where it should (RFC 9112 §7.1)"
        case .chunkExtensionTooLong(let limitBytes):
            "a chunk of the HTTP body has an extension of more than \(limitBytes) bytes"
        case .trailersTooLong(let limitBytes):
            "the HTTP body has more than \(limitBytes) bytes of trailers"
        case .bodyCutShort(.some(let missingBytes)):
            "the connection ended \(missingBytes) bytes before the end of the HTTP body"
        case .bodyCutShort(.none):
            "the connection ended before the end of the HTTP body"
        case .invalidHead(let part):
            "cannot write the HTTP head: \(part) (a line break or another forbidden character in it?)"
        case .noRoom(let neededBytes, let tailroomBytes):
            "cannot write \(neededBytes) bytes of HTTP into a buffer with room for \(tailroomBytes)"
        }
    }
}

extension HTTPHeadPart: CustomStringConvertible {
    package var description: String {
        switch self {
        case .method: "the method is not valid"
        case .target: "the target is not valid"
        case .status: "the status is not a number of three digits"
        case .reason: "the reason is not valid"
        case .fieldName(let name): "the field name \(name.debugDescription) is not valid"
        case .fieldValue(let name): "the value of the field \(name) is not valid"
        }
    }
}

/// The headers that open a connection's streams, which Kubernetes reads to tie the two together.
///
/// The same text as ``SPDYHeaders`` of the three would make, but it takes no memory: this is written twice for each
/// connection.
struct StreamOpening: SPDYHeaderText {
    enum Kind {
        case error, data

        var name: StaticString {
            switch self {
            case .error: "error"
            case .data: "data"
            }
        }
    }

    var kind: Kind
    /// The port of the pod.
    let port: UInt16
    /// What the two streams of a connection have in common.
    let requestID: Int

    var textBytes: Int {
        let namesBytes = "streamtypeportrequestid".utf8.count
        return 4 + 3 * 8 + namesBytes + kind.name.utf8CodeUnitCount + ByteBuffer.decimalBytes(UInt64(port))
            + ByteBuffer.decimalBytes(UInt64(requestID))
    }

    func appendText(to buffer: inout ByteBuffer) {
        buffer.append(bigEndian: UInt32(3))
        Self.append("streamtype", to: &buffer)
        Self.append(kind.name, to: &buffer)
        Self.append("port", to: &buffer)
        Self.append(UInt64(port), to: &buffer)
        Self.append("requestid", to: &buffer)
        Self.append(UInt64(requestID), to: &buffer)
    }

    private static func append(_ text: StaticString, to buffer: inout ByteBuffer) {
        buffer.append(bigEndian: UInt32(text.utf8CodeUnitCount))
        buffer.append(text)
    }

    private static func append(_ number: UInt64, to buffer: inout ByteBuffer) {
        buffer.append(bigEndian: UInt32(ByteBuffer.decimalBytes(number)))
        buffer.append(decimal: number)
    }
}

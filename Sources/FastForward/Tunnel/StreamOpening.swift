/// The headers that open a connection's streams, which Kubernetes reads to tie the two together.
///
/// The same text as ``SPDYHeaders`` of the three would make, but it takes no memory: this is written twice for each
/// connection.
struct StreamOpening: SPDYHeaderText {
    /// `error` or `data`.
    var type: String
    /// The port of the pod, as text.
    let port: String
    /// What the two streams of a connection have in common, as text.
    let requestID: String

    init(type: String, port: UInt16, requestID: Int) {
        self.type = type
        self.port = String(port)
        self.requestID = String(requestID)
    }

    var textBytes: Int {
        let namesBytes = "streamtypeportrequestid".utf8.count
        return 4 + 3 * 8 + namesBytes + type.utf8.count + port.utf8.count + requestID.utf8.count
    }

    func appendText(to buffer: inout ByteBuffer) {
        buffer.append(bigEndian: UInt32(3))
        Self.append("streamtype", type, to: &buffer)
        Self.append("port", port, to: &buffer)
        Self.append("requestid", requestID, to: &buffer)
    }

    private static func append(_ name: String, _ value: String, to buffer: inout ByteBuffer) {
        buffer.append(bigEndian: UInt32(name.utf8.count))
        buffer.append(name)
        buffer.append(bigEndian: UInt32(value.utf8.count))
        buffer.append(value)
    }
}

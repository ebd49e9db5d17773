/// Something that the codecs and cores do over and over while bytes are carried, made repeatable.
///
/// Shared by the count of instructions (`benchmarks/instructions`), the micro benchmarks (`benchmarks/micro`) and a test
/// that each load does what it says.
public enum CodecLoad: String, CaseIterable, Sendable {
    /// Messages of 1 KiB, one frame each.
    case webSocketRead = "websocket-read"
    /// The way in which spdystream's writes come: four bytes, four bytes, payload.
    case webSocketReadPieces = "websocket-read-pieces"
    /// A header in front of 1 KiB, which is masked.
    case webSocketWrite = "websocket-write"
    /// 32 KiB, combined with a key.
    case mask = "mask-32k"
    /// Data frames of 1 KiB.
    case spdyRead = "spdy-read"
    /// PINGs and RST_STREAMs.
    case spdyReadControl = "spdy-read-control"
    /// The head of a data frame, over a gap.
    case spdyWrite = "spdy-write"
    /// SYN_STREAMs in stored blocks.
    case headersWrite = "headers-write"
    /// The same, read; with the start of a zlib stream for each 64.
    case headersRead = "headers-read"
    /// SYN_STREAMs that spdystream has deflated, with what stands between them.
    case headersReadDeflated = "headers-read-deflated"
    /// Data frames of 1 KiB as they come from Kubernetes, down to the payload of a connection.
    case tunnelRead = "tunnel-read-1k"
    /// The same with 32 KiB.
    case tunnelReadLarge = "tunnel-read-32k"
    /// A download that a real API server sent.
    case tunnelReadRecorded = "tunnel-read-recorded"
    /// Frames of 1 KiB to the pod, with the PINGs and PONGs that go with them.
    case tunnelWrite = "tunnel-write-1k"
    /// A connection opened, used once and closed; the server's side is written too.
    case connection
    /// Frames counted, and the rounds of PINGs that acknowledge them.
    case workerWindow = "worker-window"

    /// Makes the load ready to run.
    public func prepared() -> any PreparedLoad {
        switch self {
        case .webSocketRead: WebSocketReading(pieces: [1024])
        case .webSocketReadPieces: WebSocketReading(pieces: [4, 4, 1024])
        case .webSocketWrite: WebSocketWriting()
        case .mask: Masking()
        case .spdyRead: SPDYReading.dataFrames()
        case .spdyReadControl: SPDYReading.controlFrames()
        case .spdyWrite: SPDYWriting()
        case .headersWrite: HeaderWriting()
        case .headersRead: HeaderReading(HeaderReading.storedBlocks())
        case .headersReadDeflated: HeaderReading(recordedBytes("spdystream-many-client.bin"))
        case .tunnelRead: TunnelReading(frameBytes: 1024)
        case .tunnelReadLarge: TunnelReading(frameBytes: 32 * 1024)
        case .tunnelReadRecorded: RecordedTunnel()
        case .tunnelWrite: TunnelWriting()
        case .connection: ConnectionLives()
        case .workerWindow: WindowRounds()
        }
    }
}

/// A load with everything that it needs.
public protocol PreparedLoad: AnyObject {
    /// Does the load once; any number of times, each with the same work.
    ///
    /// - Returns: how many frames, or what the load's name says, it went over.
    func run() -> Int
}

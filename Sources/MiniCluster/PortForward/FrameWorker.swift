import FastForward

/// A frame that waits for the worker it was dealt to.
final class QueuedFrame {
    enum Kind {
        case open(SPDYHeaders, isFinal: Bool)
        case data
        case reset
        case ping
    }

    let kind: Kind
    /// The stream, or the number of a PING.
    let id: UInt32
    /// The payload of a data frame, as far as it has come.
    var payload: WriteQueue
    /// Whether the whole frame has come.
    var isComplete: Bool
    /// Whether the client sends no more on the stream.
    var isFinal = false

    init(kind: Kind, id: UInt32, isComplete: Bool, pool: BufferPool) {
        self.kind = kind
        self.id = id
        self.isComplete = isComplete
        payload = WriteQueue(pool: pool)
    }
}

/// One of the five that handle a tunnel's frames in spdystream, and the queue before it.
///
/// Theory of operation. Frames go to worker `stream id % 5`, PINGs to each worker in turn. A worker hands data to a
/// stream when the stream's copier is ready for it, and waits as long as it is not; meanwhile its frames queue up,
/// also those of other streams. When a queue is full, the tunnel is read no more. Clients keep a tunnel alive by
/// knowing this, so it is done here as it is there, with one loop instead of threads: a frame that finds its
/// worker idle is handled at once, without a queue or a copy; any other is kept here.
struct FrameWorker {
    /// How many workers a tunnel has (spdystream `FRAME_WORKERS`).
    static let count = 5
    /// How many frames wait before a worker (spdystream `QUEUE_SIZE`).
    static let queuedFramesMax = 50
    /// How much waits before a worker, in bytes.
    ///
    /// A bound that spdystream lacks. Clients that count frames send at most 50 of 1 MiB.
    static let queuedBytesMax = 64 * 1024 * 1024

    private(set) var frames: [QueuedFrame] = []

    /// Whether a frame that comes now is handled at once.
    var isIdle: Bool { frames.isEmpty }

    /// Whether the tunnel must not be read: the frame that the worker is at, and a full queue, wait.
    var isFull: Bool {
        frames.count > Self.queuedFramesMax
            || (frames.count > 1 && frames.reduce(0) { $0 + $1.payload.byteCount } > Self.queuedBytesMax)
    }

    mutating func append(_ frame: QueuedFrame) { frames.append(frame) }

    mutating func removeFirst() { frames.removeFirst() }

    mutating func removeAll() { frames.removeAll() }
}

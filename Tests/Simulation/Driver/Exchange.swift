/// What one client and its pod say to each other, and what has come of it.
///
/// The two ends know it both: so each can tell what the other has sent, and how it has ended.
final class Exchange {
    enum Answer {
        /// As many bytes as have come.
        case echo
        /// All of it as soon as it is known who asks.
        case atOnce
        /// When everything has come.
        case afterAll
        /// When the client has ended its direction.
        case afterEnd
        /// So many microseconds after the pod knows who asks.
        case later(UInt64)
    }

    enum ClientEnd {
        /// The pod ends first.
        case waits
        case closesAfterAnswer
        /// Ends its direction when all is sent, and waits for the pod's.
        case halfCloses
        /// Sends and goes.
        case closesAtOnce
        /// Resets the connection when so many bytes have gone either way.
        case aborts(afterBytes: Int)
    }

    enum PodEnd {
        case closesAfterAnswer
        /// Ends its direction, and reads on until the client has ended.
        case halfClosesAfterAnswer
        case waitsForClient
        /// Closes when it has sent so many bytes, whatever the client still sends.
        case closesEarly(afterBytes: Int)
        case resets(afterBytes: Int)
    }

    /// How an end reads.
    enum Reading {
        case eager
        /// Nothing for so many microseconds.
        case late(UInt64)
        /// So many bytes in so many microseconds.
        case slow(bytes: Int, every: UInt64)
        /// Nothing until the faults are over.
        case stuck
    }

    enum Outcome {
        case complete
        case reset
        case refused
        /// The client went as it wanted to.
        case left
    }

    static let headerBytes = 8
    private static let magic: UInt32 = 0x5349_4D31

    let id: UInt32
    var remotePort: UInt16 = 7000
    var toPodBytes = headerBytes
    var fromPodBytes = 0
    var answer = Answer.echo
    var clientEnd = ClientEnd.closesAfterAnswer
    var podEnd = PodEnd.waitsForClient
    var clientReads = Reading.eager
    var podReads = Reading.eager
    /// How much the client sends at a time, and how long it waits between.
    var chunkBytes = 65_536
    var thinkTime: UInt64 = 0
    /// How much the client sends ahead of an echo.
    var aheadBytes = Int.max
    var startsAt: UInt64 = 0
    var isOnAnotherHost = false
    /// Nothing may go wrong with it: there are no faults in its time, and its ends wish none.
    var isStrict = false

    // What has come of it.
    var outcome: Outcome?
    var clientSent = 0
    var clientReceived = 0
    var hasClientEnded = false
    var podSent = 0
    var podReceived = 0
    /// Whether the pod has ended its direction by itself, so that all it sent is all there is.
    var hasPodEnded = false
    var isKnownToPod = false
    var hasPodSeenEnd = false

    init(id: UInt32) {
        self.id = id
    }

    var toPod: Stream { Stream(id: id, isToPod: true) }
    var fromPod: Stream { Stream(id: id, isToPod: false) }

    /// How much the pod may have sent by now.
    func allowance(atEnd isAtEnd: Bool, isLate: Bool) -> Int {
        switch answer {
        case .echo: min(podReceived, fromPodBytes)
        case .atOnce: fromPodBytes
        case .afterAll: podReceived >= toPodBytes ? fromPodBytes : 0
        case .afterEnd: isAtEnd ? fromPodBytes : 0
        case .later: isLate ? fromPodBytes : 0
        }
    }

    /// The first bytes of a connection: who it is.
    func writeHeader(into buffer: UnsafeMutableRawBufferPointer) {
        let header = UInt64(Self.magic) << 32 | UInt64(id)
        for index in 0..<Self.headerBytes {
            buffer[index] = UInt8(truncatingIfNeeded: header >> UInt64(8 * index))
        }
    }

    static func id(inHeader bytes: [UInt8]) -> UInt32? {
        var header: UInt64 = 0
        for index in 0..<headerBytes { header |= UInt64(bytes[index]) << UInt64(8 * index) }
        return header >> 32 == UInt64(magic) ? UInt32(truncatingIfNeeded: header) : nil
    }
}

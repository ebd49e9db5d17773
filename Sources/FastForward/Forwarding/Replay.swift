/// What a client has sent so far, kept for the case that its pod does not take the connection at all.
///
/// Theory of operation. A server reports a refused dial only after bytes for the pod may have been sent, and nothing of
/// them has reached anybody then: another pod may get them. Once the pod has sent a byte, or more has been sent than is kept,
/// it is too late, and the memory goes home.
final class Replay {
    /// How much of one client is kept, in bytes: more than any request's head.
    static let bytesMax = 64 * 1024
    /// How much of all clients is kept, in bytes: those that come when it is used up are not kept.
    static let totalBytesMax = 16 << 20

    /// Counts what is kept of all clients.
    final class Account {
        fileprivate var bytes = 0

        /// Whether more may be kept.
        var hasRoom: Bool { bytes < Replay.totalBytesMax }
    }

    private let account: Account
    private(set) var bytes: [UInt8] = []
    /// Whether all that was sent is here.
    private(set) var isWhole = true

    init(_ account: Account) {
        self.account = account
    }

    deinit { account.bytes -= bytes.count }

    /// Keeps what is being sent, if there is room for it.
    ///
    /// - Parameter range: of `buffer`.
    func keep(_ buffer: RawSpan, _ range: Range<Int>) {
        guard isWhole else { return }
        guard bytes.count + range.count <= Self.bytesMax, account.hasRoom else {
            isWhole = false
            account.bytes -= bytes.count
            bytes = []
            return
        }
        bytes += [UInt8](copying: buffer.extracting(range))
        account.bytes += range.count
    }
}

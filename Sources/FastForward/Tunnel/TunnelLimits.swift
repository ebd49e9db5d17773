/// How many tunnels a pod gets, and what they may keep in memory.
///
/// Memory is what clients and the network have not taken yet; readers that are behind are not read for. Each tunnel has
/// its share of the whole, so that no peer can use up another one's: the sum over all tunnels of a pod is the limit.
/// That it holds for all pods together, and for WebSockets of channels, is the budget's affair, which tightens the marks
/// where it becomes scarce.
package struct TunnelLimits: Equatable, Sendable {
    /// What the process needs beside the tunnels' shares, in bytes: code, tables, receive buffers, the pool's reserve.
    package static let baseBytes = 24 << 20
    /// What a tunnel costs beside its marks, in bytes: its TLS session, a batch and a staging buffer in use, and what
    /// goes over a mark before it is noticed.
    package static let overheadBytes = 3 << 19
    /// What a WebSocket of channels costs at least, in bytes: its TLS session with what OpenSSL has read ahead, its
    /// objects, and one small read each way.
    package static let channelBytes = 128 << 10
    /// How much is read at once from or for a client of channels while memory is scarce, in bytes: what a TLS record holds.
    package static let scarceReadBytes = 16 << 10
    /// A tunnel's marks, each way, while memory is scarce: what goes over them, and a batch, is in ``overheadBytes``.
    package static let scarceMarks = BacklogMarks(lowBytes: 64 << 10, highBytes: 256 << 10)
    /// The least share of a tunnel, in bytes: below it, frames and batches would be cut small.
    package static let shareBytesMin = 3 << 20
    /// The marks of a WebSocket of channels to the pod while memory is scarce: one read waits, at most.
    package static let channelScarceMarks = BacklogMarks(lowBytes: 0, highBytes: 1)
    package static let memoryBytesStandard = 256 << 20

    package let tunnels: TunnelChoice.Bounds
    package let memoryBytes: Int
    /// What all clients of a tunnel together have not taken, as allocated bytes.
    package let fromPodMarks: BacklogMarks
    /// Ciphertext of a tunnel that waits for the kernel, in bytes: above the high mark local connections are not read.
    package let toPodMarks: BacklogMarks

    /// - Returns: nil where the memory is too little for so many tunnels.
    package init?(tunnels: TunnelChoice.Bounds = .standard, memoryBytes: Int = memoryBytesStandard) {
        guard memoryBytes >= Self.memoryBytes(for: tunnels.most) else { return nil }
        let share = (memoryBytes - Self.baseBytes) / tunnels.most
        self.tunnels = tunnels
        self.memoryBytes = memoryBytes
        let toPod = min(1 << 20, (share - Self.overheadBytes) / 3)
        let fromPod = min(8 << 20, share - Self.overheadBytes - toPod)
        toPodMarks = BacklogMarks(lowBytes: toPod / 4, highBytes: toPod)
        fromPodMarks = BacklogMarks(lowBytes: fromPod / 2, highBytes: fromPod)
    }

    /// The least that ``init(tunnels:memoryBytes:)`` takes for so many tunnels.
    package static func memoryBytes(for tunnels: Int) -> Int { baseBytes + tunnels * shareBytesMin }

    /// 1 to 16 tunnels, 256 MiB.
    package static let standard: TunnelLimits = {
        guard let limits = TunnelLimits() else { preconditionFailure("the standard limits fit") }
        return limits
    }()
}

import FastForward

/// The receiving side of moby/spdystream (connection.go, `Serve`), as far as it can get stuck.
///
/// Five workers with a queue of 50 frames each; a stream's frames go to worker `id % 5`, PINGs are dealt in turn. A
/// pod that does not read takes one frame (its copy loop holds it), the worker holds the next in its hand, and the
/// rest of the worker's frames wait in the queue.
struct SpdystreamModel {
    static let queueMax = 50

    private enum Frame {
        case stream(UInt32, SeenSPDYFrame)
        case ping(UInt32)
    }

    private struct Worker {
        var queue: [Frame] = []
        var hand: Frame?
    }

    private var workers = [Worker](repeating: Worker(), count: 5)
    private var nextPingWorker = 0
    /// What the read loop has not read yet.
    private var unread: [SeenSPDYFrame] = []
    /// Streams whose pod holds a frame that it does not read.
    private var fullPods: Set<UInt32> = []
    /// Streams whose pod does not read.
    var stoppedPods: Set<UInt32> = []
    /// The PONGs sent.
    private(set) var pongs: [UInt32] = []
    /// Data frames that pods have taken, by stream.
    private(set) var taken: [UInt32: Int] = [:]
    private(set) var resets: Set<UInt32> = []
    private(set) var finished: Set<UInt32> = []
    private(set) var longestStuckQueue = 0

    var isIdle: Bool { unread.isEmpty && workers.allSatisfy { $0.queue.isEmpty && $0.hand == nil } }

    mutating func takePongs() -> [UInt32] {
        defer { pongs = [] }
        return pongs
    }

    mutating func receive(_ frames: [SeenSPDYFrame]) { unread += frames }

    /// Lets the read loop and each worker do up to `steps` things.
    ///
    /// - Returns: whether the read loop waits for a worker that a pod holds up: the tunnel is dead.
    mutating func run(steps: Int, using generator: inout SeededGenerator) -> Bool {
        for _ in 0..<steps {
            let workerIndex = Int.random(in: 0..<6, using: &generator)
            if workerIndex < 5 { work(workerIndex) }
            while let frame = unread.first {
                let (worker, item) = deal(frame)
                if workers[worker].queue.count >= Self.queueMax {
                    if isStuck(worker) { return true }
                    break
                }
                unread.removeFirst()
                if case .ping = item { nextPingWorker = (nextPingWorker + 1) % 5 }
                workers[worker].queue.append(item)
                if isStuck(worker) { longestStuckQueue = max(longestStuckQueue, workers[worker].queue.count) }
            }
        }
        return false
    }

    private func deal(_ frame: SeenSPDYFrame) -> (Int, Frame) {
        switch frame {
        case .data(let id, _, _), .control(.openedStream(let id, _, _, _, _)), .control(.reset(let id, _)):
            (Int(id % 5), .stream(id, frame))
        case .control(.ping(let id)): (nextPingWorker, .ping(id))
        case .control: preconditionFailure("a client of port-forwarding sends no such frame")
        }
    }

    private func isStuck(_ worker: Int) -> Bool {
        guard case .stream(let id, .data(_, let payload, _)) = workers[worker].hand, !payload.isEmpty else {
            return false
        }
        return stoppedPods.contains(id) && fullPods.contains(id)
    }

    private mutating func work(_ worker: Int) {
        fullPods.formIntersection(stoppedPods)
        if workers[worker].hand == nil, !workers[worker].queue.isEmpty {
            workers[worker].hand = workers[worker].queue.removeFirst()
        }
        guard let frame = workers[worker].hand, !isStuck(worker) else { return }
        workers[worker].hand = nil
        switch frame {
        case .ping(let id): pongs.append(id)
        case .stream(let id, .data(_, let payload, let isFinal)):
            if !payload.isEmpty {
                taken[id, default: 0] += 1
                if stoppedPods.contains(id) { fullPods.insert(id) }
            }
            if isFinal { finished.insert(id) }
        case .stream(let id, .control(.reset)): resets.insert(id)
        case .stream: break
        }
    }
}

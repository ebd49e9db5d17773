// Any answer to a watch gives lines and changes; the same however it is cut. Of every pod that is kept account of a path can
// be made.

import FastForward

func watchViolation(by bytes: [UInt8]) -> String? {
    differenceBetweenCuts(of: bytes, readWatch)
}

private func readWatch(_ pieces: [ArraySlice<UInt8>]) -> Trace {
    var trace = Trace()
    var heads = HTTPAnswerHeadReader()
    var body: HTTPBodyReader?
    var lines = WatchLines()
    var tracker = PodTracker()
    do {
        for piece in pieces {
            let bytes = piece.span.bytes
            var cursor = 0
            if body == nil {
                guard let head = try heads.next(bytes, from: &cursor) else { continue }
                body = try HTTPBodyReader(of: head, toMethod: "GET")
            }
            while let event = try body?.next(bytes, from: &cursor) {
                guard case .bytes(let range) = event else {
                    trace.note("end of body")
                    return trace
                }
                let part = bytes.extracting(range)
                var place = 0
                while let line = try lines.next(part, from: &place) {
                    precondition(!line.isEmpty && !line.contains(10), "a line that is none")
                    if let change = try? APIObjects.decode(PodSearch.Change.self, from: line) {
                        trace.note("\(change)")
                    }
                    guard let change = try? APIObjects.decode(PodTracker.Change.self, from: line) else {
                        continue
                    }
                    trace.note("\(change), \(String(describing: tracker.changed(change)))")
                }
                precondition(place == part.byteCount, "nil before everything was consumed")
            }
        }
    } catch {
        trace.note("error: \(error)")
    }
    for pod in tracker.objects { makePath(of: pod) }
    let servingCount = TargetPods(tracker, slices: nil, areNamedBySlices: false).serving.count
    trace.note("\(tracker.objects.map(\.name)), \(servingCount), \(tracker.watchEnded())")
    return trace
}

/// Traps where no path can be made of a pod's names.
func makePath(of pod: Pod) {
    guard let server = try? ServerURL("https://s") else { return }
    _ = APIPath.portForward(pod: pod.metadata.name, namespace: pod.metadata.namespace ?? "n", at: server)
}

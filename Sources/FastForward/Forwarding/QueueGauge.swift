/// Notices that more clients come at once than the kernel's queue of a listening socket holds.
///
/// Theory of operation. A client beyond the queue gets no answer, and its kernel asks again after a second, two, four:
/// nothing tells of that on this side but the queue that is full. One *episode* lasts until the queue is half empty; it
/// is told once.
struct QueueGauge: Equatable {
    private var isFull = false

    /// Takes note of the queue, of which one that has been accepted already may be missing.
    ///
    /// - Returns: whether an episode begins.
    mutating func look(length: Int, most: Int) -> Bool {
        guard most > 0, length >= most else {
            if length * 2 <= most { isFull = false }
            return false
        }
        defer { isFull = true }
        return !isFull
    }
}

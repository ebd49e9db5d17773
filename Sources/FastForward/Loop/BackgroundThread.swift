internal import CUV

/// A thread beside the one that everything else runs on.
///
/// For work that nobody waits for and that shares nothing with the loop.
package enum BackgroundThread {
    /// Runs `work` on a new thread, which ends with it; the end of the process does not wait.
    ///
    /// Where the system has no thread to give, nothing is run.
    package static func run(_ work: @Sendable @convention(c) () -> Void) { _ = ffwd_start_thread(work) }
}

import Testing

/// ffwd as its users have it: real processes and real sockets, one scenario at a time.
///
/// The suites are extensions of this one, so that its trait holds for all of them: the machines that run the checks
/// have two cores, and a scenario that measures wants them for itself.
@Suite(.serialized) enum Integration {}

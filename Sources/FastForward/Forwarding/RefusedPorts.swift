/// The ports of a pod that refused connections, and until when each is set aside for that.
///
/// A pod where nobody listens on one port may well serve on another, so each port has a pause of its own: 1 s first, twice
/// as long each time, up to 30 s. One that has kept quiet for as long again begins anew. There are no more entries than
/// ports that are forwarded.
struct RefusedPorts {
    private static let pauseShortest = TimeSpan.seconds(1)
    private static let pauseLongest = TimeSpan.seconds(30)

    private struct Pause {
        var span: TimeSpan
        var until: Instant
    }

    private var pauses: [UInt16: Pause] = [:]

    /// Whether connections to this port go elsewhere while they can.
    func isAside(_ port: UInt16, at now: Instant) -> Bool {
        pauses[port].map { now < $0.until } ?? false
    }

    /// Takes note of a refused connection.
    mutating func refused(_ port: UInt16, at now: Instant) {
        guard let last = pauses[port], now < last.until + Self.pauseLongest else {
            pauses[port] = Pause(span: Self.pauseShortest, until: now + Self.pauseShortest)
            return
        }
        // Those that were under way when it was set aside tell nothing new.
        guard last.until <= now else { return }
        let span = min(TimeSpan(nanoseconds: 2 * last.span.nanoseconds), Self.pauseLongest)
        pauses[port] = Pause(span: span, until: now + span)
    }
}

/// An upstream connection that carries clients: all that a local connection knows of its way to the pod.
package class Carrier: UpstreamConnection {
    /// Payload that clients have sent, and that came for them, in bytes.
    final var toPodBytes: UInt64 = 0
    final var fromPodBytes: UInt64 = 0

    /// Room for a frame's header in front of each read from a client, in bytes.
    var gapBytes: Int { 0 }

    /// Whether the end of a client ends the connection altogether, so that it must not be passed on early.
    var endsWithClient: Bool { false }

    /// Where a client's next bytes go; nil: it is parked until the carrier takes more.
    func readBox(for local: LocalConnection) -> BufferBox? { nil }
    /// Takes the `count` bytes that a client's read has put behind the gap in that box.
    func sendToPod(_ local: LocalConnection, _ count: Int) {}
    /// The client sends no more.
    func finishToPod(_ local: LocalConnection) {}
    /// The client is gone.
    func abandon(_ local: LocalConnection) {}
    /// A client's backlog has changed.
    func backlogChanged(_ local: LocalConnection, _ verdict: BacklogGate.Verdict?) {}
    /// A client leaves the carrier's account.
    func uncount(_ local: LocalConnection) {}
}

/// Seeds that find something where it is put back into the code, each with what it was: they are run each time.
///
/// Not here is what has an ordinary test instead, as no seed is known to find it: pauses that grow with each of several
/// tunnels that are lost together, for one.
enum FoundSeeds {
    static let all: [UInt64] = [
        readingNotResumed, clientsNotResumed, tunnelNotResumed, bytesOfAnother, endOfLostTunnel,
        tunnelTimerLeft, endOvertaken, resetTakenForEnd, slowLinkTakenForSilence, sentToSecondPod,
        successorKeptOut, wayForgotten, lastBytesGivenUp, addressNotTried, servedStayedOpen,
    ]

    /// Clients that waited for a worker of the server were not read again when it had answered.
    ///
    /// It finds a byte too that is dropped where the kernel takes a part of a write.
    private static let readingNotResumed: UInt64 = 8
    /// Clients that were not read while the server took nothing were not read again when it did.
    private static let clientsNotResumed: UInt64 = 40
    /// A tunnel that was not read for the sake of clients that do not read was not read again when they did.
    private static let tunnelNotResumed: UInt64 = 80
    /// What a TLS connection had not taken of the loop's receive buffer when it ended was taken for another one's.
    private static let bytesOfAnother: UInt64 = 32
    /// Clients of a lost tunnel saw a clean end.
    private static let endOfLostTunnel: UInt64 = 33
    /// A write that failed ended a tunnel in the middle of its turn, which then made it a new timer that nobody closed.
    private static let tunnelTimerLeft: UInt64 = 57
    /// A cancel overtook a client's last bytes, where the pod had ended its direction before.
    private static let endOvertaken: UInt64 = 104
    /// A reset that came right behind a client's bytes was passed on as an end.
    private static let resetTakenForEnd: UInt64 = 227
    /// PINGs that waited behind uploads on a slow link, and their answers behind downloads, counted as a worker's silence.
    private static let slowLinkTakenForSilence: UInt64 = 392
    /// With `--balance` what clients of a lost tunnel had sent was sent to another pod, though the first had got it.
    private static let sentToSecondPod: UInt64 = 267
    /// With little memory and `--balance` a pod that was lost kept its successor out for good.
    private static let successorKeptOut: UInt64 = 306
    /// The first tunnel to a new pod met an API server that failed for a moment: every way in was given up for good.
    private static let wayForgotten: UInt64 = 319
    /// A WebSocket of channels was closed ten seconds behind its client, though a slow link still had the last bytes.
    private static let lastBytesGivenUp: UInt64 = 224_256
    /// Where no descriptor was left, a name's address that answers was given up for one that does not.
    private static let addressNotTried: UInt64 = 26594
    /// A client that had closed behind its answer, whose pod had ended before it, stayed open when its tunnel was lost.
    private static let servedStayedOpen: UInt64 = 747
}

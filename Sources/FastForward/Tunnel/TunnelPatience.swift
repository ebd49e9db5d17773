/// How long a tunnel waits for its server.
extension TunnelCore {
    /// How long a tunnel is silent before it is asked whether it lives; kubectl's value.
    ///
    /// This also keeps a server that counts idle time (Kubernetes: four hours) and the boxes on the way from
    /// cutting it.
    package static let keepAlive = TimeSpan.seconds(10)
    /// How long a slot whose client is gone waits for the server's end of it.
    package static let discardGrace = TimeSpan.seconds(60)
    /// How long a connection waits for the server to begin it, where its worker is blocked by what one that is over left.
    package static let answerMax = TimeSpan.seconds(5)
    /// How often it is looked for such connections.
    static let stallLook = TimeSpan.seconds(1)
    /// How long a connection waits for the server to begin it where its worker is blocked by a live pod, and several for
    /// a worker that takes nothing: one of them is in the way, with a pod that does not read, and nobody can tell which.
    package static let blockedMax = TimeSpan.seconds(30)
}

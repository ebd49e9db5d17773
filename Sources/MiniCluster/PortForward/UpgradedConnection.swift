/// A connection that carries forwarded connections, in whichever way: what tests can ask of it.
protocol UpgradedConnection: SecureConnectionUser {
    var connection: SecureConnection { get }
    /// Two for each forwarded connection.
    var streamCount: Int { get }
    /// Tells the client to open no more streams, where there is a word for it.
    func goAway()
    /// Breaks the connection in the middle of a frame.
    ///
    /// - Parameter byReset: else by an end of TCP without close_notify.
    func cut(byReset: Bool)
    /// Obeys the switch that stalls tunnels.
    func applyStall()
    /// Answers the PINGs that were not to be answered yet, where there are any.
    func answerWithheldPings()
}

import FastForward

/// The streams of a tunnel: which pair each belongs to, and the pairs that are not complete.
final class PairTable {
    /// What is to be done with data for a stream.
    enum Disposition {
        /// The stream is gone, or takes no data.
        case drop
        case take(ForwardedPair)
        /// The stream's pod is not ready.
        case wait(ForwardedPair)
    }

    /// How long the second stream of a pair is waited for (Kubernetes waits as long).
    private static let secondStreamSpan = TimeSpan.seconds(30)

    weak var tunnel: Tunnel?
    private var streams: [UInt32: ForwardedPair] = [:]
    private var incomplete: [String: ForwardedPair] = [:]
    private(set) var lastOpenedID: UInt32 = 0

    var isEmpty: Bool { streams.isEmpty }
    var streamCount: Int { streams.count }

    /// The client has opened a stream.
    ///
    /// A stream whose headers make no sense is reset without a reply, as is one for port 0.
    func open(_ id: UInt32, headers: SPDYHeaders, isFinal: Bool) {
        guard let tunnel else { return }
        lastOpenedID = id
        guard let type = headers["streamtype"], type == "error" || type == "data",
            let port = headers["port"].flatMap({ UInt16($0) }), port > 0
        else { return tunnel.output.sendReset(id, SPDYResetStatus.cancel) }
        let request = headers["requestid"] ?? "port \(port)"
        let pair = incomplete[request] ?? ForwardedPair(tunnel: tunnel, port: port)
        guard type == "error" ? pair.errorID == nil : pair.dataID == nil else {
            return tunnel.output.sendReset(id, SPDYResetStatus.cancel)
        }
        incomplete[request] = pair
        streams[id] = pair
        if type == "error" { pair.errorID = id } else { pair.dataID = id }
        tunnel.output.sendReply(id)
        if isFinal, type == "data" { pair.receivedFinal() }
        guard pair.errorID != nil, pair.dataID != nil else {
            return pair.waitForSecondStream(Self.secondStreamSpan)
        }
        incomplete[request] = nil
        pair.connect()
    }

    func disposition(ofDataFor id: UInt32) -> Disposition {
        guard let pair = streams[id], pair.dataID == id, pair.wantsData else { return .drop }
        return pair.canTake ? .take(pair) : .wait(pair)
    }

    /// The client has reset a stream.
    func reset(_ id: UInt32) {
        guard let pair = streams.removeValue(forKey: id) else { return }
        pair.receivedReset(ofErrorStream: pair.errorID == id)
    }

    /// Forgets a pair that has ended.
    func remove(_ pair: ForwardedPair) {
        if let id = pair.errorID { streams[id] = nil }
        if let id = pair.dataID { streams[id] = nil }
        if !incomplete.isEmpty { incomplete = incomplete.filter { $0.value !== pair } }
        tunnel?.pairEnded()
    }

    /// The tunnel is gone.
    func closeAll() {
        let pairs = streams.values
        streams = [:]
        incomplete = [:]
        for pair in pairs { pair.tunnelClosed() }
    }
}

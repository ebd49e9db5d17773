import FastForward

/// How many seeds had each fault and each outcome, so that one sees that they happen.
final class Coverage {
    private var counts: [String: (seeds: Int, times: Int)] = [:]
    private var ofSeed: [String: Int] = [:]

    func count(_ name: String) { ofSeed[name, default: 0] += 1 }

    func endSeed() {
        for (name, times) in ofSeed {
            let old = counts[name] ?? (0, 0)
            counts[name] = (old.seeds + 1, old.times + times)
        }
        ofSeed = [:]
    }

    static func word(of error: UpstreamError) -> String {
        switch error {
        case .network: "network"
        case .refused: "refused"
        case .timedOut: "timed out"
        case .silent: "silent"
        case .ended: "ended"
        case .unanswered: "unanswered"
        case .closed: "closed"
        case .tunnel: "protocol"
        case .http, .handshake: "no HTTP"
        case .tls, .proxy, .credential, .answer: "other"
        }
    }

    var table: String {
        let width = (counts.keys.map(\.count).max() ?? 0) + 2
        return counts.sorted { $0.key < $1.key }.map { name, count in
            let pad = String(repeating: " ", count: width - name.count)
            return "  \(name)\(pad)\(count.seeds) seeds, \(count.times) times"
        }.joined(separator: "\n")
    }
}

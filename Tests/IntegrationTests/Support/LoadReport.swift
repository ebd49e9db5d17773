import Foundation

/// What the load client says of a run; `Tests/Peers/README.md` has the words.
struct LoadReport: Decodable, CustomStringConvertible {
    struct Details: Decodable {
        let status: Int?
        let size: Int?
        let held: Int?
    }

    let command: String
    let seed: UInt64
    let connections: Int
    private let endings: [String: Int]
    let unfinished: Int
    let bytesSent: Int
    let bytesReceived: Int
    let seconds: Double
    let errors: [String]
    let details: Details?

    /// How many connections ended in which way; what did not happen is not in it.
    var counts: [String: Int] {
        var counts = endings.filter { $0.value > 0 }
        if unfinished > 0 { counts["unfinished"] = unfinished }
        return counts
    }

    var description: String {
        "\(command) --connections \(connections) --seed \(seed): \(counts) in \(seconds) s; sent \(bytesSent), "
            + "received \(bytesReceived) bytes; \(errors.joined(separator: " | "))"
    }
}

/// A run of the load client.
struct LoadRun {
    let process: Subprocess
    let deadline: Deadline

    /// Waits for its end.
    func report() throws -> LoadReport {
        let exit = try process.waitForExit(until: deadline)
        guard exit == .status(0), let line = process.output.lines.last(where: { $0.hasPrefix("{") }) else {
            throw ScenarioError("the load client ended with \(exit)\n\(process.transcript)")
        }
        return try JSONDecoder().decode(LoadReport.self, from: Data(line.utf8))
    }
}

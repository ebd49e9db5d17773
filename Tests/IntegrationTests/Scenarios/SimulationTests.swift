import Foundation
import Testing

extension Integration {
    /// The whole forwarder on a simulated kernel (`Tests/Simulation`).
    @Suite struct Simulation {
        private static let program = Programs.directory.appendingPathComponent("simulate").path

        private func simulate(_ arguments: String...) throws -> [String] {
            let process = try Subprocess([Self.program] + arguments)
            defer { process.kill() }
            let exit = try process.waitForExit(until: Deadline(in: .seconds(300)))
            #expect(exit == .status(0), "\(process.transcript)")
            return process.output.text.split(separator: "\n").map(String.init)
        }

        @Test func `no seed finds anything`() throws {
            let lines = try simulate("--count", "\(Programs.scaled(200))")
            #expect(lines.last?.hasSuffix(" 0 failed") == true)
        }

        @Test(arguments: [2, 3, 5, 8, 13]) func `a seed is the same each time`(seed: Int) throws {
            let first = try simulate("--seed", "\(seed)", "--quiet")
            let second = try simulate("--seed", "\(seed)", "--quiet")
            #expect(first.last?.contains(" trace ") == true)
            #expect(first == second)
        }
    }
}

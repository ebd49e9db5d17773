import Foundation
import Testing

extension Integration {
    /// `make soak` in small: see `Tests/Soak`.
    @Suite struct `Faults one after another` {
        /// Seeds that are always run; whatever a longer run finds joins them.
        @Test(arguments: [1])
        func `a few seconds of them leave no lie, no leak and no closed port`(seed: Int) throws {
            try Scenario.run(within: .seconds(120)) { scenario in
                let soak = try Programs.peer("soak")
                let peers = String(soak.dropLast("/ffwd-soak".count))
                let run = try scenario.start([
                    soak, "--seconds", "4", "--seed", "\(seed)", "--only", "^(MiniCluster|Go)",
                    "--programs", Programs.directory.path, "--peers", peers, "--root", Programs.root.path,
                ])
                let exit = try run.waitForExit(until: scenario.deadline)
                #expect(exit == .status(0), "\(run.transcript)")
            }
        }
    }
}

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif
import SimulatedKernel

/// Runs seeds, prints what was wrong and how often everything happened.
@main struct Simulate {
    private static let usage = """
        usage: simulate [--seed N | --seeds FROM..TO | --count N] [--packets | --quiet]
          --seed N          one seed, with all that happens
          --seeds FROM..TO  these
          --count N         the first N, and the seeds that found something
          --packets         with what each call sends and gets
          --quiet           without what happens, for one seed

        """

    private struct Arguments {
        var seeds: [UInt64] = []
        var isVerbose = false
        var hasPackets = false
    }

    static func main() {
        beTheSameEachTime()
        guard let arguments = parse(Array(CommandLine.arguments.dropFirst())) else {
            print(usage, terminator: "")
            exit(2)
        }
        let coverage = Coverage()
        var events: UInt64 = 0
        let began = seconds()
        var failures = 0
        for seed in arguments.seeds {
            sim_begin(seed, arguments.isVerbose ? arguments.hasPackets ? 2 : 1 : 0)
            let violation = World(seed: seed, coverage: coverage, isVerbose: arguments.isVerbose).run()
            events += sim_event_count()
            let trace = sim_trace()
            if let violation {
                print("seed \(seed) \(violation)")
                print("  again: make simulate SEED=\(seed)")
                failures += 1
                // What is left of it may not run on.
                guard arguments.seeds.count > 1 else { exit(1) }
            }
            if arguments.seeds.count == 1 {
                print(
                    "seed \(seed): \(Double(sim_now()) / 1e6) s, \(sim_event_count()) events, trace \(hexadecimal(trace))"
                )
            }
            sim_end()
            coverage.endSeed()
        }
        let span = seconds() - began
        if arguments.seeds.count > 1 {
            print(coverage.table)
            let rate = Double(arguments.seeds.count) / max(span, 0.001)
            print(
                "\(arguments.seeds.count) seeds in \(Int(span)) s (\(Int(rate)) seeds/s, \(events) events), \(failures) failed"
            )
        }
        exit(failures == 0 ? 0 : 1)
    }

    private static func hexadecimal(_ number: UInt64) -> String { String(number, radix: 16) }

    private static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Hash tables in the same order in each run.
    private static func beTheSameEachTime() {
        guard getenv("SWIFT_DETERMINISTIC_HASHING") == nil else { return }
        setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv("/proc/self/exe", &arguments)
        print("simulate: cannot run itself again")
        exit(2)
    }

    private static func parse(_ words: [String]) -> Arguments? {
        var arguments = Arguments()
        var isQuiet = false
        var rest = words[...]
        while let word = rest.popFirst() {
            switch word {
            case "--seed":
                guard let seed = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
                arguments.seeds = [seed]
                arguments.isVerbose = true
            case "--seeds":
                let ends = (rest.popFirst() ?? "").split(separator: ".").compactMap { UInt64($0) }
                guard ends.count == 2, ends[0] <= ends[1] else { return nil }
                arguments.seeds = Array(ends[0]...ends[1])
            case "--count":
                guard let count = rest.popFirst().flatMap({ UInt64($0) }), count > 0 else { return nil }
                arguments.seeds = FoundSeeds.all + Array(1...count)
            case "--packets": arguments.hasPackets = true
            case "--quiet": isQuiet = true
            default: return nil
            }
        }
        if isQuiet { arguments.isVerbose = false }
        return arguments.seeds.isEmpty ? nil : arguments
    }
}

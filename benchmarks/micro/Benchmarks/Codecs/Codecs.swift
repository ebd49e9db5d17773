import Benchmark
import CodecLoads

/// Times each load that `benchmarks/instructions` counts, for one of its frames.
///
/// Instructions and allocations are left out: where the kernel has no hardware counters the library's read nothing.
let benchmarks: @Sendable () -> Void = {
    /// How often a load goes over its frames in one sample: some microseconds, which the clock can tell.
    let runsPerSample = 20
    // Metrics are whole numbers, and a frame takes from ten nanoseconds on.
    let timePerFrame = BenchmarkMetric.custom("Picoseconds for a frame", polarity: .prefersSmaller)

    for load in CodecLoad.allCases {
        Benchmark(
            load.rawValue,
            configuration: .init(metrics: [timePerFrame], maxDuration: .milliseconds(500))
        ) { benchmark in
            let prepared = load.prepared()
            for _ in 0..<3 { blackHole(prepared.run()) }
            var frames = 0
            let clock = ContinuousClock()
            let took = clock.measure {
                for _ in 0..<runsPerSample { frames += prepared.run() }
            }
            let picoseconds = took / .nanoseconds(1) * 1000
            benchmark.measurement(timePerFrame, Int(picoseconds / Double(frames)))
        }
    }
}

// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that a build of FastForward does not fetch the benchmark library. The root package offers
// CodecLoads only where FFWD_BENCHMARKS is set: `make bench-micro`.
let package = Package(
    name: "MicroBenchmarks",
    dependencies: [
        .package(name: "FastForward", path: "../.."),
        // No traits: its counters of allocations and of the runtime put themselves before what is timed.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Codecs",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "CodecLoads", package: "FastForward"),
            ],
            path: "Benchmarks/Codecs",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        )
    ]
)

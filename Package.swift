// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is compiled with: a warning is an error, memory safety is checked, and a
/// file names the modules that it uses.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableExperimentalFeature("Lifetimes"),
]
let strictAndSafe = strict + [.strictMemorySafety()]

let package = Package(
    name: "FastForward",
    products: [
        .library(name: "FastForward", targets: ["FastForward"]),
        .executable(name: "ffwd", targets: ["ffwd"]),
        .executable(name: "minicluster", targets: ["minicluster"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .systemLibrary(name: "CUV"),
        .target(
            name: "FastForward",
            dependencies: ["CUV"],
            swiftSettings: strictAndSafe
        ),
        .executableTarget(
            name: "ffwd",
            dependencies: [
                "FastForward",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strictAndSafe
        ),
        .target(name: "MiniCluster", dependencies: ["FastForward"], swiftSettings: strictAndSafe),
        .executableTarget(
            name: "minicluster",
            dependencies: [
                "MiniCluster", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strictAndSafe
        ),
        .target(
            name: "FuzzedDecoders",
            dependencies: ["FastForward"],
            path: "Tests/Fuzzing/Decoders",
            swiftSettings: strict
        ),
        .target(name: "SimulatedKernel", path: "Tests/Simulation/Kernel"),
        .executableTarget(
            name: "simulate",
            dependencies: ["FastForward", "MiniCluster", "SimulatedKernel"],
            path: "Tests/Simulation/Driver",
            swiftSettings: strict
        ),
        .target(
            name: "CodecLoads",
            dependencies: ["FastForward"],
            path: "benchmarks/codecs/Loads",
            swiftSettings: strict
        ),
        .testTarget(
            name: "FastForwardTests",
            dependencies: ["FastForward", "FuzzedDecoders", "CodecLoads"],
            resources: [.copy("Vectors")],
            swiftSettings: strict
        ),
        .testTarget(
            name: "CommandTests",
            dependencies: ["ffwd", "FastForward", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strict
        ),
        .testTarget(name: "IntegrationTests", dependencies: ["FastForward"], swiftSettings: strict),
    ]
)

// The fuzzer links with libFuzzer's run time only (scripts/fuzz): no part of an ordinary build.
if Context.environment["FFWD_FUZZING"] != nil {
    package.targets.append(
        .executableTarget(
            name: "FuzzDriver",
            dependencies: ["FuzzedDecoders"],
            path: "Tests/Fuzzing/Driver",
            swiftSettings: strict
        )
    )
}

// What counts and times the codecs (benchmarks/): no part of an ordinary build either.
if Context.environment["FFWD_BENCHMARKS"] != nil {
    package.products.append(.library(name: "CodecLoads", targets: ["CodecLoads"]))
    package.targets.append(
        .executableTarget(
            name: "CountedCodecs",
            dependencies: ["CodecLoads"],
            path: "benchmarks/codecs/Counted",
            swiftSettings: strict
        )
    )
}

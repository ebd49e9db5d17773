/// The walls between the folders: what each may import, and which it may name.
///
///                          ffwd
///                           │
///       Forwarding ─────────┴────────── performs actions, owns connections
///        │        │         │
///       Loop     TLS      Tunnel     Kubernetes        decisions: pure state, text → values
///        │        │         │            │
///        │        │    HTTP  WebSocket  SPDY  Proxy    bytes ↔ frames
///        └────────┴───── Buffers ───────┘
enum Walls {
    /// A folder below `Sources/`.
    struct Folder {
        var imports: Set<String> = []
        /// Modules that a single file of the folder may import besides.
        var importsOfFile: [String: Set<String>] = [:]
        /// The folders of the same module that it may name.
        var below: Set<String> = []
    }

    private static let platform: Set<String> = ["Glibc", "Musl"]
    private static let frames: Set<String> = ["Buffers", "Time", "HTTP", "WebSocket", "SPDY"]

    static let folders: [String: Folder] = [
        "FastForward": Folder(),
        "FastForward/Time": Folder(),
        "FastForward/Buffers": Folder(imports: platform),
        "FastForward/HTTP": Folder(below: ["Buffers", "Time"]),
        "FastForward/Proxy": Folder(below: ["Buffers", "Time", "HTTP"]),
        // The handshake is an HTTP upgrade.
        "FastForward/WebSocket": Folder(below: ["Buffers", "Time", "HTTP"]),
        "FastForward/SPDY": Folder(
            importsOfFile: ["HeaderCompression.swift": ["CZlib"]],
            below: ["Buffers", "Time"]
        ),
        "FastForward/Tunnel": Folder(below: frames),
        "FastForward/Kubernetes": Folder(
            imports: platform.union(["FoundationEssentials"]),
            importsOfFile: ["YAMLDocument.swift": ["CYAML"]],
            below: ["Buffers", "Time", "HTTP", "Proxy"]
        ),
        "FastForward/Loop": Folder(imports: ["CUV"], below: ["Buffers", "Time"]),
        "FastForward/TLS": Folder(imports: ["COpenSSL"], below: ["Buffers", "Time"]),
        "FastForward/Forwarding": Folder(
            imports: platform.union(["Logging"]),
            below: frames.union(["Tunnel", "Kubernetes", "Loop", "TLS", "Proxy"])
        ),
        "ffwd": Folder(
            imports: platform.union(["FastForward", "ArgumentParser", "Logging", "FoundationEssentials"])
        ),
        "MiniCluster": Folder(imports: platform.union(["FastForward", "FoundationEssentials"])),
        "minicluster": Folder(
            imports: platform.union(["FastForward", "MiniCluster", "ArgumentParser", "FoundationEssentials"])
        ),
    ]

    /// Where the language's checks are given up, so that they hold everywhere else.
    ///
    /// A path that ends with a slash is a folder.
    static let mayBeUnsafe = [
        "Sources/FastForward/Buffers/", "Sources/FastForward/Loop/", "Sources/FastForward/TLS/",
        "Sources/FastForward/SPDY/HeaderCompression.swift",
        "Sources/FastForward/Kubernetes/YAMLDocument.swift",
    ]

    /// The files that tie a C callback to an object, or a block of memory to its pool.
    static let mayBeUnmanaged = [
        "Sources/FastForward/Loop/Callbacks.swift", "Sources/FastForward/TLS/BIOCallbacks.swift",
        "Sources/FastForward/Buffers/BufferPool.swift",
    ]

    /// The one place that may wait for a time: it asks foreign programs for what no event tells.
    static let maySleep = ["Tests/IntegrationTests/Support/Scenario.swift"]

    static let linesMax = 600
}

import ArgumentParser

/// A small Kubernetes cluster in one program, for trying FastForward and for its tests and benchmarks.
struct MiniClusterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "minicluster",
        abstract: "A small Kubernetes cluster on loopback: an API server and pods.",
        subcommands: [ServeCommand.self, PodCommand.self],
        defaultSubcommand: ServeCommand.self
    )
}

MiniClusterCommand.main()

import ArgumentParser
import FastForward

/// The arguments of `ffwd`.
struct PortForwardCommand: ParsableCommand {
    static var configuration: CommandConfiguration {
        let command = Invocation.current.command
        return CommandConfiguration(
            commandName: command,
            abstract: "Forward local ports to a pod, as kubectl port-forward does, with less of everything.",
            usage: "\(command) [options] TYPE/NAME [LOCAL_PORT:]REMOTE_PORT ...",
            discussion: """
                Examples:
                  \(command) pod/web-0 8080:80      local port 8080 to port 80 of the pod web-0
                  \(command) svc/web 8080:http      a pod of a service, a port by its name
                  \(command) deploy/web 5000 6000   a pod of a deployment, the same ports on both sides
                  \(command) web-0 :80              a free local port, which is printed
                  \(command) --address 0.0.0.0 web-0 80
                      listen on every address, not only on loopback
                """,
            version: Product.version
        )
    }

    @OptionGroup(title: "Cluster options")
    var cluster: ClusterOptions

    @Option(
        parsing: .unconditionalSingleValue,
        help: "Addresses to listen on (comma separated, may be repeated): IP addresses or localhost."
    )
    var address: [String] = ["localhost"]

    @Option(
        parsing: .unconditional,
        help: "The way into the API server: auto, websocket (Kubernetes 1.30 or newer), spdy or channels."
    )
    var transport: Transport = .auto

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "What happens to the end of a client that still waits for its answer: auto, pass or hold.",
            discussion:
                "containerd cuts the answer a second after an end is passed on: there auto holds it until the client closes."
        )
    )
    var halfClose: Forwarder.HalfClose = .auto

    @Option(
        parsing: .unconditional,
        help: "For how many seconds the end of a client on another host is held."
    )
    var halfCloseTimeout = "30"

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How many tunnels to the pod there are: as few, and as many under load.",
            discussion: "A client that does not read holds up those that share its tunnel.",
            valueName: "MIN..MAX"
        )
    )
    var tunnels: TunnelCount = TunnelCount(bounds: .standard)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "What may wait in memory for clients and networks that are slow, all in all.",
            valueName: "SIZE"
        )
    )
    var memoryLimit = MemorySize(bytes: TunnelLimits.memoryBytesStandard)

    @Option(
        parsing: .unconditional,
        help: "How many connections may be open at once; others wait. (default: what the system allows)"
    )
    var maxConnections: UInt32?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Spread the connections of a service or workload over all its pods: least, round-robin or random.",
            discussion:
                "Without it they go to one pod, as kubectl's do, and to the next one when that is lost."
        )
    )
    var balance: PodBalance?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long clients wait while there is no tunnel (like 5s or 2m).",
            discussion: "More than 4096 wait in the kernel's queue first."
        )
    )
    var hold = "30s"

    @Flag(
        name: .customLong("no-reconnect"),
        help:
            "End when the connection to the pod, the last of several tunnels, is lost, or the pod has gone, as kubectl does."
    )
    var endsWhenLost = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long live connections may go on after the first SIGINT or SIGTERM.",
            discussion: "Nobody is accepted meanwhile; a second signal ends it at once."
        )
    )
    var drain = "0s"

    @Flag(help: "Tell at the end what was done (SIGUSR1 tells it at any time).")
    var summary = false

    @Option(
        parsing: .unconditional,
        help: "How long to wait for a pod to appear (like 5s, 2m or 3h, higher than zero)."
    )
    var podRunningTimeout = "1m0s"

    @Option(
        name: [.customShort("v", allowingJoined: true), .customLong("v")],
        parsing: .unconditional,
        help: ArgumentHelp(
            "How much to tell on standard error.",
            discussion:
                "1: notes; 2: the pod, tunnels; 4: requests to the API server; 6: each connection, with its bytes.",
            valueName: "number"
        )
    )
    var verbosity = Verbosity(0)

    @Flag(name: .shortAndLong, help: "Leave the lines \"Handling connection\" unsaid.")
    var quiet = false

    @OptionGroup(visibility: .hidden)
    var ignored: IgnoredOptions

    @Argument(
        help: ArgumentHelp(
            "The pod, service or workload, and its ports.",
            valueName: "TYPE/NAME [LOCAL:]REMOTE"
        )
    )
    var arguments: [String] = []

    /// What the user asks for, checked as far as it can be without a server.
    func request(environment: [String: String], currentDirectory: String) throws -> Forwarder.Request {
        try ignored.check()
        guard let bounds = tunnels.bounds else { throw UsageError.noTunnelCount(tunnels) }
        guard let memoryBytes = memoryLimit.bytes else { throw UsageError.noMemorySize(memoryLimit) }
        guard arguments.count >= 2 else { throw UsageError.tooFewArguments }
        let runningTimeout: TimeSpan
        do throws(PodRunningTimeoutError) {
            runningTimeout = try TimeoutFlag.podRunning(podRunningTimeout)
        } catch {
            throw UsageError.podRunningTimeout(error)
        }
        let target = try TargetArgument(arguments[0])
        guard balance == nil || target.kind != .pod else { throw UsageError.balancedPod(target.name) }
        let ports = try arguments.dropFirst().map { text throws(PortArgumentError) in try PortArgument(text) }
        var loader = KubeconfigLoader(
            explicitFile: cluster.kubeconfig,
            environment: environment,
            currentDirectory: currentDirectory
        )
        loader.explicitKuberc = cluster.kuberc
        let access = try ClusterAccess(loading: loader, flags: cluster.flags)
        guard maxConnections != 0 else { throw UsageError.noConnections }
        guard let limits = TunnelLimits(tunnels: bounds, memoryBytes: memoryBytes) else {
            throw UsageError.memoryLimit(memoryLimit, tunnels: bounds.most)
        }
        let addresses = try listenAddresses()
        var request = Forwarder.Request(
            access: access,
            target: target,
            ports: ports,
            addresses: addresses,
            ways: transport.ways(environment: environment)
        )
        request.podRunningTimeout = runningTimeout
        request.limits = limits
        request.hold = try Self.span(hold, of: "--hold")
        request.reconnects = !endsWhenLost
        request.balance = balance
        // The environment is as it was; the files may have changed.
        let (again, flags) = (loader.again, cluster.flags)
        request.reloadedAccess = { try? ClusterAccess(loading: again, flags: flags) }
        request.connectionsMax = maxConnections.map { Int($0) }
        request.halfClose = halfClose
        request.detail = verbosity.detail
        request.halfCloseTimeout = try Self.span(halfCloseTimeout, of: "--half-close-timeout")
        return request
    }
}

extension PortForwardCommand {
    /// What the session has to know.
    func sessionOptions() throws -> ForwardSession.Options {
        ForwardSession.Options(drain: try Self.span(drain, of: "--drain"), summarizes: summary)
    }

    /// What the values of `--address` list together; the first of them replaces the default.
    private func listenAddresses() throws(UsageError) -> [String] {
        var addresses: [String] = []
        for text in address {
            do throws(CommaSeparatedValues.Problem) {
                addresses += try CommaSeparatedValues.fields(of: text)
            } catch {
                throw .flag(.badValue(text, flag: "--address", problem: "\(error)"))
            }
        }
        guard !addresses.isEmpty else { throw .noAddress }
        // Go's net.ParseIP, by which kubectl reads them, has no zones.
        if let zoned = addresses.first(where: { $0.contains("%") }) { throw .badAddress(zoned) }
        return addresses
    }

    private static func span(_ text: String, of option: String) throws -> TimeSpan {
        guard let span = TimeoutFlag.span(text) else { throw UsageError.noDuration(option: option, text) }
        return span
    }
}

/// A value that is one of a few words.
///
/// Says itself what ArgumentParser would find out by key paths, which take a while to make at each start.
protocol WordArgument: ExpressibleByArgument, CaseIterable, RawRepresentable where RawValue == String {}

extension WordArgument {
    static var allValueStrings: [String] { allCases.map { $0.rawValue } }
    static var allValueDescriptions: [String: String] { [:] }
    var defaultValueDescription: String { rawValue }
}

extension Forwarder.HalfClose: WordArgument {}
extension PodBalance: WordArgument {}

/// Which ways into the API server are tried.
enum Transport: String, WordArgument {
    case auto, websocket, spdy, channels

    /// The ways in their order; `KUBECTL_PORT_FORWARD_WEBSOCKETS=false` is kubectl's switch for the first.
    func ways(environment: [String: String]) -> [TunnelWay] {
        switch self {
        case .auto where environment["KUBECTL_PORT_FORWARD_WEBSOCKETS"] == "false": [.spdy, .channels]
        case .auto: TunnelWay.allCases
        case .websocket: [.webSocket]
        case .spdy: [.spdy]
        case .channels: [.channels]
        }
    }
}

/// What is wrong with the command as a whole, in kubectl's words.
enum UsageError: Error, CustomStringConvertible {
    case tooFewArguments
    case podRunningTimeout(PodRunningTimeoutError)
    case noTunnelCount(TunnelCount)
    case noMemorySize(MemorySize)
    /// It is too little for so many tunnels.
    case memoryLimit(MemorySize, tunnels: Int)
    case noConnections
    case balancedPod(String)
    case noDuration(option: String, String)
    case noAddress
    case badAddress(String)
    case flag(FlagError)
    case unknownProfile(String)

    var description: String {
        switch self {
        case .tooFewArguments:
            "error: TYPE/NAME and list of ports are required for port-forward\n"
                + "See '\(Invocation.current.command) --help' for help and examples"
        case .unknownProfile(let name): "error: unknown profile '\(name.escapedForTerminal())'"
        case .noConnections: "error: --max-connections must be higher than zero"
        case .balancedPod(let name):
            "error: --balance needs a service or a workload, and pod/\(name.escapedForTerminal()) is one pod"
        case .noDuration(let option, let text):
            text.hasPrefix("-")
                ? "error: \(option) \"\(text.escapedForTerminal())\" must not be negative"
                : "error: \(option) \"\(text.escapedForTerminal())\" is no duration (like 500ms, 30s or 2m)"
        case .noAddress: "error: you must specify at least 1 address"
        case .badAddress(let text): "error: \(text.escapedForTerminal()) is not a valid IP"
        case .flag(let error):
            // What kubectl's flag parser refuses begins with a capital.
            "Error: \(error)\nSee '\(Invocation.current.command) --help' for help and examples"
        case .noTunnelCount(let count):
            "error: --tunnels \"\(count.description.escapedForTerminal())\" is no number of tunnels: give "
                + "1 to \(TunnelChoice.Bounds.mostMax), or the least and the most (like 2..16)"
        case .noMemorySize(let size):
            "error: --memory-limit \"\(size.description.escapedForTerminal())\" is no size: give bytes, KiB, MiB or GiB "
                + "(like 512MiB or 2GiB)"
        case .memoryLimit(let size, let most):
            "error: --memory-limit \(size.description.escapedForTerminal()) is too little for "
                + "\(most.counting("tunnel")): give at least "
                + "\(MemorySize(bytes: TunnelLimits.memoryBytes(for: most)))"
                + (most > 1 ? ", or fewer --tunnels" : "")
        case .podRunningTimeout(let error):
            // What kubectl's flag parser refuses begins with a capital.
            (error == .notPositive ? "error" : "Error")
                + ": \(error)\nSee '\(Invocation.current.command) --help' for help and examples"
        }
    }
}

extension PortForwardCommand {
    /// Parses as pflag does where ArgumentParser differs: a flag may be given a truth value (`--flag=false`), and what
    /// is wrong with the options is told in pflag's words.
    static func parse(_ arguments: [String]?) throws -> Self {
        let arguments = arguments ?? Array(CommandLine.arguments.dropFirst())
        let hasValue = arguments.contains { $0.hasPrefix("-") && $0.contains("=") }
        // The table takes a while to make, and most command lines need none of it.
        let words = hasValue ? try FlagWords(arguments, table: .ofCommand()).words : arguments
        do {
            return try parsed(Self.self, words)
        } catch  where !hasValue && !exitCode(for: error).isSuccess {
            _ = try FlagWords(arguments, table: .ofCommand())
            throw error
        }
    }

    /// ArgumentParser's own `parse`, which the one above hides.
    private static func parsed<Command: ParsableCommand>(
        _ command: Command.Type,
        _ arguments: [String]
    ) throws -> Command {
        try command.parse(arguments)
    }
}

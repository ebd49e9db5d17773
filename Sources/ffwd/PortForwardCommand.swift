import ArgumentParser
import FastForward

/// The arguments of `ffwd`.
struct PortForwardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ffwd",
        abstract: "Forward local ports to a pod, as kubectl port-forward does, with less of everything.",
        usage: "ffwd [options] pod/NAME [LOCAL_PORT:]REMOTE_PORT ...",
        discussion: """
            Examples:
              ffwd pod/web-0 8080:80          local port 8080 to port 80 of pod web-0
              ffwd web-0 5000 6000            the same ports on both sides
              ffwd web-0 :80                  a free local port, which is printed
              ffwd --address 0.0.0.0 web-0 80 listen on every address, not only on loopback
            """,
        version: Product.version
    )

    @Option(help: "The kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config.")
    var kubeconfig: String?

    @Option(help: "The kubeconfig context to use.")
    var context: String?

    @Option(name: [.customShort("n"), .long], help: "The namespace of the pod.")
    var namespace: String?

    @Option(help: "Addresses to listen on (comma separated, may be repeated): IP addresses or localhost.")
    var address: [String] = ["localhost"]

    @Option(
        help: "The way into the API server: auto, websocket (Kubernetes 1.30 or newer), spdy or channels."
    )
    var transport: Transport = .auto

    @Option(
        help: ArgumentHelp(
            "What happens to the end of a client that still waits for its answer: auto, pass or hold.",
            discussion:
                "containerd cuts the answer a second after an end is passed on: there auto holds it until the client closes."
        )
    )
    var halfClose: Forwarder.HalfClose = .auto

    @Option(help: "For how many seconds the end of a client on another host is held.")
    var halfCloseTimeout: UInt32 = 30

    @Argument(help: ArgumentHelp("The pod and its ports.", valueName: "pod/NAME [LOCAL:]REMOTE"))
    var arguments: [String] = []

    /// What the user asks for, checked as far as it can be without a server.
    func request(environment: [String: String], currentDirectory: String) throws -> Forwarder.Request {
        guard arguments.count >= 2 else { throw UsageError() }
        let target = try TargetArgument(arguments[0])
        let ports = try arguments.dropFirst().map { text throws(PortArgumentError) in try PortArgument(text) }
        let loader = KubeconfigLoader(
            explicitFile: kubeconfig,
            environment: environment,
            currentDirectory: currentDirectory
        )
        let access = try ClusterAccess(
            loading: loader,
            flags: ClusterFlags(context: context, namespace: namespace)
        )
        let addresses = address.flatMap { $0.split(separator: ",").map(String.init) }
        var request = Forwarder.Request(
            access: access,
            pod: try target.podName(),
            ports: ports,
            addresses: addresses.isEmpty ? ["localhost"] : addresses,
            ways: transport.ways(environment: environment)
        )
        request.halfClose = halfClose
        request.halfCloseTimeout = .seconds(UInt64(halfCloseTimeout))
        return request
    }
}

extension Forwarder.HalfClose: ExpressibleByArgument {}

/// Which ways into the API server are tried.
enum Transport: String, ExpressibleByArgument, CaseIterable {
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

/// Too few arguments, in kubectl's words.
struct UsageError: Error, CustomStringConvertible {
    var description: String {
        "error: TYPE/NAME and list of ports are required for port-forward\n"
            + "See 'ffwd --help' for help and examples"
    }
}

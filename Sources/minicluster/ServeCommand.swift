import ArgumentParser
import FastForward
import Glibc
import MiniCluster

/// The API server, with its pods as child processes.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "The API server and its pods; ends on SIGTERM and SIGINT.",
        discussion: """
            Writes DIR/kubeconfig (client certificate), DIR/kubeconfig-token (bearer token), -tokenfile (the same token \
            in DIR/token) and -plugin (a credential plugin: cat DIR/credential.json); for tests of refusal also \
            DIR/kubeconfig-token-create and -get (only that verb on pods/portforward), -none (neither), -blind (may not \
            even read) and -forgotten (unknown token). Prints `ready https://127.0.0.1:PORT`, and with --admin \
            `admin http://127.0.0.1:PORT`.

            Of itself the cluster has the pods named, the pod `pending`, and a service and a deployment `demo`. With \
            --examples it has one example of everything that a forward can be aimed at: deploy/web, rs/web-5d8, sts/db, \
            ds/agent, rc/legacy, job/run, job/done, deploy/nobody (no pods), svc/web, plain, headless, dns (UDP), \
            external (no selector), nobody, the namespace `other`, and some objects that lead to no pod.

            Admin: GET /stats; POST /cut?how=rst|fin&tunnel=all|one, /goaway, /drop-pings?on=1, /stall?on=1, \
            /answer?status=normal|401|500|garbage|hang, /frames?bytes=N, /create?pod=NAME&labels=app=web, \
            /delete?pod=NAME&grace=MILLISECONDS&serving=0, /ready?pod=NAME&on=0, /phase?pod=NAME&phase=Running, \
            /rotate?seconds=N (new tokens; the old ones get 401, the new ones after N seconds).
            """
    )

    @Option(help: "Where the kubeconfigs go.") var dir: String
    @Option(help: "The API server's port; 0 draws a free one.") var port: UInt16 = 0
    @Option(help: "How connections end: ideal, containerd-1.6 or streaming-1.32.")
    var runtime = RuntimeDialect.ideal
    @Option(help: "A pod's name; can be repeated.") var pod = ["demo"]
    @Flag(help: "Have one example of everything that a forward can be aimed at.") var examples = false
    @Option(help: "Where the API server listens: 127.0.0.1 or ::1.") var address = "127.0.0.1"
    @Option(help: "What stands before /api in every path, such as /k8s/clusters/c-1.") var basePath = ""
    @Option(help: "The ways in, comma separated: websocket, spdy, channels.")
    var ways = "websocket,spdy,channels"
    @Option(help: "How many objects a page of a list has at most.") var pageMax: Int?
    @Option(help: "TLS 1.3 ciphers, in OpenSSL's names.") var cipherSuites: String?
    @Option(help: "The only host name in the server's certificate, for tests.") var serverName: String?
    @Flag(help: "Show a certificate that has expired, for tests.") var expired = false
    @Flag(help: "Let the death of a pod's process reset its connections, not end them.")
    var podsResetWhenKilled = false
    @Flag(help: "Offer failures on demand and counts on a second port.") var admin = false

    func run() throws {
        ProcessLimits.raiseOpenFiles()
        let loop = try EventLoop()
        var options = ClusterOptions(directory: dir)
        options.port = port
        options.runtime = runtime
        options.podNames = pod
        options.hasExamples = examples
        options.address = address
        options.basePath = try checkedBasePath()
        options.ways = try checkedWays()
        if let pageMax, pageMax < 1 { throw ValidationError("--page-max is at least 1, and not \(pageMax)") }
        options.pageMax = pageMax
        options.cipherSuites = cipherSuites
        if let serverName { options.certificate = .named(serverName) }
        if expired { options.certificate = .expired }
        options.hasAdmin = admin
        options.podsResetWhenKilled = podsResetWhenKilled
        let outcome = Outcome()
        options.report = { text in
            guard outcome.isReady else { return outcome.failure = Failure(description: text) }
            print("problem: \(text)")
            fflush(nil)
        }
        let cluster = try Cluster(loop: loop, options: options) { url, adminURL in
            print("ready \(url)")
            if let adminURL { print("admin \(adminURL)") }
            fflush(nil)
            outcome.isReady = true
        }
        let signals = try [SIGTERM, SIGINT].map { number in
            try SignalWatcher(loop: loop, signal: number) {
                cluster.stop()
                loop.stop()
            }
        }
        withExtendedLifetime((cluster, signals)) { loop.run() }
        if let failure = outcome.failure { throw failure }
    }

    private func checkedBasePath() throws -> String {
        guard basePath.isEmpty || (basePath.hasPrefix("/") && !basePath.hasSuffix("/")) else {
            throw ValidationError("--base-path: begins with a slash and ends without one")
        }
        return basePath
    }

    private func checkedWays() throws -> Set<APIServerWay> {
        Set(
            try ways.split(separator: ",").map { name in
                guard let way = APIServerWay(rawValue: String(name)) else {
                    throw ValidationError("--ways: \(name) is none of websocket, spdy, channels")
                }
                return way
            }
        )
    }

    /// Why there was no cluster.
    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private final class Outcome {
        var isReady = false
        var failure: Failure?
    }
}

extension RuntimeDialect: ExpressibleByArgument {}

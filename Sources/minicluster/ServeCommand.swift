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
            Writes DIR/kubeconfig (client certificate) and DIR/kubeconfig-token (bearer token); for tests of refusal also \
            DIR/kubeconfig-token-create (may only create), -none (no right) and -forgotten (unknown token). Prints \
            `ready https://127.0.0.1:PORT`, and with --admin `admin http://127.0.0.1:PORT`.
            """
    )

    @Option(help: "Where the kubeconfigs go.") var dir: String
    @Option(help: "The API server's port; 0 draws a free one.") var port: UInt16 = 0
    @Option(help: "How connections end: ideal, containerd-1.6 or streaming-1.32.")
    var runtime = RuntimeDialect.ideal
    @Option(help: "A pod's name; can be repeated.") var pod = ["demo"]
    @Option(help: "TLS 1.3 ciphers, in OpenSSL's names.") var cipherSuites: String?
    @Option(help: "The only host name in the server's certificate, for tests.") var serverName: String?
    @Flag(help: "Show a certificate that has expired, for tests.") var expired = false
    @Flag(help: "Offer failures on demand and counts on a second port.") var admin = false

    func run() throws {
        ProcessLimits.raiseOpenFiles()
        let loop = try EventLoop()
        var options = ClusterOptions(directory: dir)
        options.port = port
        options.runtime = runtime
        options.podNames = pod
        options.cipherSuites = cipherSuites
        if let serverName { options.certificate = .named(serverName) }
        if expired { options.certificate = .expired }
        options.hasAdmin = admin
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

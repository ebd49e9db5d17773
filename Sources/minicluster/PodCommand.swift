import ArgumentParser
import FastForward
import Glibc
import MiniCluster

/// The process of one pod.
struct PodCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pod",
        abstract: "The process of a pod; ends when its standard input ends.",
        discussion: """
            Listens on one address: 7000 echo, 7001 source, 7002 sink, 7003 counted sink, 7004 echo at the end, \
            7005 reset, 7006 half closed, 7007 never reads, 7008 waits, 7009 greets and echoes, 7010 source from a \
            place, 8080 HTTP. Prints \
            `ready ADDRESS` when it listens. Exits with 98 where the address is in use.
            """
    )

    @Option(help: "The address to listen on, such as 127.1.2.3.") var address: String
    @Option(help: "The line that port 7009 sends first.") var greeting = "hello from demo"
    @Flag(help: "Let connections be reset by the process's death, not ended.") var resetWhenKilled = false
    @Option(help: ArgumentHelp("Where the parent process listens, as IP:PORT.", visibility: .hidden))
    var leash: String?

    func run() throws {
        ProcessLimits.raiseOpenFiles()
        let loop = try EventLoop()
        let server: PodServer
        do throws(LoopError) {
            server = try PodServer(
                loop: loop,
                address: address,
                greeting: greeting,
                resetsWhenKilled: resetWhenKilled
            )
        } catch {
            guard error.code == LoopError.addressInUse else { throw error }
            throw ExitCode(98)
        }
        let signals = try [SIGTERM, SIGINT].map { number in
            try SignalWatcher(loop: loop, signal: number) { _exit(0) }
        }
        try withExtendedLifetime((server, signals)) {
            if let leash {
                try holdLeash(leash, on: loop)
            } else {
                endWithStandardInput()
                print("ready \(address)")
                fflush(nil)
                loop.run()
            }
        }
    }

    private func holdLeash(_ text: String, on loop: EventLoop) throws {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]),
            let parent = SocketAddress(ip: String(parts[0]), port: port)
        else { throw ValidationError("--leash: expected IP:PORT") }
        let holder = try LeashHolder(loop: loop, parent: parent, podAddress: address) { _exit(0) }
        withExtendedLifetime(holder) { loop.run() }
    }

    /// Ends the process with its standard input: a parent that keeps a pipe open leaves no orphan, however it goes.
    private func endWithStandardInput() {
        Task.detached {
            while readLine() != nil {}
            _exit(0)
        }
    }
}

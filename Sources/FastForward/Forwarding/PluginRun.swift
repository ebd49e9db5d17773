#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// One run of a credential plugin, as a child process.
///
/// Theory of operation. The plugin's output is read while it runs, and what it means is decided when both the process
/// has ended and nobody holds its output any more; a process that the plugin has left behind is waited for only for
/// ``outputGrace``. There is no time limit, as in kubectl: a person may be logging in. What the run was for is gone when
/// it is cancelled: then the plugin and its children are asked to end, and made to after ``endGrace``.
///
/// Source: client-go `plugin/pkg/client/auth/exec/exec.go` (refreshCredsLocked).
final class PluginRun {
    /// How long the output of a plugin that has ended is read on.
    static let outputGrace = TimeSpan.seconds(2)
    /// How long a cancelled plugin may take to end, before it is killed.
    static let endGrace = TimeSpan.milliseconds(300)

    private let loop: EventLoop
    private let plugin: ExecPlugin
    private var handler: ((Result<ExecCredential, ExecPluginError>) -> Void)?
    private var child: ChildProcess?
    private var output: PipeReader?
    /// All of the output, when ``output`` is closed.
    private var bytes: [UInt8] = []
    private var hasEnded = false
    /// Why the output is worth nothing.
    private var problem: ExecPluginError?
    private var timer: LoopTimer?
    /// The processes of a cancelled run that were asked to end.
    private var leaving: ProcessTree?

    /// Starts the plugin; `handler` is called once, in a later turn, unless the run is cancelled.
    init(
        loop: EventLoop,
        plugin: ExecPlugin,
        handler: @escaping (Result<ExecCredential, ExecPluginError>) -> Void
    ) {
        self.loop = loop
        self.plugin = plugin
        self.handler = handler
        do throws(ExecPluginError) {
            try start()
        } catch {
            after(.zero) { self.finish(.failure(error)) }
        }
    }

    /// Whether a process of this run may still be there.
    var isAlive: Bool { child != nil || leaving != nil }

    private func start() throws(ExecPluginError) {
        let isInteractive = try plugin.isInteractive(standardInputIsTerminal: StandardStreams.inputIsTerminal)
        // Not the path that the kubeconfig may set, which is for the plugin itself.
        let find = { (name: String) in ProgramSearch.find(name, path: ProgramSearch.ownPath) }
        let found = find(plugin.command)
        try plugin.policy.check(command: plugin.command, program: found, find: find)
        guard let program = found else {
            throw .notFound(command: plugin.command, installHint: plugin.installHint)
        }
        guard !ProgramSearch.lacksInterpreter(program) else {
            throw .cannotRun(reason: "fork/exec \(program.escapedForTerminal()): exec format error")
        }
        var environment = plugin.environment.map { variable in
            ChildProcess.Variable(name: variable.name, value: variable.value.revealed)
        }
        environment.append(
            ChildProcess.Variable(
                name: ExecPlugin.infoVariable,
                value: plugin.execInfo(isInteractive: isInteractive)
            )
        )
        do throws(LoopError) {
            let output = try PipeReader(loop: loop, bytesMax: ExecCredential.outputBytesMax) {
                self.outputEnded($0)
            }
            self.output = output
            defer { output.closeWriteEnd() }
            child = try ChildProcess(
                loop: loop,
                arguments: [plugin.command] + plugin.arguments,
                program: program,
                environment: environment,
                standardInput: isInteractive ? 0 : nil,
                standardOutput: output.writeEnd,
                standardError: plugin.isUnattended ? nil : 2
            ) { self.ended($0) }
        } catch {
            output?.close()
            output = nil
            throw .cannotRun(reason: "fork/exec \(program.escapedForTerminal()): \(error.reason)")
        }
    }

    private func ended(_ end: ChildProcess.End) {
        child = nil
        // Some may outlive the plugin itself, until they are killed.
        if let leaving, leaving.isAlive { return }
        leaving = nil
        hasEnded = true
        timer?.close()
        timer = nil
        if let problem {
            finish(.failure(problem))
            return
        }
        switch end {
        case .exited(0):
            guard output != nil else {
                decode()
                return
            }
            after(Self.outputGrace) { self.decode() }
        case .exited(let status):
            finish(.failure(.exited(command: plugin.command, code: Int32(clamping: status))))
        case .killed:
            // Go's ExitCode of a process that a signal has ended.
            finish(.failure(.exited(command: plugin.command, code: -1)))
        }
    }

    private func outputEnded(_ end: PipeReader.End) {
        switch end {
        case .ended:
            bytes = output?.bytes ?? []
            output = nil
            if hasEnded { decode() }
        case .full: giveUp(.outputTooLong(bytesMax: ExecCredential.outputBytesMax))
        case .failed(let error): giveUp(.cannotRun(reason: error.reason))
        }
    }

    /// Kills the plugin; its end is the run's.
    private func giveUp(_ error: ExecPluginError) {
        output = nil
        problem = error
        if let child { child.tree.kill(SIGKILL) } else { finish(.failure(error)) }
    }

    private func decode() {
        let bytes = output?.bytes ?? self.bytes
        do throws(ExecPluginError) {
            finish(.success(try ExecCredential(output: bytes, of: plugin)))
        } catch {
            finish(.failure(error))
        }
    }

    private func finish(_ result: Result<ExecCredential, ExecPluginError>) {
        let handler = self.handler
        release()
        handler?(result)
    }

    /// Forgets the handler and ends the plugin.
    func cancel() {
        release()
        guard let child else { return }
        let tree = child.tree
        tree.kill(SIGTERM)
        leaving = tree
        after(Self.endGrace) {
            tree.kill(SIGKILL)
            self.leaving = nil
            self.release()
        }
    }

    private func release() {
        handler = nil
        timer?.close()
        timer = nil
        output?.close()
        output = nil
        bytes = []
    }

    private func after(_ span: TimeSpan, _ action: @escaping () -> Void) {
        timer?.close()
        let timer = LoopTimer(loop: loop, handler: action)
        self.timer = timer
        timer.schedule(at: loop.now + span)
    }
}

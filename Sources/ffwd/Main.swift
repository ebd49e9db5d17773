import ArgumentParser
import FastForward
import FoundationEssentials
import Logging

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The command: arguments in, kubectl's lines and exit codes out.
@main
enum Main {
    static func main() {
        StandardStreams.openMissing()
        StandardStreams.outliveReaders()
        let arguments = Array(CommandLine.arguments.dropFirst())
        completeIfAsked(arguments)
        // While the arguments are read, which takes as long.
        TLSLibrary.skipCleanup()
        BackgroundThread.run { TLSLibrary.prepare() }
        let command: PortForwardCommand
        do {
            command = try PortForwardCommand.parse(arguments)
        } catch let error as UsageError {
            fail("\(error)")
        } catch {
            // --help and --version end with 0; what is wrong with the arguments ends with 1, as kubectl's errors do.
            let text = PortForwardCommand.fullMessage(for: error)
            let isSuccess = PortForwardCommand.exitCode(for: error).isSuccess
            StandardStreams.write(text + "\n", to: isSuccess ? .output : .error)
            exit(isSuccess ? 0 : 1)
        }
        do {
            let request = try command.request(
                environment: ProcessInfo.processInfo.environment,
                currentDirectory: FileManager.default.currentDirectoryPath
            )
            for warning in request.access.warnings {
                StandardStreams.write("warning: \(warning)\n", to: .error)
            }
            let logger = Logger(command.verbosity)
            command.ignored.note(in: logger)
            logger.info("cluster chosen", metadata: request.access.logMetadata)
            try ForwardSession(request, command.sessionOptions(), logger: logger, isQuiet: command.quiet)
                .run()
        } catch let error as KubeconfigError {
            fail(error.terminalText)
        } catch let error as UsageError {
            fail("\(error)")
        } catch {
            fail("error: \(error)")
        }
    }

    /// Answers a shell, and ends.
    private static func completeIfAsked(_ arguments: [String]) {
        if arguments.first == "--generate-completion-script" {
            // ArgumentParser's own scripts know neither ports behind colons nor words that go on.
            let environment = ProcessInfo.processInfo.environment
            let login = environment["SHELL"]?.split(separator: "/").last.map(String.init)
            let name = arguments.count > 1 ? arguments[1] : login ?? ""
            guard let shell = CompletionShell(rawValue: name) else {
                let known = CompletionShell.allCases.map(\.rawValue).joined(separator: ", ")
                fail(
                    "error: no completion for the shell \"\(name.escapedForTerminal())\" (there is: \(known))"
                )
            }
            StandardStreams.write(shell.script + "\n", to: .output)
            exit(0)
        }
        let names = [CompletionCommand.name, CompletionCommand.lineName]
        guard Invocation.current.completesForKubectl || names.contains(arguments.first ?? "") else { return }
        // Nothing may be asked of the person, and nothing told but choices.
        StandardStreams.silence()
        let answer = CompletionCommand.answer(
            to: arguments,
            of: .current,
            environment: ProcessInfo.processInfo.environment,
            currentDirectory: FileManager.default.currentDirectoryPath
        )
        guard let answer else { exit(1) }
        StandardStreams.write(answer.lines.joined(separator: "\n") + "\n", to: .output)
        // Without the wait for a look-up that is still under way, which the exit handlers of libuv would add.
        _exit(0)
    }

    private static func fail(_ text: String) -> Never {
        StandardStreams.write(text + "\n", to: .error)
        exit(1)
    }
}

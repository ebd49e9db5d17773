import ArgumentParser
import FastForward
import FoundationEssentials

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The command: arguments in, kubectl's lines and exit codes out.
@main
enum Main {
    static func main() {
        let command: PortForwardCommand
        do {
            command = try PortForwardCommand.parse(nil)
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
            try ForwardSession(request).run()
        } catch let error as KubeconfigError {
            fail(error.terminalText)
        } catch let error as UsageError {
            fail("\(error)")
        } catch {
            fail("error: \(error)")
        }
    }

    private static func fail(_ text: String) -> Never {
        StandardStreams.write(text + "\n", to: .error)
        exit(1)
    }
}

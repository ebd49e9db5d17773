import Foundation

/// A program under test, or one that tests it: with pipes, in a process group of its own.
///
/// The group is killed with the object's ``kill()``, and by ``Reaper`` where the test runner dies first.
final class Subprocess: @unchecked Sendable {
    /// How a process ended.
    enum Exit: Equatable {
        case status(Int32)
        case signal(Int32)
    }

    let pid: pid_t
    let name: String
    let output: OutputLines
    let errors: OutputLines
    /// Our end of its standard input.
    private var input: Int32

    /// Invariant: guards `exit`; while that is nil, `pid` is ours.
    private let changed = NSCondition()
    private var exit: Exit?

    /// Held while descriptors are made that no other child may inherit, and while a child is started.
    static let starting = NSLock()

    /// Starts `arguments[0]`, found as the shell finds it, with `environment` added to ours.
    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        name = arguments.first.map { URL(fileURLWithPath: $0).lastPathComponent } ?? ""
        Self.starting.lock()
        defer { Self.starting.unlock() }
        let toChild = try Self.pipe()
        let fromChild = try Self.pipe()
        let errorsOfChild = try Self.pipe()
        defer { for end in [toChild.read, fromChild.write, errorsOfChild.write] { close(end) } }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild.read, 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild.write, 1)
        posix_spawn_file_actions_adddup2(&actions, errorsOfChild.write, 2)

        // The runner ignores SIGPIPE and may block signals; a program must begin as a shell would start it.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for number in [SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaddset(&signals, number) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        let merged = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var argv = arguments.map { strdup($0) } + [nil]
        var envp = merged.map { strdup("\($0)=\($1)") } + [nil]
        defer { for string in argv + envp { free(string) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, arguments[0], &actions, &attributes, &argv, &envp)
        input = toChild.write
        guard code == 0 else {
            for end in [toChild.write, fromChild.read, errorsOfChild.read] { close(end) }
            throw ScenarioError("cannot start \(arguments[0]): \(String(cString: strerror(code)))")
        }
        pid = child
        output = OutputLines(reading: fromChild.read)
        errors = OutputLines(reading: errorsOfChild.read)
        Reaper.shared?.add(group: child)
        Thread.detachNewThread { self.awaitExit() }
    }

    /// A pipe that other children do not inherit.
    static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Foundation.pipe(&ends) == 0 else { throw ScenarioError.system("pipe") }
        // pipe2(2) is not in Foundation's Glibc.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private func awaitExit() {
        var information = siginfo_t()
        // The process stays a zombie, and its id ours, until the lock is held.
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        changed.withLock {
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            let signal = status & 0x7f
            exit = signal == 0 ? .status((status >> 8) & 0xff) : .signal(signal)
            changed.broadcast()
        }
    }

    /// Waits for its end, looking meanwhile how much memory it takes.
    ///
    /// - Returns: how it ended, and the most resident memory that was seen, in bytes.
    func waitForExit(measuringUntil deadline: Deadline) throws -> (exit: Exit, peakBytes: Int) {
        var peak = 0
        while !deadline.isOver {
            // The last look has the most, and none of what the first may see: the runner's memory, until exec is through.
            peak = peakBytes() ?? peak
            let isOver = changed.withLock { () -> Bool in
                if exit == nil { _ = changed.wait(until: Date(timeIntervalSinceNow: 0.005)) }
                return exit != nil
            }
            if isOver { break }
        }
        return (try waitForExit(until: deadline), peak)
    }

    /// Waits for its end, and for the ends of its output.
    func waitForExit(until deadline: Deadline) throws -> Exit {
        let exit = changed.withLock { () -> Exit? in
            while self.exit == nil, changed.wait(until: deadline.date) || !deadline.isOver {}
            return self.exit
        }
        // The transcript takes the lock itself.
        guard let exit else {
            throw ScenarioError("\(name) was still running when time was up\n\(transcript)")
        }
        try output.waitForEnd(until: deadline)
        try errors.waitForEnd(until: deadline)
        return exit
    }

    var isRunning: Bool { changed.withLock { exit == nil } }

    /// What it has said, for a failure's message.
    var transcript: String {
        let state = changed.withLock { exit.map { "ended with \($0)" } ?? "still runs" }
        return
            "\(name) \(state)\nstdout of \(name):\n\(output.text.suffix(2000))\nstderr of \(name):\n\(errors.text.suffix(4000))"
    }

    func send(signal: Int32) {
        changed.withLock { if exit == nil { Foundation.kill(pid, signal) } }
    }

    func closeInput() {
        changed.withLock {
            guard input >= 0 else { return }
            close(input)
            input = -1
        }
    }

    /// Kills it and what it has started.
    func kill() {
        // Once the leader has been waited for, its number may be somebody else's.
        changed.withLock { if exit == nil { _ = Foundation.kill(-pid, SIGKILL) } }
        Reaper.shared?.remove(group: pid)
        closeInput()
    }

    // MARK: What the kernel knows of it

    /// Resident memory that no file stands behind, in bytes.
    func anonymousBytes() throws -> Int { try statusBytes("RssAnon:") }

    /// The most resident memory that it has had so far, in bytes.
    func mostResidentBytes() throws -> Int { try statusBytes("VmHWM:") }

    private func statusBytes(_ name: String) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        for line in status.split(separator: "\n") where line.hasPrefix(name) {
            let fields = line.split(separator: " ").flatMap { $0.split(separator: "\t") }
            if fields.count >= 2, let kibibytes = Int(fields[1]) { return kibibytes * 1024 }
        }
        throw ScenarioError("no \(name) of process \(pid)")
    }

    /// How many bytes it has read so far, from files, pipes and sockets.
    func bytesRead() throws -> Int {
        let counts = try String(contentsOfFile: "/proc/\(pid)/io", encoding: .utf8)
        for line in counts.split(separator: "\n") where line.hasPrefix("rchar: ") {
            if let bytes = Int(line.dropFirst(7)) { return bytes }
        }
        throw ScenarioError("no rchar of process \(pid)")
    }

    /// The most resident memory that it has had, in bytes; nil: it is gone.
    func peakBytes() -> Int? {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else {
            return nil
        }
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            let fields = line.split { $0 == " " || $0 == "\t" }
            if fields.count >= 2, let kibibytes = Int(fields[1]) { return kibibytes * 1024 }
        }
        return nil
    }

    func openDescriptors() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
    }
}

/// Kills the process groups that are left when the test runner ends, in whatever way.
///
/// A shell that reads the groups from a pipe; the pipe's end is the runner's end.
final class Reaper: @unchecked Sendable {
    static let shared = try? Reaper()

    private static let script = """
        groups=" "
        while read -r change group; do
            case $change in
            +) groups="$groups$group " ;;
            -) case $groups in *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;; esac ;;
            esac
        done
        for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
        """

    private let lock = NSLock()
    private let pipeEnd: Int32

    private init() throws {
        // A write to a peer that has gone must be an error, not the runner's end.
        signal(SIGPIPE, SIG_IGN)
        let (read, write) = try Subprocess.pipe()
        defer { close(read) }
        pipeEnd = write
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, read, 0)
        // It must not keep the runner's own output open.
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        let arguments: [String] = ["sh", "-c", Self.script]
        var argv = arguments.map { strdup($0) } + [nil]
        defer { for string in argv { free(string) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, "/bin/sh", &actions, &attributes, &argv, environ)
        guard code == 0 else { throw ScenarioError("cannot start /bin/sh") }
    }

    func add(group: pid_t) { tell("+ \(group)\n") }

    func remove(group: pid_t) { tell("- \(group)\n") }

    private func tell(_ line: String) {
        lock.withLock { _ = line.withCString { write(pipeEnd, $0, strlen($0)) } }
    }
}

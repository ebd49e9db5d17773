internal import CUV

/// A child process on the loop.
///
/// It inherits the three standard descriptors that it is given and no other: libuv opens all of ours so that they
/// close on exec.
package final class ChildProcess: LoopHandle {
    /// How a child ended: an exit status, or the signal that killed it.
    package enum End: Equatable, Sendable {
        case exited(Int64)
        case killed(signal: Int32)
    }

    /// A variable of the child's environment.
    package struct Variable: Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    private var handler: ((End) -> Void)?
    package private(set) var processID: Int32 = 0

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - arguments: the name that the program is called by, and the rest.
    ///   - program: the file; nil: the first argument says which.
    ///   - environment: in addition to our own; a later one replaces an earlier one of the same name.
    ///   - standardInput: a descriptor of ours; nil: there is nothing to read. So with the outputs: what is written is
    ///     dropped. Errors go where ours go, unless the caller says otherwise.
    ///   - handler: called once, when the child has ended.
    package init(
        loop: EventLoop,
        arguments: [String],
        program: String? = nil,
        environment: [Variable] = [],
        standardInput: Int32?,
        standardOutput: Int32?,
        standardError: Int32? = 2,
        handler: @escaping (End) -> Void
    ) throws(LoopError) {
        self.handler = handler
        super.init(loop: loop, type: UV_PROCESS)
        guard let process = unsafe raw(uv_process_t.self), let path = program ?? arguments.first else {
            return
        }
        let attempt = "start \(path)"
        // C would take the part before it for the whole.
        let texts = [path] + arguments + environment.flatMap { [$0.name, $0.value] }
        guard !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw LoopError(code: UV_EINVAL.rawValue, attempt: attempt)
        }
        unsafe process.pointee.data = nil
        let file = unsafe strdup(path)
        let ownArguments = unsafe arguments.map { unsafe strdup($0) }
        let ownVariables = unsafe Self.last(of: environment).map { unsafe strdup("\($0.name)=\($0.value)") }
        defer {
            unsafe free(file)
            unsafe ownArguments.forEach { unsafe free($0) }
            unsafe ownVariables.forEach { unsafe free($0) }
        }
        var vector = unsafe ownArguments + [nil]
        var variables = unsafe Self.inherited(without: Set(environment.map(\.name))) + ownVariables + [nil]
        var stdio = unsafe [
            Self.container(standardInput), Self.container(standardOutput), Self.container(standardError),
        ]
        let code = unsafe stdio.withUnsafeMutableBufferPointer { stdio in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                unsafe variables.withUnsafeMutableBufferPointer { variables in
                    var options = unsafe uv_process_options_t()
                    unsafe options.exit_cb = Callbacks.exited
                    unsafe options.file = UnsafePointer(file)
                    unsafe options.args = vector.baseAddress
                    unsafe options.env = variables.baseAddress
                    unsafe options.stdio = stdio.baseAddress
                    unsafe options.stdio_count = 3
                    return unsafe uv_spawn(loop.raw, process, &options)
                }
            }
        }
        tie()
        if code < 0 { close() }
        try check(code, attempt)
        processID = unsafe process.pointee.pid
    }

    private static func container(_ descriptor: Int32?) -> uv_stdio_container_t {
        // libuv opens /dev/null for one of the first three that is ignored.
        guard let descriptor else { return unsafe uv_stdio_container_t(flags: UV_IGNORE, data: .init(fd: 0)) }
        return unsafe uv_stdio_container_t(flags: UV_INHERIT_FD, data: .init(fd: descriptor))
    }

    private static func last(of variables: [Variable]) -> [Variable] {
        var seen: Set<String> = []
        return Array(variables.reversed().filter { seen.insert($0.name).inserted }.reversed())
    }

    /// Our own variables, as they are.
    private static func inherited(without names: Set<String>) -> [UnsafeMutablePointer<CChar>?] {
        var variables: [UnsafeMutablePointer<CChar>?] = unsafe []
        guard var next = unsafe ffwd_environment() else { return unsafe variables }
        while let variable = unsafe next.pointee {
            let name = unsafe String(cString: variable).prefix { $0 != "=" }
            if !names.contains(String(name)) { unsafe variables.append(variable) }
            unsafe next += 1
        }
        return unsafe variables
    }

    package func kill(_ signal: Int32) {
        guard let process = unsafe raw(uv_process_t.self) else { return }
        unsafe uv_process_kill(process, signal)
    }

    /// The child and all that descend from it now, but for those that have left their parents.
    package var tree: ProcessTree { ProcessTree(root: isClosing ? 0 : processID) }

    func exited(status: Int64, signal: Int32) {
        let handler = self.handler
        self.handler = nil
        close()
        handler?(signal != 0 ? .killed(signal: signal) : .exited(status))
    }
}

/// Processes of one origin, at the moment when they were listed.
package struct ProcessTree {
    /// A credential plugin is a handful of processes; more than these are not looked for.
    private static let processesMax = 256

    private let processes: [ffwd_process]

    init(root: Int32) {
        guard root > 0 else {
            processes = []
            return
        }
        processes = unsafe Array(unsafeUninitializedCapacity: Self.processesMax) { memory, count in
            count = unsafe Int(ffwd_list_tree(root, memory.baseAddress, Int32(memory.count)))
        }
    }

    /// Those that are still there; a number may be somebody else's by now.
    private var living: [ffwd_process] {
        processes.filter { process in
            var now = ffwd_process()
            return unsafe ffwd_read_process(process.id, &now) == 1 && now.start == process.start
                && now.is_alive == 1
        }
    }

    package var isAlive: Bool { !living.isEmpty }

    package func kill(_ signal: Int32) {
        for process in living { CUV.kill(process.id, signal) }
    }
}

/// Finds the file of a program, as Go's `exec.LookPath` does.
package enum ProgramSearch {
    /// The `PATH` of this process.
    package static var ownPath: String { unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "" }

    /// The file that `name` means; nil: there is none, or it must not be run.
    ///
    /// A name with a slash is a path, and is not checked: starting it says what is wrong. What is found through an
    /// entry of `path` that is not absolute is refused, since anybody may have put it there.
    package static func find(_ name: String, path: String) -> String? {
        guard !name.utf8.contains(UInt8(ascii: "/")) else { return name }
        guard !name.isEmpty else { return nil }
        for directory in path.split(separator: ":", omittingEmptySubsequences: false) {
            let file = (directory.isEmpty ? "." : directory) + "/" + name
            guard unsafe ffwd_is_executable(file) == 0 else { continue }
            return file.hasPrefix("/") ? String(file) : nil
        }
        return nil
    }

    /// Whether a program is a script that does not name its interpreter.
    ///
    /// A shell runs such a one itself, and so does libuv; the kernel, and Go with it, does not.
    package static func lacksInterpreter(_ program: String) -> Bool {
        unsafe ffwd_is_script_without_interpreter(program) != 0
    }
}

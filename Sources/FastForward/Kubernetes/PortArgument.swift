/// Why a port argument was refused; the texts are kubectl's, Go's own included.
package enum PortArgumentError: Error, Equatable, CustomStringConvertible {
    package enum NumberProblem: String, Sendable {
        case syntax = "invalid syntax"
        case range = "value out of range"
    }

    case format(String)
    case local(String, NumberProblem)
    case remote(String, NumberProblem)
    case remoteIsZero
    case remoteIsEmpty
    case noSuchPort(pod: String, name: String)
    case noSuchServicePortName(service: String, name: String)
    case noSuchServicePort(service: String, number: UInt16)
    /// `port` as the user wrote it.
    case udp(port: String)

    package var description: String {
        switch self {
        case .format(let text): "invalid port format '\(text.escapedForTerminal())'"
        case .local(let text, let problem): "error parsing local port \(Self.number(text, problem))"
        case .remote(let text, let problem): "error parsing remote port \(Self.number(text, problem))"
        case .remoteIsZero: "remote port must be > 0"
        case .remoteIsEmpty: "remote port cannot be empty"
        case .noSuchPort(let pod, let name):
            "Pod '\(pod.escapedForTerminal())' does not have a named port '\(name.escapedForTerminal())'"
        case .noSuchServicePortName(let service, let name):
            "Service '\(service.escapedForTerminal())' does not have a named port '\(name.escapedForTerminal())'"
        case .noSuchServicePort(let service, let number):
            "Service \(service.escapedForTerminal()) does not have a service port \(number)"
        case .udp(let port): "UDP protocol is not supported for \(port.escapedForTerminal())"
        }
    }

    private static func number(_ text: String, _ problem: NumberProblem) -> String {
        let text = text.escapedForTerminal()
        return "'\(text)': strconv.ParseUint: parsing \"\(text)\": \(problem.rawValue)"
    }
}

/// A port argument: `8080`, `8080:80`, `:80`, `8080:http`, `http`.
///
/// Source: client-go `tools/portforward/portforward.go` (parsePorts), kubectl `cmd/portforward/portforward.go`
/// (splitPort, convertPodNamedPortToNumber, checkUDPPorts). One thing differs: `a:b:c`, of which kubectl
/// silently takes `a:a`, is refused.
package struct PortArgument: Hashable, Sendable {
    package enum Local: Hashable, Sendable {
        /// The same as the remote port.
        case same
        /// Whichever is free.
        case any
        case number(UInt16)
    }

    package enum Remote: Hashable, Sendable {
        case number(UInt16)
        case name(String)
    }

    package let local: Local
    package let remote: Remote
    /// The remote port as typed (`080`), for error texts.
    private let remoteText: String

    package init(_ text: String) throws(PortArgumentError) {
        let pieces = text.split(separator: ":", omittingEmptySubsequences: false)
        guard pieces.count <= 2 else { throw .format(text) }
        let isPair = pieces.count == 2
        let remoteText = String(pieces[pieces.count - 1])
        guard !remoteText.isEmpty else { throw .remoteIsEmpty }
        if !isPair {
            local = .same
        } else if pieces[0].isEmpty {
            local = .any
        } else if pieces[0] == remoteText[...] && !Self.looksLikeNumber(remoteText) {
            // `http:http` is `http` to kubectl, whichever numbers that has on the two sides.
            local = .same
        } else {
            let (number, problem) = Self.number(pieces[0])
            if let problem { throw .local(String(pieces[0]), problem) }
            local = number == 0 ? .any : .number(number)
        }
        self.remoteText = remoteText
        guard Self.looksLikeNumber(remoteText) else {
            remote = .name(remoteText)
            return
        }
        let (number, problem) = Self.number(remoteText[...])
        // Of a lone port, kubectl parses the local side first.
        if let problem { throw isPair ? .remote(remoteText, problem) : .local(remoteText, problem) }
        guard number > 0 else { throw .remoteIsZero }
        remote = .number(number)
    }

    /// The ports to listen on and to forward to, for this pod.
    ///
    /// A number need not be declared by the pod; a name must be, in a container or an init container.
    package func resolve(against pod: Pod) throws(PortArgumentError) -> ForwardedPort {
        let ports = pod.ports
        let number: UInt16
        switch remote {
        case .number(let port):
            let declared = ports.filter { $0.containerPort == Int(port) }
            if !declared.isEmpty && declared.allSatisfy(\.isUDP) { throw .udp(port: remoteText) }
            number = port
        case .name(let name):
            guard let declared = ports.first(where: { $0.name == name }),
                let port = UInt16(exactly: declared.containerPort), port > 0
            else { throw .noSuchPort(pod: pod.metadata.name, name: name) }
            if declared.isUDP { throw .udp(port: name) }
            number = port
        }
        switch local {
        case .same: return ForwardedPort(local: number, remote: number)
        case .any: return ForwardedPort(local: 0, remote: number)
        case .number(let local): return ForwardedPort(local: local, remote: number)
        }
    }

    /// The port to listen on, and what leads to the pods' port, for this service.
    ///
    /// The local side follows what the user typed: of a lone name, the number that the service gives it.
    package func resolve(
        against service: Service
    ) throws(PortArgumentError) -> (local: UInt16, podPort: PodPort) {
        let number = try number(at: service)
        let podPort = try service.podPort(behind: number)
        switch local {
        case .same: return (number, podPort)
        case .any: return (0, podPort)
        case .number(let local): return (local, podPort)
        }
    }

    /// The ports to listen on and to forward to, for this pod behind this service, one for each argument.
    ///
    /// As kubectl, all are checked for UDP before any is resolved: that decides which of two errors is told.
    package static func resolve(
        _ arguments: [PortArgument],
        against service: Service,
        at pod: Pod
    ) throws(PortArgumentError) -> [ForwardedPort] {
        for argument in arguments { _ = try argument.number(at: service) }
        var ports: [ForwardedPort] = []
        for argument in arguments {
            let (local, podPort) = try argument.resolve(against: service)
            ports.append(ForwardedPort(local: local, remote: try podPort.number(at: pod)))
        }
        return ports
    }

    /// The service's own port that is meant.
    private func number(at service: Service) throws(PortArgumentError) -> UInt16 {
        let number: UInt16
        switch remote {
        case .number(let port): number = port
        case .name(let name): number = try service.number(ofPort: name)
        }
        if service.isUDPOnly(number) { throw .udp(port: remoteText) }
        return number
    }

    /// Whether Go's `strconv.Atoi` would take it, range aside.
    private static func looksLikeNumber(_ text: String) -> Bool {
        var digits = text.utf8[...]
        if let first = digits.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
            digits = digits.dropFirst()
        }
        return !digits.isEmpty && digits.allSatisfy { (0x30...0x39).contains($0) }
    }

    /// As `strconv.ParseUint(text, 10, 16)`.
    private static func number(_ text: Substring) -> (UInt16, PortArgumentError.NumberProblem?) {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return (0, .syntax) }
        guard let number = UInt16(text) else { return (0, .range) }
        return (number, nil)
    }
}

/// A local port and the port of the pod behind it.
package struct ForwardedPort: Hashable, Sendable {
    /// 0: whichever is free.
    package var local: UInt16
    package var remote: UInt16

    package init(local: UInt16, remote: UInt16) {
        self.local = local
        self.remote = remote
    }
}

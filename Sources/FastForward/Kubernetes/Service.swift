/// A service, as far as the way to its pods' ports goes (core/v1).
package struct Service: Decodable, Hashable, Sendable {
    package struct Metadata: Decodable, Hashable, Sendable {
        package var name: String
        package var namespace: String?
    }

    package struct Spec: Decodable, Hashable, Sendable {
        package var ports: [Port]?
        /// Absent or empty where somebody else says which pods are the service's.
        package var selector: [String: String]?
        /// `None` where the service is headless.
        package var clusterIP: String?
    }

    package struct Port: Decodable, Hashable, Sendable {
        package var name: String?
        package var port: Int
        /// nil: the same as `port`.
        package var targetPort: TargetPort?
        /// `TCP` where absent.
        package var `protocol`: String?
    }

    /// A number, or the name of a port of the pod (IntOrString).
    package enum TargetPort: Decodable, Hashable, Sendable {
        case number(Int)
        case name(String)

        package init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) {
                self = .number(number)
            } else {
                self = .name(try container.decode(String.self))
            }
        }
    }

    package var metadata: Metadata
    package var spec: Spec?

    package var ports: [Port] { spec?.ports ?? [] }
    package var isHeadless: Bool { spec?.clusterIP == "None" }
    package var hasSelector: Bool { !(spec?.selector ?? [:]).isEmpty }

    /// The service as its endpoint slices translate its ports at `pod`.
    ///
    /// Who keeps the slices of a service without a selector says where its ports lead; there is no other word on it.
    package func translated(by slices: EndpointTracker, at pod: Pod) -> Service {
        var service = self
        service.spec?.ports = ports.map { port in
            var port = port
            if let number = slices.port(port.name ?? "", at: pod) { port.targetPort = .number(number) }
            return port
        }
        return service
    }
}

/// A port of a pod that a service leads to: the same number at every pod, or a name that each pod explains itself.
package enum PodPort: Hashable, Sendable {
    case number(UInt16)
    case name(String)

    /// The port's number at `pod`.
    package func number(at pod: Pod) throws(PortArgumentError) -> UInt16 {
        switch self {
        case .number(let number): return number
        case .name(let name):
            guard let declared = pod.ports.first(where: { $0.name == name }),
                let port = UInt16(exactly: declared.containerPort), port > 0
            else { throw .noSuchPort(pod: pod.metadata.name, name: name) }
            return port
        }
    }
}

extension Service {
    /// The number of the first port of this name.
    func number(ofPort name: String) throws(PortArgumentError) -> UInt16 {
        guard let declared = ports.first(where: { $0.name == name }),
            let number = UInt16(exactly: declared.port)
        else { throw .noSuchServicePortName(service: metadata.name, name: name) }
        return number
    }

    /// The pods' port behind the service's port `number`.
    ///
    /// Source: kubectl `pkg/util/service_port.go`, LookupContainerPortNumberByServicePort: the first entry with the
    /// number decides, whatever its protocol; a headless service has no ports of its own, so a number is the pod's.
    func podPort(behind number: UInt16) throws(PortArgumentError) -> PodPort {
        guard let declared = ports.first(where: { $0.port == Int(number) }) else {
            throw .noSuchServicePort(service: metadata.name, number: number)
        }
        if isHeadless { return .number(number) }
        switch declared.targetPort {
        case nil, .number(0): return .number(number)
        case .number(let target):
            guard let target = UInt16(exactly: target) else {
                throw .noSuchServicePort(service: metadata.name, number: number)
            }
            return .number(target)
        case .name(let name): return .name(name)
        }
    }

    /// Whether `number` is declared, but for UDP (or SCTP) only.
    func isUDPOnly(_ number: UInt16) -> Bool {
        let declared = ports.filter { $0.port == Int(number) }
        return !declared.isEmpty && !declared.contains { ($0.protocol ?? "TCP") == "TCP" }
            && declared.contains { $0.protocol == "UDP" }
    }
}

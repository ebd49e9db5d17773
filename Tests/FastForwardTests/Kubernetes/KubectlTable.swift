import Foundation
import Testing

@testable import FastForward

/// What `Vectors/kubectl/rows.json` holds: a command, what it finds, and what the real kubectl made of it.
///
/// `Vectors/kubectl/record.py` wrote it, and says what the placeholders mean.
struct KubectlRow: Decodable, Sendable, CustomTestStringConvertible {
    /// What kubectl asked the server for and how, or what it printed instead.
    struct Outcome: Decodable, Sendable, Equatable {
        var error: String?
        var path: String?
        var scheme: String?
        var authorization: String?
        var impersonation: [String]?
        var client: String?
        var serverName: String?
        /// What the proxy was asked for.
        var proxied: String?
        var proxyAuthorization: String?
        /// The server was sought without a proxy.
        var direct: Bool?
        var execInfo: String?
        var labelSelector: String?
        var pod: String?
    }

    let name: String
    var files: [String: String]?
    var environment: [String: String]?
    let arguments: [String]
    var basePath: String?
    /// What the plugin prints.
    var answer: JSONValue?
    /// By path.
    var objects: [String: JSONValue]?
    var pods: [JSONValue]?
    var appearing: JSONValue?
    let kubectl: Outcome

    var testDescription: String { name }

    private struct Table: Decodable {
        let rows: [KubectlRow]
    }

    static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Vectors/kubectl")

    static let all: [KubectlRow] = {
        guard let data = try? Data(contentsOf: directory.appending(path: "rows.json")),
            let table = try? JSONDecoder().decode(Table.self, from: data)
        else { return [] }
        return table.rows
    }()
}

/// Does with a row what kubectl did, as far as that is a decision.
struct KubectlReplay {
    static let tls = "127.0.0.1:1001"
    static let plain = "127.0.0.1:1002"
    static let proxy = "127.0.0.1:1003"
    private static let fileNames = ["ca", "other-ca", "client-a", "client-b", "client-a-key", "client-b-key"]

    let row: KubectlRow
    private let files: TemporaryDirectory
    private var flags = ClusterFlags()
    private var kubeconfig: String?
    private var podRunningTimeout = "1m0s"
    private var words: [String] = []

    private static func pem(_ name: String) -> String { "-----BEGIN CERTIFICATE-----\n\(name)\n" }

    init(_ row: KubectlRow) throws {
        self.row = row
        files = try TemporaryDirectory()
        for name in Self.fileNames { try files.write(Self.pem(name), to: name + ".pem") }
        try files.write("from-file\n", to: "token")
        for (name, text) in row.files ?? [:] { try files.write(fill(text), to: name) }
        try read(row.arguments.map(fill))
    }

    private func fill(_ text: String) -> String {
        var text = text.replacing("{tls}", with: Self.tls).replacing("{plain}", with: Self.plain)
            .replacing("{proxy}", with: Self.proxy).replacing("{dir}", with: files.path)
        for name in Self.fileNames {
            text = text.replacing("{\(name)-data}", with: Data(Self.pem(name).utf8).base64EncodedString())
        }
        return text
    }

    private func unfill(_ text: String) -> String {
        let data = Data(Self.pem("ca").utf8).base64EncodedString()
        return text.replacing(Self.tls, with: "{tls}").replacing(Self.plain, with: "{plain}")
            .replacing(Self.proxy, with: "{proxy}").replacing(files.path, with: "{dir}")
            .replacing(data, with: "{ca-data}")
    }

    private mutating func read(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-") else {
                words.append(argument)
                continue
            }
            var name = argument
            var given: String?
            if argument.hasPrefix("--"), let equals = argument.firstIndex(of: "=") {
                name = String(argument[..<equals])
                given = String(argument[argument.index(after: equals)...])
            } else if !argument.hasPrefix("--"), argument.count > 2 {
                name = String(argument.prefix(2))
                given = String(argument.dropFirst(argument.hasPrefix("-n=") ? 3 : 2))
            }
            func value() -> String { given ?? rest.popFirst() ?? "" }
            // The reading of files does not change the test's directory.
            func file() -> String { FilePath.resolve(value(), in: files.path) }
            switch name {
            case "--kubeconfig": kubeconfig = value()
            case "--context": flags.context = value()
            case "--cluster": flags.cluster = value()
            case "--user": flags.user = value()
            case "-n", "--namespace": flags.namespace = value()
            case "-s", "--server": flags.server = value()
            case "--tls-server-name": flags.tlsServerName = value()
            case "--insecure-skip-tls-verify": flags.insecureSkipTLSVerify = given != "false"
            case "--certificate-authority": flags.certificateAuthority = file()
            case "--client-certificate": flags.clientCertificate = file()
            case "--client-key": flags.clientKey = file()
            case "--token": flags.token = Redacted(value())
            case "--username": flags.username = value()
            case "--password": flags.password = Redacted(value())
            case "--as": flags.impersonate = value()
            case "--as-uid": flags.impersonateUID = value()
            case "--as-group": flags.impersonateGroups.append(value())
            case "--request-timeout": flags.requestTimeout = value()
            case "--pod-running-timeout": podRunningTimeout = value()
            case "-v", "--warnings-as-errors", "--disable-compression", "--match-server-version", "--profile",
                "--log-flush-frequency", "--vmodule":
                break
            case _: throw CocoaError(.featureUnsupported, userInfo: [NSDebugDescriptionErrorKey: argument])
            }
        }
    }

    /// What we would have asked for, or what we would have printed.
    func outcome() -> KubectlRow.Outcome {
        var outcome = KubectlRow.Outcome()
        do {
            try run(&outcome)
        } catch let error as KubeconfigError {
            outcome.error = error.terminalText
        } catch let error as ExecPluginError {
            outcome.error = error.terminalText
        } catch {
            outcome.error = "error: \(error)"
        }
        outcome.error = outcome.error.map { error in
            unfill(error).split(separator: "\n").joined(separator: "\n")
        }
        return outcome
    }

    private func run(_ outcome: inout KubectlRow.Outcome) throws {
        let timeout = try TimeoutFlag.podRunning(podRunningTimeout)
        var loader = KubeconfigLoader(
            explicitFile: kubeconfig,
            environment: (row.environment ?? [:]).mapValues(fill),
            currentDirectory: files.path
        )
        loader.environment["HOME"] = files.path
        let access = try ClusterAccess(loading: loader, flags: flags)
        let target = try TargetArgument(words[0])
        let ports = try words.dropFirst().map { try PortArgument($0) }
        if let proxy = access.proxy {
            outcome.proxied = "\(access.server.host):\(access.server.port)"
            if let login = proxy.login {
                let pair = Data("\(login.user):\(login.password)".utf8).base64EncodedString()
                outcome.proxyAuthorization = "Basic \(pair)"
            }
        } else if access.server.host != "127.0.0.1" {
            outcome.direct = true
            return
        }
        if access.server.isTLS, !access.insecureSkipTLSVerify,
            access.certificateAuthority != Array(Self.pem("ca").utf8)
        {
            outcome.error = "untrusted"
            return
        }
        try describe(access, &outcome)
        let type = try target.kind?.type ?? Self.discover(target.typeText)
        let place = APIPath.object(
            type,
            target.name,
            namespace: access.namespace,
            at: access.server
        )
        outcome.path = place.description
        guard let body = row.objects?[place.description] else { return }
        guard let kind = TargetKind(type) else { throw PodSelectorError.hasNoPods(type) }
        try search(kind, ports, try JSONEncoder().encode(body), access, timeout, &outcome)
    }

    private func describe(_ access: ClusterAccess, _ outcome: inout KubectlRow.Outcome) throws {
        outcome.scheme = access.server.isTLS ? "https" : "http"
        // An address is no name to ask for.
        let name = access.tlsServerName ?? access.server.host
        if access.server.isTLS, !name.hasPrefix("1") { outcome.serverName = name }
        outcome.impersonation = access.impersonation.map { impersonation in
            impersonation.fields.all.map { "\($0.name): \($0.value)" }.sorted()
        }
        outcome.client = access.identity.map { identity in
            String(decoding: identity.certificatePEM, as: UTF8.self).split(separator: "\n").last
                .map(String.init) ?? ""
        }
        var credential = access.credential
        if case .exec(var cache) = credential {
            try runPlugin(&cache, &outcome)
            credential = .exec(cache)
        }
        outcome.authorization = try credential.authorization(at: Instant(milliseconds: 0))?.revealed
    }

    private func runPlugin(_ cache: inout ExecCredentialCache, _ outcome: inout KubectlRow.Outcome) throws {
        let plugin = cache.plugin
        guard cache.request(at: UnixTime(seconds: 0)) == .run else { return }
        let isInteractive = try plugin.isInteractive(standardInputIsTerminal: false)
        guard FileManager.default.fileExists(atPath: files.path + "/config"), plugin.command.hasPrefix("/")
        else {
            throw ExecPluginError.notFound(command: plugin.command, installHint: plugin.installHint)
        }
        outcome.execInfo = unfill(plugin.execInfo(isInteractive: isInteractive))
        if let status = plugin.environment.first(where: { $0.name == "STATUS" }) {
            throw ExecPluginError.exited(command: plugin.command, code: Int32(status.value.revealed) ?? 0)
        }
        let output = try row.answer.map { try JSONEncoder().encode($0) } ?? Data()
        cache.finished(try ExecCredential(output: [UInt8](output), of: plugin))
    }

    private static func discover(_ text: String) throws -> ResourceType {
        guard let type = try RecordedDiscovery.type(meantBy: text) else {
            throw PodSelectorError.noSuchType(text)
        }
        return type
    }

    private func search(
        _ kind: TargetKind,
        _ ports: [PortArgument],
        _ body: Data,
        _ access: ClusterAccess,
        _ timeout: TimeSpan,
        _ outcome: inout KubectlRow.Outcome
    ) throws {
        let selector = try PodSelector(of: kind, body: [UInt8](body), namespace: access.namespace)
        outcome.labelSelector = selector.labelSelector
        func pod(_ value: JSONValue) throws -> Pod {
            try APIObjects.decode(Pod.self, from: [UInt8](JSONEncoder().encode(value)))
        }
        let list = try JSONEncoder().encode(["items": JSONValue.array(row.pods ?? [])])
        var search = PodSearch(at: Instant(milliseconds: 0), timeout: timeout)
        var action = search.listed(try APIObjects.decode(PodList.self, from: [UInt8](list)))
        if case .watch = action {
            if let appearing = row.appearing {
                action = search.changed(.added(try pod(appearing))) ?? action
            } else {
                action = search.expire(at: Instant(milliseconds: 0) + timeout) ?? action
            }
        }
        switch action {
        case .found(let pod):
            // kubectl resolves the ports before it looks at the pod again.
            if kind == .service {
                let service = try APIObjects.decode(Service.self, from: [UInt8](body))
                _ = try PortArgument.resolve(ports, against: service, at: pod)
            }
            if let problem = PodNotRunning(pod) { throw problem }
            outcome.pod = pod.metadata.name
        case .failed(let error): throw error
        case .list, .watch: outcome.error = "nothing is decided"
        }
    }
}

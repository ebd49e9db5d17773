import Foundation
import Testing

/// What stands between ffwd and the cluster.
enum ProxyKind: String, Sendable, CaseIterable {
    /// tinyproxy.
    case http
    case httpWithLogin
    /// stunnel before tinyproxy, which wants a login.
    case https
    /// microsocks.
    case socks
    case socksWithLogin

    var scheme: String {
        switch self {
        case .http, .httpWithLogin: "http"
        case .https: "https"
        case .socks, .socksWithLogin: "socks5"
        }
    }

    var wantsLogin: Bool {
        switch self {
        case .http, .socks: false
        case .httpWithLogin, .https, .socksWithLogin: true
        }
    }

    /// Those that want a login.
    static let withLogin = allCases.filter(\.wantsLogin)
}

/// A running proxy on loopback.
struct Proxy {
    /// A password that no other text holds.
    static let password = "hunter2"
    static let login = "me:\(password)@"

    let kind: ProxyKind
    let port: UInt16
    /// The process that connects to the server, and logs that.
    let process: Subprocess
    /// Who signed the proxy's certificate.
    let authorityPEM: String?

    /// - Parameter rules: more lines for tinyproxy's configuration.
    init(_ kind: ProxyKind, port chosenPort: UInt16? = nil, in scenario: Scenario, rules: String = "") throws
    {
        self.kind = kind
        port = try chosenPort ?? SocketName.freePort()
        switch kind {
        case .http, .httpWithLogin:
            process = try Self.startTinyproxy(port, kind, in: scenario, rules: rules)
            authorityPEM = nil
        case .https:
            let inner = try SocketName.freePort()
            process = try Self.startTinyproxy(inner, kind, in: scenario, rules: rules)
            authorityPEM = try Self.makeCertificate(in: scenario)
            let service = """
                accept = 127.0.0.1:\(port)
                connect = 127.0.0.1:\(inner)
                cert = \(scenario.directory.path)/proxy.pem
                key = \(scenario.directory.path)/proxy.key
                """
            try Self.startStunnel("front", service, in: scenario)
        case .socks, .socksWithLogin:
            let login = kind.wantsLogin ? ["-u", "me", "-P", Self.password] : []
            process = try scenario.start(
                [try Programs.installed("microsocks"), "-i", "127.0.0.1", "-p", "\(port)"] + login
            )
            authorityPEM = nil
        }
        let port = port
        try scenario.poll(for: "the proxy's port") { (try? scenario.connect(to: port)) != nil }
    }

    private static func startTinyproxy(
        _ port: UInt16,
        _ kind: ProxyKind,
        in scenario: Scenario,
        rules: String
    ) throws -> Subprocess {
        let login = kind.wantsLogin ? "BasicAuth me \(password)\n" : ""
        let configuration = try scenario.file(
            "tinyproxy-\(port).conf",
            "Port \(port)\nListen 127.0.0.1\nAllow 127.0.0.1\nLogLevel Connect\nTimeout 600\n\(login)\(rules)\n"
        )
        return try scenario.start([try Programs.installed("tinyproxy"), "-d", "-c", configuration])
    }

    /// Starts stunnel with one service.
    static func startStunnel(_ name: String, _ service: String, in scenario: Scenario) throws {
        let configuration = try scenario.file(
            "stunnel-\(name).conf",
            "foreground = yes\npid =\nsyslog = no\n[\(name)]\n\(service)\n"
        )
        _ = try scenario.start([try Programs.installed("stunnel4"), configuration])
    }

    /// Makes `proxy.pem` and `proxy.key`: a certificate that is its own authority.
    private static func makeCertificate(in scenario: Scenario) throws -> String {
        let path = scenario.directory.appendingPathComponent("proxy").path
        let maker = try scenario.start([
            try Programs.installed("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=proxy", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", path + ".key", "-out", path + ".pem",
        ])
        #expect(try maker.waitForExit(until: scenario.deadline) == .status(0))
        return try String(contentsOfFile: path + ".pem", encoding: .utf8)
    }

    /// Its URL for a kubeconfig.
    ///
    /// - Parameter login: with the `@`; nil: the right one, where one is wanted.
    func url(login: String? = nil) -> String {
        "\(kind.scheme)://\(login ?? (kind.wantsLogin ? Self.login : ""))127.0.0.1:\(port)"
    }
}

extension Cluster {
    /// A kubeconfig like the cluster's own, by way of a proxy.
    ///
    /// - Parameters:
    ///   - url: the proxy's; nil: what the environment says.
    ///   - server: nil: the cluster's own URL. The certificate is looked for by the cluster's own name all the same.
    ///   - authorityPEM: whom to trust besides.
    func kubeconfig(proxy url: String?, server: String? = nil, trusting authorityPEM: String? = nil) throws
        -> String
    {
        var lines = try String(contentsOfFile: kubeconfig, encoding: .utf8).components(separatedBy: "\n")
        for (index, line) in lines.enumerated() {
            let indentation = String(line.prefix { $0 == " " })
            let field = line.dropFirst(indentation.count)
            if field.hasPrefix("server: ") {
                lines[index] =
                    "\(indentation)server: \(server ?? self.url)\n\(indentation)tls-server-name: 127.0.0.1"
                if let url { lines[index] += "\n\(indentation)proxy-url: \"\(url)\"" }
            }
            let key = "certificate-authority-data: "
            if let authorityPEM, field.hasPrefix(key) {
                guard let own = Data(base64Encoded: String(field.dropFirst(key.count))) else {
                    throw ScenarioError("the kubeconfig's authority is no base64")
                }
                let both = own + Data("\n".utf8) + Data(authorityPEM.utf8)
                lines[index] = indentation + key + both.base64EncodedString()
            }
        }
        let path = directory.appendingPathComponent("kubeconfig-\(UUID().uuidString)").path
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }
}

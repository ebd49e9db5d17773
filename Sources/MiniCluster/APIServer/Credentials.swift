import FastForward

/// Who may do what: users by the common name of their certificate, or by a bearer token.
struct Credentials {
    /// A user, whether it may read objects, endpoint slices among them, and the verbs that it has on pods/portforward.
    struct User {
        var name: String
        var mayRead = true
        var mayReadSlices = true
        var mayGet = true
        var mayCreate = true

        /// Whoever shows no credential.
        static let anonymous = User(
            name: "system:anonymous",
            mayRead: false,
            mayGet: false,
            mayCreate: false
        )

        var isAnonymous: Bool { name == Self.anonymous.name }
    }

    /// The users that have a token, by the end of their kubeconfig's name.
    private static let tokenUsers: [(suffix: String, user: User)] = [
        ("", User(name: "token")),
        ("-create", User(name: "token-create", mayGet: false)),
        ("-get", User(name: "token-get", mayCreate: false)),
        ("-none", User(name: "token-none", mayGet: false, mayCreate: false)),
        ("-sliceless", User(name: "token-sliceless", mayReadSlices: false)),
        ("-blind", User(name: "token-blind", mayRead: false, mayGet: false, mayCreate: false)),
    ]

    /// The tokens that a kubeconfig is written for, by the end of the file's name; that of `-forgotten` is nobody's.
    private(set) var tokens: [(suffix: String, token: String)] = []
    private var users: [String: User] = [:]
    /// When all tokens stop being known.
    private var expiry: Instant?

    init() { rotate(expiringAt: nil) }

    /// Draws new tokens; the old ones are unknown from now on.
    ///
    /// - Parameter expiry: when these are to be; nil: never.
    mutating func rotate(expiringAt expiry: Instant?) {
        self.expiry = expiry
        tokens = []
        users = [:]
        for (suffix, user) in Self.tokenUsers {
            let token = Self.randomToken()
            tokens.append((suffix, token))
            users[token] = user
        }
        tokens.append(("-forgotten", Self.randomToken()))
    }

    private static func randomToken() -> String {
        (0..<2).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) }.joined()
    }

    /// Who sends a request; nil: the credential is not ours.
    ///
    /// - Parameter commonName: of the certificate that the client showed, if any.
    func user(commonName: String?, authorization: String?, at now: Instant) -> User? {
        if let authorization {
            guard authorization.hasPrefix("Bearer "), expiry.map({ now < $0 }) ?? true else { return nil }
            return users[String(authorization.dropFirst("Bearer ".count))]
        }
        return commonName.map { User(name: $0) } ?? .anonymous
    }
}

/// Writes the file by which clients find the cluster.
enum KubeconfigWriter {
    enum Credential {
        case certificate(TLSContext.Identity)
        case token(String)
        case tokenFile(String)
        /// A plugin that prints what a file holds.
        case plugin(file: String)
    }

    static func text(server: String, authorityPEM: [UInt8], credential: Credential) -> String {
        let user =
            switch credential {
            case .certificate(let identity):
                """
                    client-certificate-data: \(Digests.base64(identity.certificatePEM))
                    client-key-data: \(Digests.base64(identity.keyPEM))
                """
            case .token(let token): "    token: \(token)"
            case .tokenFile(let path): "    tokenFile: \(path)"
            case .plugin(let path):
                """
                    exec:
                      apiVersion: client.authentication.k8s.io/v1
                      command: cat
                      args: ["\(path)"]
                      interactiveMode: Never
                """
            }
        return """
            apiVersion: v1
            kind: Config
            clusters:
            - name: minicluster
              cluster:
                server: \(server)
                certificate-authority-data: \(Digests.base64(authorityPEM))
            users:
            - name: minicluster
              user:
            \(user)
            contexts:
            - name: minicluster
              context:
                cluster: minicluster
                user: minicluster
            current-context: minicluster

            """
    }
}

/// What a credential plugin prints (client.authentication.k8s.io/v1 ExecCredential).
enum ExecCredentialWriter {
    /// - Parameter expiry: as Kubernetes writes times; nil: the token is good for as long as the plugin's caller runs.
    static func text(token: String, expiry: String?) -> String {
        var status: [(String, JSON)] = [("token", .string(token))]
        if let expiry { status.append(("expirationTimestamp", .string(expiry))) }
        let credential: JSON = [
            "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
            "status": .object(status),
        ]
        return credential.text + "\n"
    }
}

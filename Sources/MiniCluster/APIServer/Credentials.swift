import FastForward

/// Who may do what: users by the common name of their certificate, or by a bearer token.
struct Credentials {
    /// A user, whether it may read objects, and the verbs that it has on pods/portforward.
    struct User {
        let name: String
        let mayRead: Bool
        let mayGet: Bool
        let mayCreate: Bool

        /// Whoever shows no credential.
        static let anonymous = User(name: "system:anonymous", mayRead: false, mayGet: false, mayCreate: false)
    }

    /// The tokens that a kubeconfig is written for, by the end of the file's name.
    let tokens: [(suffix: String, token: String)]
    private let users: [String: User]

    /// Draws tokens at random; the last one belongs to nobody.
    init() {
        let rights = [("", true, true), ("-create", false, true), ("-none", false, false)]
        var tokens: [(suffix: String, token: String)] = []
        var users: [String: User] = [:]
        for (suffix, mayGet, mayCreate) in rights {
            let token = Self.randomToken()
            tokens.append((suffix, token))
            users[token] = User(name: "token\(suffix)", mayRead: true, mayGet: mayGet, mayCreate: mayCreate)
        }
        tokens.append(("-forgotten", Self.randomToken()))
        self.tokens = tokens
        self.users = users
    }

    private static func randomToken() -> String {
        (0..<2).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) }.joined()
    }

    /// Who sends a request; nil: the credential is not ours.
    ///
    /// - Parameter commonName: of the certificate that the client showed, if any.
    func user(commonName: String?, authorization: String?) -> User? {
        if let authorization {
            guard authorization.hasPrefix("Bearer ") else { return nil }
            return users[String(authorization.dropFirst("Bearer ".count))]
        }
        guard let commonName else { return .anonymous }
        return User(name: commonName, mayRead: true, mayGet: true, mayCreate: true)
    }
}

/// Writes the file by which clients find the cluster.
enum KubeconfigWriter {
    enum Credential {
        case certificate(TLSContext.Identity)
        case token(String)
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

#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

/// A certificate and its private key, as the TLS layer takes them.
package struct ClientIdentity: Hashable, Sendable {
    /// A chain, the leaf first.
    package let certificatePEM: [UInt8]
    package let keyPEM: Redacted<[UInt8]>
}

/// What one connection shows the server.
package struct IssuedCredential: Equatable, Sendable {
    /// By which it is refused: another one of the same credential has another number.
    package let number: Int
    /// The value of the `Authorization` header.
    package var authorization: Redacted<String>?
    /// The certificate that a plugin gave.
    package var identity: ClientIdentity?
    /// Whether it was made for the one who asked, so that another one would be no better.
    package var isFresh = false
}

/// How a user proves who he is, but for the certificate of a kubeconfig.
package enum Credential: Equatable, Sendable {
    case none
    case bearer(Redacted<String>)
    case tokenFile(TokenFile)
    case basic(username: String, password: Redacted<String>)
    /// What a plugin gives; the driver runs it.
    case exec(ExecCredentialCache)

    package enum Verdict: Equatable, Sendable {
        case use(IssuedCredential)
        /// Run the plugin, then call ``Credential/pluginEnded(_:)``.
        case run(ExecPlugin)
        /// The plugin is being run; what it gives is for all who wait.
        case wait
    }

    /// Asks for what to show at `now`, reading a token file where it is due.
    ///
    /// - Parameter wallTime: the same moment by the clock in which plugins tell when a credential expires.
    package mutating func request(at now: Instant, wallTime: UnixTime) throws(KubeconfigError) -> Verdict {
        switch self {
        case .none: return .use(IssuedCredential(number: 0))
        case .bearer(let token):
            return .use(IssuedCredential(number: 0, authorization: Redacted("Bearer \(token.revealed)")))
        case .basic(let username, let password):
            // RFC 7617 §2.
            let pair = Data("\(username):\(password.revealed)".utf8).base64EncodedString()
            return .use(IssuedCredential(number: 0, authorization: Redacted("Basic \(pair)")))
        case .tokenFile(var file):
            defer { self = .tokenFile(file) }
            let lastRead = file.readNumber
            let token = try file.token(at: now)
            return .use(
                IssuedCredential(
                    number: file.readNumber,
                    authorization: Redacted("Bearer \(token.revealed)"),
                    isFresh: file.readNumber != lastRead || file.usesFallback
                )
            )
        case .exec(var cache):
            defer { self = .exec(cache) }
            switch cache.request(at: wallTime) {
            case .run: return .run(cache.plugin)
            case .wait: return .wait
            case .use(let lease): return .use(lease.issued)
            }
        }
    }

    /// Whether a request now would run a plugin that may ask a person.
    package func wouldAsk(wallTime: UnixTime, standardInputIsTerminal: Bool) -> Bool {
        guard case .exec(let cache) = self, cache.wouldRun(at: wallTime) else { return false }
        return (try? cache.plugin.isInteractive(standardInputIsTerminal: standardInputIsTerminal)) ?? false
    }

    /// Records the end of the plugin's run; nil: it gave no credential.
    ///
    /// - Returns: what those who waited use, even if it has expired already.
    package mutating func pluginEnded(_ credential: ExecCredential?) -> IssuedCredential? {
        guard case .exec(var cache) = self else { return nil }
        cache.finished(credential)
        self = .exec(cache)
        guard var issued = cache.held?.issued else { return nil }
        issued.isFresh = true
        return issued
    }

    /// Records that the server did not take the credential of this number (401).
    ///
    /// - Returns: whether the next ``request(at:wallTime:)`` may give another one.
    package mutating func wasRefused(_ number: Int) -> Bool {
        switch self {
        case .none, .bearer, .basic: return false
        case .tokenFile(var file):
            file.wasRefused(number)
            self = .tokenFile(file)
        case .exec(var cache):
            cache.wasRefused(number)
            self = .exec(cache)
        }
        return true
    }
}

extension ExecCredentialCache.Lease {
    fileprivate var issued: IssuedCredential {
        IssuedCredential(
            number: number,
            authorization: credential.token.map { Redacted("Bearer \($0.revealed)") },
            identity: credential.identity
        )
    }
}

/// A file that holds a token, which its owner replaces from time to time.
///
/// As client-go does it (`transport/token_source.go`): a token is used for a minute less ten seconds of leeway,
/// then the file is read again; while it cannot be read, the old token goes on, or else the kubeconfig's own.
package struct TokenFile: Equatable, Sendable {
    /// client-go reads again after 60 s, and counts a token as expired 10 s early.
    package static let useSpan = TimeSpan.seconds(50)

    package let path: String
    /// For an error text: `user "x"`.
    let entry: String
    /// The kubeconfig that names this file.
    let definedIn: String
    /// What the kubeconfig has for a token besides: it stands in while the file gives none.
    private let fallback: Redacted<String>?
    /// How often a token was read from it.
    private(set) var readNumber = 0
    private var cached: Cached?

    private struct Cached: Equatable, Sendable {
        let token: Redacted<String>
        let readAt: Instant
    }

    package init(path: String, entry: String, definedIn: String, fallback: Redacted<String>? = nil) {
        self.path = path
        self.entry = entry
        self.definedIn = definedIn
        self.fallback = fallback
    }

    /// The token at `now`.
    package mutating func token(at now: Instant) throws(KubeconfigError) -> Redacted<String> {
        if let cached, now - cached.readAt < Self.useSpan { return cached.token }
        do throws(KubeconfigError) {
            let token = try read()
            cached = Cached(token: token, readAt: now)
            readNumber += 1
            return token
        } catch {
            guard let token = cached?.token ?? fallback else { throw error }
            return token
        }
    }

    /// Whether the last token was the kubeconfig's own; asking again gives no other.
    var usesFallback: Bool { cached == nil && fallback != nil }

    /// Makes the next ``token(at:)`` read the file.
    package mutating func forget() {
        cached = nil
    }

    /// Forgets the token that was read as this one, if it is still the last.
    mutating func wasRefused(_ number: Int) {
        if number == readNumber { forget() }
    }

    private func read() throws(KubeconfigError) -> Redacted<String> {
        let bytes: [UInt8]
        do throws(FileProblem) {
            bytes = try BoundedFile.read(path)
        } catch {
            throw .tokenFile(error)
        }
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let trimmed = bytes.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
        guard !trimmed.isEmpty else { throw .emptyTokenFile(path: path) }
        let token = String(decoding: trimmed, as: UTF8.self)
        guard token.isHeaderSafe else {
            throw .unprintable(field: "the token in \(path)", entry: entry, file: definedIn)
        }
        return Redacted(token)
    }
}

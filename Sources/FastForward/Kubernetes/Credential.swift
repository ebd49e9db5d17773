#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

/// A certificate and its private key, as the TLS layer takes them.
package struct ClientIdentity: Hashable, Sendable {
    /// A chain, the leaf first.
    package let certificatePEM: [UInt8]
    package let keyPEM: Redacted<[UInt8]>
}

/// What goes into the `Authorization` header of every request.
package enum Credential: Equatable, Sendable {
    case none
    case bearer(Redacted<String>)
    case tokenFile(TokenFile)
    case basic(username: String, password: Redacted<String>)
    /// What a plugin gives; the driver runs it and keeps the cache up to date.
    case exec(ExecCredentialCache)

    /// The header's value at `now`, reading a token file where it is due.
    package mutating func authorization(at now: Instant) throws(KubeconfigError) -> Redacted<String>? {
        switch self {
        case .none: return nil
        case .bearer(let token): return Redacted("Bearer \(token.revealed)")
        case .basic(let username, let password):
            // RFC 7617 §2.
            let pair = Data("\(username):\(password.revealed)".utf8).base64EncodedString()
            return Redacted("Basic \(pair)")
        case .exec(let cache):
            guard let lease = cache.held else { throw .pluginNotRun(command: cache.plugin.command) }
            return lease.credential.token.map { Redacted("Bearer \($0.revealed)") }
        case .tokenFile(var file):
            defer { self = .tokenFile(file) }
            return Redacted("Bearer \(try file.token(at: now).revealed)")
        }
    }

    /// Records that the server refused the credential (401): what was cached is read again.
    package mutating func wasRefused() {
        switch self {
        case .none, .bearer, .basic: return
        case .tokenFile(var file):
            file.forget()
            self = .tokenFile(file)
        case .exec(var cache):
            if let lease = cache.held { cache.wasRefused(lease.number) }
            self = .exec(cache)
        }
    }
}

/// A file that holds a token, which its owner replaces from time to time.
///
/// As client-go does it (`transport/token_source.go`): a token is used for a minute less ten seconds of leeway,
/// then the file is read again; while it cannot be read, the old token goes on.
package struct TokenFile: Equatable, Sendable {
    /// client-go reads again after 60 s, and counts a token as expired 10 s early.
    package static let useSpan = TimeSpan.seconds(50)

    package let path: String
    /// For an error text: `user "x"`.
    let entry: String
    /// The kubeconfig that names this file.
    let definedIn: String
    private var cached: Cached?

    private struct Cached: Equatable, Sendable {
        let token: Redacted<String>
        let readAt: Instant
    }

    package init(path: String, entry: String, definedIn: String) {
        self.path = path
        self.entry = entry
        self.definedIn = definedIn
    }

    /// The token at `now`.
    package mutating func token(at now: Instant) throws(KubeconfigError) -> Redacted<String> {
        if let cached, now - cached.readAt < Self.useSpan { return cached.token }
        do throws(KubeconfigError) {
            let token = try read()
            cached = Cached(token: token, readAt: now)
            return token
        } catch {
            guard let cached else { throw error }
            return cached.token
        }
    }

    /// Makes the next ``token(at:)`` read the file.
    package mutating func forget() {
        cached = nil
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

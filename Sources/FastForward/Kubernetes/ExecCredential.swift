#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

/// What a credential plugin printed: a token, or a certificate and its key, or both.
///
/// Source: client-go `pkg/apis/clientauthentication/v1/types.go`, `plugin/pkg/client/auth/exec/exec.go`
/// (refreshCredsLocked).
package struct ExecCredential: Equatable, Sendable {
    /// A certificate chain, a key and a token of 8 KiB each are already unusual.
    package static let outputBytesMax = 1 << 20

    package let token: Redacted<String>?
    package let identity: ClientIdentity?
    /// nil: good until the server refuses it.
    package let expiresAt: UnixTime?

    package init(token: Redacted<String>?, identity: ClientIdentity?, expiresAt: UnixTime?) {
        self.token = token
        self.identity = identity
        self.expiresAt = expiresAt
    }

    /// Reads all that the plugin wrote to its standard output.
    package init(output: [UInt8], of plugin: ExecPlugin) throws(ExecPluginError) {
        guard output.count <= Self.outputBytesMax else { throw .outputTooLong(bytesMax: Self.outputBytesMax) }
        let answer = try Self.answer(in: output)
        guard answer.kind == "ExecCredential" else {
            throw .malformed(problem: "its kind is no ExecCredential")
        }
        guard answer.apiVersion == plugin.apiVersion.rawValue else {
            throw .otherVersion(expected: plugin.apiVersion.rawValue, found: answer.apiVersion ?? "")
        }
        guard let status = answer.status else { throw .noStatus }
        let certificate = status.clientCertificateData.nonEmpty
        let key = status.clientKeyData.flatMap { $0.revealed.isEmpty ? nil : $0 }
        let token = status.token.flatMap { $0.revealed.isEmpty ? nil : $0 }
        guard token != nil || certificate != nil || key != nil else { throw .noCredential }
        if let token, !token.revealed.isHeaderSafe { throw .unprintableToken }
        self.token = token
        switch (certificate, key) {
        case (.some(let certificate), .some(let key)):
            for (part, text) in [("certificate", certificate), ("key", key.revealed)]
            where !Array(text.utf8).looksLikePEM {
                throw .noPEM(part: part)
            }
            identity = ClientIdentity(
                certificatePEM: Array(certificate.utf8),
                keyPEM: Redacted(Array(key.revealed.utf8))
            )
        case (nil, nil): identity = nil
        case (.some, nil), (nil, .some): throw .half
        }
        guard let text = status.expirationTimestamp.nonEmpty else {
            expiresAt = nil
            return
        }
        guard let time = UnixTime(rfc3339: text) else { throw .badExpiration }
        expiresAt = time
    }

    private static func answer(in output: [UInt8]) throws(ExecPluginError) -> Answer {
        guard !output.allSatisfy(\.isJSONSpace) else {
            throw .malformed(problem: "the plugin printed nothing")
        }
        do throws(APIObjectError) {
            return try APIObjects.decode(Answer.self, from: output)
        } catch {
            switch error {
            case .tooLarge, .tooManyValues: throw .outputTooLong(bytesMax: outputBytesMax)
            case .malformed(let problem):
                guard [APIObjects.noJSON, APIObjects.noObject].contains(problem) else {
                    throw .malformed(problem: "unreadable \(problem)")
                }
                if let problem = ending(of: output) {
                    throw .malformed(problem: "couldn't get version/kind; json parse error: \(problem)")
                }
                // client-go takes YAML as well.
                guard let tree = try? YAMLTreeBuilder.tree(of: output),
                    let answer = try? tree.decode(Answer.self)
                else { throw .malformed(problem: "it is not JSON") }
                return answer
            }
        }
    }

    /// What is wrong behind the JSON object that `output` begins with, in Go's words (`encoding/json`, scanner.go);
    /// nil where that ends in order or there is none.
    ///
    /// As YAML it could be read, but no client should differ in which of two credentials it takes.
    private static func ending(of output: [UInt8]) -> String? {
        var rest = output.drop(while: \.isJSONSpace)
        guard rest.first == UInt8(ascii: "{") else { return nil }
        var depth = 0
        var isInString = false
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\\") where isInString: _ = rest.popFirst()
            case UInt8(ascii: "\""): isInString.toggle()
            case UInt8(ascii: "{") where !isInString, UInt8(ascii: "[") where !isInString: depth += 1
            case UInt8(ascii: "}") where !isInString, UInt8(ascii: "]") where !isInString: depth -= 1
            case _: break
            }
            if depth == 0 { break }
        }
        guard depth == 0 else { return "unexpected end of JSON input" }
        guard let next = rest.first(where: { !$0.isJSONSpace }) else { return nil }
        return
            "invalid character '\(String(Unicode.Scalar(next)).escapedForTerminal())' after top-level value"
    }

    private struct Answer: Decodable {
        struct Status: Decodable {
            var token: Redacted<String>?
            var clientCertificateData: String?
            var clientKeyData: Redacted<String>?
            var expirationTimestamp: String?
        }

        var kind: String?
        var apiVersion: String?
        var status: Status?
    }
}

extension UInt8 {
    /// RFC 8259 §2.
    fileprivate var isJSONSpace: Bool {
        switch self {
        case 0x20, 0x09, 0x0A, 0x0D: true
        case _: false
        }
    }
}

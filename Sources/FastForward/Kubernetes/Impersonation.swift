/// Whom the requests speak for: the identity that the API server should take the user for.
///
/// Source: client-go `transport/round_trippers.go` (impersonatingRoundTripper). It goes with every request,
/// encrypted or not, and is no credential: the server asks whether the user may do so.
package struct Impersonation: Equatable, Sendable {
    package var user: String
    package var uid: String
    package var groups: [String]
    package var extra: [String: [String]]

    package init(user: String, uid: String = "", groups: [String] = [], extra: [String: [String]] = [:]) {
        self.user = user
        self.uid = uid
        self.groups = groups
        self.extra = extra
    }

    /// The headers to add, in a fixed order; a name may be there several times.
    package var fields: HTTPFields {
        var fields = HTTPFields()
        fields.append("Impersonate-User", user)
        if !uid.isEmpty { fields.append("Impersonate-Uid", uid) }
        for group in groups { fields.append("Impersonate-Group", group) }
        for (key, values) in extra.sorted(by: { $0.key < $1.key }) {
            for value in values { fields.append("Impersonate-Extra-" + Self.headerKey(key), value) }
        }
        return fields
    }

    /// `key` as a part of a header's name: lower case, and encoded where a token may not have it.
    ///
    /// Source: headerKeyEscape in the same file; the legal bytes are those of RFC 9110 §5.6.2, but for the percent
    /// sign.
    static func headerKey(_ key: String) -> String {
        var result = ""
        for byte in key.utf8 {
            let isLegal = byte.isASCIILetterOrDigit || "!#$&'*+-.^_`|~".utf8.contains(byte)
            PercentEncoding.append(byte, to: &result, keeping: { _ in isLegal })
        }
        // Go lower-cases the key before the server reads it; escapes are read in any case.
        return String(
            decoding: result.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 },
            as: UTF8.self
        )
    }

    /// The name of what cannot stand in a header; nil where all can.
    var unprintableField: String? {
        if !user.isFieldValue { return "the name to impersonate (as)" }
        if !uid.isFieldValue { return "the uid to impersonate (as-uid)" }
        if !groups.allSatisfy(\.isFieldValue) { return "a group to impersonate (as-groups)" }
        if !extra.values.joined().allSatisfy(\.isFieldValue) { return "an extra value (as-user-extra)" }
        return nil
    }
}

extension String {
    /// Whether this may stand in a header: no control characters, no blank at its ends (RFC 9110 §5.5).
    ///
    /// Names of users need not be ASCII; the bytes are sent as they are, as kubectl does.
    var isFieldValue: Bool {
        !hasControlCharacters && !hasPrefix(" ") && !hasSuffix(" ")
    }
}

/// Why a proxy did not connect us.
///
/// The texts go on from `the proxy http://host:port `. No case carries the login.
package enum ProxyError: Error, Equatable {
    // Either kind.
    /// The proxy asks who we are, and we have nothing to say.
    case loginWanted
    /// The proxy does not take our user and password.
    case loginRefused
    /// The user or the password does not fit where it has to go.
    case loginTooLong(limitBytes: Int)

    // HTTP.
    /// The answer, or what we would ask, is no HTTP.
    case http(HTTPError)
    /// `text`: what the answer's body says, one line; may be empty, as `reason` may.
    case refused(status: Int, reason: String, text: String)
    /// The proxy takes none of the ways to authenticate that we know; `schemes` are those it takes.
    case authenticationUnsupported(schemes: [String])
    case tooManyInterimAnswers(limit: Int)

    // SOCKS.
    /// The answer does not begin with the version of SOCKS 5.
    case notSOCKS5(firstByte: UInt8)
    /// The proxy chose a way to authenticate that we did not offer.
    case methodNotOffered(UInt8)
    /// The answer to the login has another version than RFC 1929.
    case loginVersion(UInt8)
    /// The proxy's answer to the request (RFC 1928 §6), not 0.
    case notConnected(code: UInt8)
    /// The kind of address in the answer is none of RFC 1928's.
    case unknownAddressType(UInt8)
    /// A host name of more than 255 bytes, or of none.
    case nameNotSendable(bytes: Int)
}

extension ProxyError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .loginWanted:
            "wants a user and a password (write them into its URL: SCHEME://USER:PASSWORD@HOST:PORT)"
        case .loginRefused:
            "does not accept the user and the password (check them in its URL)"
        case .loginTooLong(let limitBytes):
            "cannot be told the user and the password: one is empty or longer than \(limitBytes) bytes"
        case .http(let error):
            "is no HTTP proxy: \(error)"
        case .refused(let status, let reason, let text):
            Self.refusalText(status, reason, text)
        case .authenticationUnsupported(let schemes):
            "wants to authenticate us by \(schemes.joined(separator: " or ")), only Basic is supported "
                + "(let a local proxy that can do that stand in between)"
        case .tooManyInterimAnswers(let limit):
            "sent more than \(limit) interim answers"
        case .notSOCKS5(let firstByte):
            "is no SOCKS 5 proxy: its answer begins with byte \(firstByte) (check its URL's scheme and port)"
        case .methodNotOffered(let method):
            "chose the authentication method \(method), which was not offered to it"
        case .loginVersion(let version):
            "answered the login in version \(version), not 1 (RFC 1929)"
        case .notConnected(let code):
            "did not connect: \(Self.replyText(code))"
        case .unknownAddressType(let type):
            "answered with an address of the unknown type \(type) (RFC 1928 §6)"
        case .nameNotSendable(let bytes):
            "cannot be told a host name of \(bytes) bytes: SOCKS wants 1 to 255"
        }
    }

    private static func refusalText(_ status: Int, _ reason: String, _ text: String) -> String {
        let advice =
            switch status {
            case 403, 405: " (its rules must allow CONNECT to this host and port)"
            case 502, 503, 504: " (is the server up, and can the proxy resolve its name?)"
            case _: ""
            }
        return "did not connect: \(status)" + (reason.isEmpty ? "" : " \(reason)")
            + (text.isEmpty ? "" : ": \(text)") + advice
    }

    /// RFC 1928 §6.
    private static func replyText(_ code: UInt8) -> String {
        switch code {
        case 1: "general failure (is the server up?)"
        case 2: "its rules do not allow it"
        case 3: "the server's network is unreachable"
        case 4: "the server's host is unreachable (can the proxy resolve its name?)"
        case 5: "the server refused the connection (is it up, is the port right?)"
        case 6: "the time to live expired on the way to the server"
        case 7: "it does not support CONNECT"
        case 8: "it does not support this kind of address"
        case _: "it gave the unknown code \(code)"
        }
    }
}

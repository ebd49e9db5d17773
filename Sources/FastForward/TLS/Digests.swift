internal import COpenSSL

/// Digests and encodings that the protocols need and OpenSSL has.
package enum Digests {
    /// What a server must answer to a `Sec-WebSocket-Key` (RFC 6455 §4.2.2): base64 of the SHA-1 of the key and a
    /// fixed text.
    package static func webSocketAccept(forKey key: String) -> String {
        let text = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        unsafe _ = SHA1(text, text.count, &digest)
        return base64(digest)
    }

    /// Base64 with padding (RFC 4648 §4).
    package static func base64(_ bytes: [UInt8]) -> String {
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let count = unsafe EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
        return String(decoding: text[..<Int(count)], as: UTF8.self)
    }

    /// A fresh `Sec-WebSocket-Key`: base64 of 16 random bytes.
    package static func randomWebSocketKey() -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        let code = unsafe RAND_bytes(&bytes, 16)
        precondition(code == 1, "the kernel's random generator failed")
        return base64(bytes)
    }
}

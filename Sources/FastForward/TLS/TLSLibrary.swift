internal import COpenSSL

/// OpenSSL as a whole, before there is any context.
package enum TLSLibrary {
    /// Has the end of the process leave OpenSSL's memory as it is.
    ///
    /// Must come before anything else of this layer; then a thread may still be in OpenSSL when the process ends.
    package static func skipCleanup() {
        _ = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
    }

    /// Has OpenSSL look up what a client's first connection needs; it remembers all of it.
    ///
    /// The first context of a process takes 3 ms, each later one a tenth of that: names of algorithms are made, and their
    /// providers asked for each. Other threads may use this layer meanwhile.
    package static func prepare() {
        defer { ERR_clear_error() }
        guard let context = try? TLSContext(trust: .anybody, identity: nil),
            let ssl = unsafe SSL_new(context.context)
        else { return }
        // A first message: random numbers and key exchange.
        if let input = unsafe BIO_new(BIO_s_mem()), let output = unsafe BIO_new(BIO_s_mem()) {
            unsafe SSL_set_bio(ssl, input, output)
            unsafe SSL_set_connect_state(ssl)
            unsafe _ = SSL_do_handshake(ssl)
        }
        unsafe SSL_free(ssl)
        // The readers of keys: every certificate has one.
        ffwd_find_key_readers()
    }
}

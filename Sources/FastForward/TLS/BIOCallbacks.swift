internal import COpenSSL

/// The one place where OpenSSL's BIO and our session meet.
///
/// The BIO's data holds an unretained reference: the session owns its SSL, which owns its BIO, so the session
/// outlives every call.
@unsafe enum BIOCallbacks {
    /// A method table whose BIOs read from and write to a ``TLSSession``.
    static func makeMethod() -> OpaquePointer? {
        guard let method = unsafe BIO_meth_new(BIO_TYPE_SOURCE_SINK, "ffwd session") else { return nil }
        unsafe BIO_meth_set_read(method, read)
        unsafe BIO_meth_set_write(method, write)
        unsafe BIO_meth_set_ctrl(method, control)
        return unsafe method
    }

    static func tie(_ bio: OpaquePointer, to session: TLSSession) {
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(session).toOpaque())
        unsafe BIO_set_init(bio, 1)
    }

    /// Has each ticket that comes to a client's session kept by the session's context.
    static func keepTickets(of context: OpaquePointer) {
        unsafe ffwd_ctx_keep_tickets(context, ticket)
    }

    /// Answers 0: the ticket remains OpenSSL's.
    private static let ticket: @convention(c) (OpaquePointer?, OpaquePointer?) -> Int32 = { ssl, ticket in
        guard let bio = unsafe SSL_get_rbio(ssl), let data = unsafe BIO_get_data(bio),
            let ticket = unsafe ticket
        else { return 0 }
        unsafe Unmanaged<TLSSession>.fromOpaque(data)._withUnsafeGuaranteedRef {
            unsafe $0.keep(ticket: ticket)
        }
        return 0
    }

    private static let read: @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>?, Int32) -> Int32 = {
        bio,
        target,
        count in
        guard let bio = unsafe bio, let data = unsafe BIO_get_data(bio), let target = unsafe target else {
            return -1
        }
        unsafe ffwd_bio_clear_retry(bio)
        return unsafe Unmanaged<TLSSession>.fromOpaque(data)._withUnsafeGuaranteedRef { session in
            let taken = unsafe session.takeCiphertext(into: target, atMost: Int(count))
            guard taken == 0 else { return Int32(taken) }
            unsafe ffwd_bio_want_read(bio)
            return -1
        }
    }

    private static let write: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, Int32) -> Int32 = {
        bio,
        source,
        count in
        guard let bio = unsafe bio, let data = unsafe BIO_get_data(bio), let source = unsafe source else {
            return -1
        }
        unsafe ffwd_bio_clear_retry(bio)
        return unsafe Unmanaged<TLSSession>.fromOpaque(data)._withUnsafeGuaranteedRef { session in
            unsafe session.giveCiphertext(RawSpan(_unsafeStart: source, byteCount: Int(count)))
            return count
        }
    }

    private static let control: @convention(c) (OpaquePointer?, Int32, Int, UnsafeMutableRawPointer?) -> Int =
        {
            _,
            command,
            _,
            _ in
            command == BIO_CTRL_FLUSH ? 1 : 0
        }

    /// Frees what OpenSSL gave out.
    static func free(_ method: OpaquePointer?) { unsafe BIO_meth_free(method) }
}

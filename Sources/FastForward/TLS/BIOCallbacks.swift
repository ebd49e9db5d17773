internal import COpenSSL

/// The one place where OpenSSL's BIO and our session meet.
///
/// The BIO's data is the session's ``TLSSession/ends``, which hold an unretained reference: the session owns its SSL,
/// which owns its BIO, so the session outlives every call.
@unsafe enum BIOCallbacks {
    static func tie(
        _ bio: OpaquePointer,
        to ends: UnsafeMutablePointer<ffwd_bio_ends>,
        of session: TLSSession
    ) {
        unsafe ends.initialize(to: ffwd_bio_ends(bytes: nil, count: 0, give: give, session: nil))
        unsafe ends.pointee.session = Unmanaged.passUnretained(session).toOpaque()
        unsafe BIO_set_data(bio, ends)
        unsafe BIO_set_init(bio, 1)
    }

    /// Has each ticket that comes to a client's session kept by the session's context.
    static func keepTickets(of context: OpaquePointer) {
        unsafe ffwd_ctx_keep_tickets(context, ticket)
    }

    /// Answers 0: the ticket remains OpenSSL's.
    private static let ticket: @convention(c) (OpaquePointer?, OpaquePointer?) -> Int32 = { ssl, ticket in
        guard let bio = unsafe SSL_get_rbio(ssl),
            let ends = unsafe BIO_get_data(bio)?.assumingMemoryBound(to: ffwd_bio_ends.self),
            let session = unsafe ends.pointee.session, let ticket = unsafe ticket
        else { return 0 }
        unsafe Unmanaged<TLSSession>.fromOpaque(session)._withUnsafeGuaranteedRef {
            unsafe $0.keep(ticket: ticket)
        }
        return 0
    }

    private static let give: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, Int) -> Void = {
        session,
        bytes,
        count in
        guard let session = unsafe session, let bytes = unsafe bytes else { return }
        unsafe Unmanaged<TLSSession>.fromOpaque(session)._withUnsafeGuaranteedRef { session in
            unsafe session.giveCiphertext(RawSpan(_unsafeStart: bytes, byteCount: count))
        }
    }

    /// Frees what OpenSSL gave out.
    static func free(_ method: OpaquePointer?) { unsafe BIO_meth_free(method) }
}

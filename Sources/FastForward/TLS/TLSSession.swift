internal import COpenSSL

/// One TLS connection without its transport: ciphertext in, plaintext out, and the other way round.
///
/// Theory of operation. OpenSSL's BIO reads from ``input``, which the transport fills and which is lent to the BIO for
/// the time of a call, and writes to ``output``, which the transport sends. The input runs dry often, which OpenSSL takes
/// for "try again later"; the output never refuses, so a write is always whole, and whoever sends bounds it by not
/// writing more while it is long.
///
/// OpenSSL copies each record once in and once out; nothing else is copied.
@safe package final class TLSSession {
    /// What a read came to.
    package enum ReadOutcome: Equatable {
        /// The buffer is full; there may be more.
        case filled
        /// All that was there has been read; more ciphertext is needed.
        case drained
        /// The peer has ended its direction with close_notify.
        case ended
    }

    private static let recordBytes = 16 * 1024

    /// Ciphertext that has come; the session consumes it.
    package let input: BufferBox
    /// Ciphertext to be sent.
    package var output: WriteQueue

    /// Records after which the sending key is renewed: AES-GCM's limit is 2^24.5 (RFC 8446 §5.5), and OpenSSL 3.0
    /// does not renew by itself.
    package var recordsPerKeyMax = 1 << 22

    private let ssl: OpaquePointer
    /// What the BIO reads and writes.
    private let ends: UnsafeMutablePointer<ffwd_bio_ends>
    private let context: TLSContext
    private let serverName: String
    private var recordsUnderKey = 0
    private var hasSaidGoodbye = false
    /// Whether plaintext may be written: from the end of the handshake to ``closeNotify()``.
    package private(set) var isOpen = false

    /// A client's session.
    ///
    /// - Parameters:
    ///   - serverName: what the certificate must name: a host name or an IP address.
    ///   - input: shared with the transport.
    package convenience init(
        client context: TLSContext,
        serverName: String,
        input: BufferBox,
        pool: BufferPool
    ) throws(TLSError) {
        try self.init(context: context, serverName: serverName, input: input, pool: pool)
        let isAddress = SocketAddressText.isNumeric(serverName)
        // RFC 6066 §3: no addresses in the server name.
        if !isAddress { unsafe _ = ffwd_set_server_name(ssl, serverName) }
        if context.verifiesPeer {
            let parameters = unsafe SSL_get0_param(ssl)
            let accepted =
                unsafe isAddress
                ? X509_VERIFY_PARAM_set1_ip_asc(parameters, serverName) : SSL_set1_host(ssl, serverName)
            guard accepted == 1 else {
                throw .material(what: "the server name \(serverName)", reason: TLSError.lastReason())
            }
        }
        unsafe SSL_set_connect_state(ssl)
        unsafe context.offerTicket(by: ssl, to: serverName)
    }

    /// A server's session.
    package convenience init(server context: TLSContext, input: BufferBox, pool: BufferPool) throws(TLSError)
    {
        try self.init(context: context, serverName: "", input: input, pool: pool)
        unsafe SSL_set_accept_state(ssl)
    }

    private init(
        context: TLSContext,
        serverName: String,
        input: BufferBox,
        pool: BufferPool
    ) throws(TLSError) {
        guard let ssl = unsafe SSL_new(context.context) else { throw .exhausted(what: "a TLS session") }
        unsafe self.ssl = ssl
        unsafe ends = .allocate(capacity: 1)
        self.context = context
        self.serverName = serverName
        self.input = input
        output = WriteQueue(pool: pool)
        guard let bio = unsafe BIO_new(context.method) else { throw .exhausted(what: "a BIO") }
        unsafe BIOCallbacks.tie(bio, to: ends, of: self)
        // The session now owns the BIO, once for each direction of the same object.
        unsafe SSL_set_bio(ssl, bio, bio)
    }

    deinit {
        unsafe SSL_free(ssl)
        unsafe ends.deallocate()
    }

    // MARK: The handshake

    /// Goes as far with the handshake as the ciphertext that has come allows.
    ///
    /// - Returns: whether the session is open now.
    package func handshake() throws(TLSError) -> Bool {
        guard !isOpen, !hasSaidGoodbye else { return isOpen }
        ERR_clear_error()
        lendInput()
        let code = unsafe SSL_do_handshake(ssl)
        takeInputBack()
        if code == 1 {
            isOpen = true
            return true
        }
        switch unsafe SSL_get_error(ssl, code) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
            return false
        default:
            throw handshakeError()
        }
    }

    private func handshakeError() -> TLSError {
        let verification = unsafe SSL_get_verify_result(ssl)
        let reason = TLSError.lastReason()
        guard context.verifiesPeer, verification != Int(X509_V_OK) else {
            return .failed(during: "handshake", reason: reason)
        }
        let text = unsafe X509_verify_cert_error_string(verification)
        return .certificateNotVerified(
            serverName: serverName,
            reason: unsafe text.map { unsafe String(cString: $0) } ?? reason
        )
    }

    /// The protocol and the cipher, such as `TLSv1.3 TLS_AES_128_GCM_SHA256`.
    package var negotiated: String {
        let version = unsafe SSL_get_version(ssl).map { unsafe String(cString: $0) } ?? "?"
        let cipher =
            unsafe SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { unsafe String(cString: $0) } ?? "?"
        return "\(version) \(cipher)"
    }

    /// The common name in the certificate that the peer showed and that verified; nil: it showed none.
    package var peerCommonName: String? {
        guard unsafe SSL_get_verify_result(ssl) == Int(X509_V_OK),
            let certificate = unsafe SSL_get1_peer_certificate(ssl)
        else { return nil }
        defer { unsafe X509_free(certificate) }
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
            let subject = unsafe X509_get_subject_name(certificate)
            let count = unsafe X509_NAME_get_text_by_NID(subject, NID_commonName, text.baseAddress, 256)
            guard count >= 0, let start = text.baseAddress else { return nil }
            return unsafe String(cString: start)
        }
    }

    /// Whether this goes on from an earlier session, by its ticket.
    package var isResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }

    @unsafe func keep(ticket: OpaquePointer) { unsafe context.keep(ticket: ticket, of: serverName) }

    // MARK: Plaintext

    /// Decrypts what has come into the tailroom of `buffer` until that is full or the input is drained.
    package func read(into buffer: inout ByteBuffer) throws(TLSError) -> ReadOutcome {
        forgetEarlierErrors()
        lendInput()
        defer { takeInputBack() }
        while buffer.tailroomBytes > 0 {
            let target = unsafe buffer.tail()
            var count = 0
            let code = unsafe SSL_read_ex(ssl, target.baseAddress, target.count, &count)
            if code == 1 {
                buffer.commit(count)
                // One call more would only tell that there is nothing.
                guard unsafe ends.pointee.count > 0 || SSL_pending(ssl) > 0 else { return .drained }
                continue
            }
            switch unsafe SSL_get_error(ssl, code) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .drained
            case SSL_ERROR_ZERO_RETURN: return .ended
            default: throw .failed(during: "transfer", reason: TLSError.lastReason())
            }
        }
        return .filled
    }

    /// Encrypts all of `plaintext` into ``output``, in records of up to 16 KiB.
    package func write(_ plaintext: RawSpan) throws(TLSError) {
        guard plaintext.byteCount > 0 else { return }
        precondition(isOpen, "plaintext before the handshake or after the goodbye")
        forgetEarlierErrors()
        recordsUnderKey += (plaintext.byteCount + Self.recordBytes - 1) / Self.recordBytes
        if recordsUnderKey > recordsPerKeyMax { renewKey() }
        var count = 0
        let code = unsafe plaintext.withUnsafeBytes {
            unsafe SSL_write_ex(ssl, $0.baseAddress, $0.count, &count)
        }
        guard code == 1, count == plaintext.byteCount else {
            throw .failed(during: "transfer", reason: TLSError.lastReason())
        }
    }

    /// So that what fails next is not taken for what failed before; clearing costs more than looking.
    private func forgetEarlierErrors() {
        if ERR_peek_error() != 0 { ERR_clear_error() }
    }

    /// Takes a new key for sending with the next ``write(_:)`` (RFC 8446 §4.6.3); TLS 1.2 knows no such thing.
    ///
    /// - Parameter asksPeer: whether the peer is to do so too, which is an answer from it.
    package func renewKey(asksPeer: Bool = false) {
        guard unsafe SSL_version(ssl) == TLS1_3_VERSION else { return }
        recordsUnderKey = 0
        let kind = asksPeer ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED
        unsafe _ = SSL_key_update(ssl, Int32(kind))
    }

    /// Encrypts all that `queue` holds, and empties it: for a session within this one.
    package func write(_ queue: inout WriteQueue) throws(TLSError) {
        while !queue.isEmpty {
            var count = 0
            var failure: TLSError?
            unsafe queue.forEachSlice(1) { start, length in
                count = length
                do throws(TLSError) {
                    try unsafe write(RawSpan(_unsafeStart: UnsafeRawPointer(start), byteCount: length))
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
            queue.consume(count)
        }
    }

    /// Ends this side's direction: puts close_notify into ``output``.
    package func closeNotify() {
        guard isOpen else { return }
        isOpen = false
        hasSaidGoodbye = true
        unsafe _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    // MARK: The BIO's two ends

    private func lendInput() {
        let start = unsafe input.buffer.readablePointer
        unsafe ends.pointee.bytes = UnsafePointer(start.assumingMemoryBound(to: CChar.self))
        unsafe ends.pointee.count = input.buffer.readableBytes
    }

    private func takeInputBack() {
        unsafe input.buffer.consume(input.buffer.readableBytes - ends.pointee.count)
        unsafe ends.pointee.bytes = nil
        unsafe ends.pointee.count = 0
    }

    func giveCiphertext(_ span: RawSpan) {
        // A large buffer: a batch of records becomes one gathered write.
        output.append(copying: span, bufferBytes: BufferPool.largestCapacityBytes)
    }
}

/// Tells numeric addresses from names.
enum SocketAddressText {
    static func isNumeric(_ host: String) -> Bool {
        if host.utf8.contains(UInt8(ascii: ":")) { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }
}

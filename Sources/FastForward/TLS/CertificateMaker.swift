internal import COpenSSL

/// A certificate authority of one process: makes certificates for test servers and their clients.
///
/// Theory of operation. The authority's key lives in this object only; what it issues are PEM texts that
/// ``TLSContext`` and a kubeconfig take. Keys are EC P-256, signatures ECDSA with SHA-256, as a cluster's own tools
/// make them. Everything is valid from yesterday, so that clocks that differ do not matter, for a year.
@safe package final class CertificateMaker {
    /// When a certificate is valid.
    package enum Validity: Sendable {
        case thisYear
        /// Ended yesterday; for tests of refusal.
        case expired
    }

    private static let daySeconds = 24 * 60 * 60

    /// The authority's own certificate.
    package private(set) var authorityPEM: [UInt8] = []

    private let key: OpaquePointer
    private let certificate: OpaquePointer

    /// Makes an authority.
    ///
    /// - Parameter commonName: its name, which clients see as the issuer.
    package init(commonName: String) throws(TLSError) {
        let key = try unsafe Self.makeKey()
        guard let certificate = unsafe X509_new() else {
            unsafe EVP_PKEY_free(key)
            throw .exhausted(what: "a certificate")
        }
        unsafe self.key = key
        unsafe self.certificate = certificate
        try unsafe fill(certificate, key: key, subject: [("CN", commonName)], validity: .thisYear)
        try unsafe addExtensions(
            [
                (NID_basic_constraints, "critical,CA:TRUE"),
                (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ],
            to: certificate
        )
        try unsafe sign(certificate)
        authorityPEM = try unsafe Self.pem { unsafe PEM_write_bio_X509($0, certificate) }
    }

    deinit {
        unsafe X509_free(certificate)
        unsafe EVP_PKEY_free(key)
    }

    /// Issues a server's certificate.
    ///
    /// - Parameter names: what it is valid for: host names (`DNS:localhost`) and addresses (`IP:127.0.0.1`).
    package func issueServer(
        names: [String] = ["IP:127.0.0.1", "IP:::1", "DNS:localhost"],
        validity: Validity = .thisYear
    ) throws(TLSError) -> TLSContext.Identity {
        try issue(
            subject: [("CN", "kube-apiserver")],
            usage: "serverAuth",
            alternativeNames: names.joined(separator: ","),
            validity: validity
        )
    }

    /// Issues a client's certificate; an API server reads its common name as the user and organizations as groups.
    package func issueClient(
        commonName: String,
        organizations: [String] = [],
        validity: Validity = .thisYear
    ) throws(TLSError) -> TLSContext.Identity {
        try issue(
            subject: organizations.map { ("O", $0) } + [("CN", commonName)],
            usage: "clientAuth",
            alternativeNames: nil,
            validity: validity
        )
    }

    private func issue(
        subject: [(String, String)],
        usage: String,
        alternativeNames: String?,
        validity: Validity
    ) throws(TLSError) -> TLSContext.Identity {
        let leafKey = try unsafe Self.makeKey()
        defer { unsafe EVP_PKEY_free(leafKey) }
        guard let leaf = unsafe X509_new() else { throw .exhausted(what: "a certificate") }
        defer { unsafe X509_free(leaf) }
        try unsafe fill(leaf, key: leafKey, subject: subject, validity: validity)
        var extensions = [
            (NID_basic_constraints, "critical,CA:FALSE"),
            (NID_key_usage, "critical,digitalSignature"),
            (NID_ext_key_usage, usage),
            (NID_authority_key_identifier, "keyid"),
        ]
        if let alternativeNames { extensions.append((NID_subject_alt_name, alternativeNames)) }
        try unsafe addExtensions(extensions, to: leaf)
        try unsafe sign(leaf)
        return TLSContext.Identity(
            certificatePEM: try unsafe Self.pem { unsafe PEM_write_bio_X509($0, leaf) },
            keyPEM: try unsafe Self.pem {
                unsafe PEM_write_bio_PrivateKey($0, leafKey, nil, nil, 0, nil, nil)
            }
        )
    }

    // MARK: OpenSSL's calls

    private static func makeKey() throws(TLSError) -> OpaquePointer {
        guard let context = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil) else {
            throw .exhausted(what: "a key generator")
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(context) == 1,
            unsafe EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1,
            unsafe EVP_PKEY_keygen(context, &key) == 1, let key = unsafe key
        else { throw .material(what: "a P-256 key", reason: TLSError.lastReason()) }
        return unsafe key
    }

    private func fill(
        _ target: OpaquePointer,
        key: OpaquePointer,
        subject: [(String, String)],
        validity: Validity
    ) throws(TLSError) {
        let (begin, end) =
            switch validity {
            case .thisYear: (-Self.daySeconds, 365 * Self.daySeconds)
            case .expired: (-10 * Self.daySeconds, -Self.daySeconds)
            }
        // Serial numbers are positive and unlike one another.
        let serial = Int64.random(in: 1...Int64.max)
        let name = unsafe X509_get_subject_name(target)
        for (field, text) in subject {
            let bytes = Array(text.utf8)
            guard
                unsafe X509_NAME_add_entry_by_txt(
                    name,
                    field,
                    MBSTRING_FLAG | 0,
                    bytes,
                    Int32(bytes.count),
                    -1,
                    0
                ) == 1
            else { throw .material(what: "the certificate name \(text)", reason: TLSError.lastReason()) }
        }
        // Version 2 means X.509v3 (RFC 5280 §4.1.2.1).
        guard unsafe X509_set_version(target, 2) == 1,
            unsafe ASN1_INTEGER_set_int64(X509_get_serialNumber(target), serial) == 1,
            unsafe X509_gmtime_adj(X509_getm_notBefore(target), begin) != nil,
            unsafe X509_gmtime_adj(X509_getm_notAfter(target), end) != nil,
            unsafe X509_set_issuer_name(target, X509_get_subject_name(certificate)) == 1,
            unsafe X509_set_pubkey(target, key) == 1
        else { throw .material(what: "a new certificate", reason: TLSError.lastReason()) }
    }

    private func addExtensions(
        _ extensions: [(Int32, String)],
        to target: OpaquePointer
    ) throws(TLSError) {
        var context = unsafe X509V3_CTX()
        unsafe X509V3_set_ctx(&context, certificate, target, nil, nil, 0)
        for (kind, value) in extensions {
            guard let made = unsafe X509V3_EXT_conf_nid(nil, &context, kind, value) else {
                throw .material(what: "the certificate extension \(value)", reason: TLSError.lastReason())
            }
            defer { unsafe X509_EXTENSION_free(made) }
            guard unsafe X509_add_ext(target, made, -1) == 1 else {
                throw .material(what: "the certificate extension \(value)", reason: TLSError.lastReason())
            }
        }
    }

    private func sign(_ target: OpaquePointer) throws(TLSError) {
        guard unsafe X509_sign(target, key, EVP_sha256()) > 0 else {
            throw .material(what: "a signature", reason: TLSError.lastReason())
        }
    }

    private static func pem(_ write: (OpaquePointer) -> Int32) throws(TLSError) -> [UInt8] {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw .exhausted(what: "a memory BIO") }
        defer { unsafe _ = BIO_free(bio) }
        guard unsafe write(bio) == 1 else {
            throw .material(what: "a PEM text", reason: TLSError.lastReason())
        }
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe BIO_read(bio, &piece, Int32(piece.count))
            guard count > 0 else { return text }
            text.append(contentsOf: piece[..<Int(count)])
        }
    }
}

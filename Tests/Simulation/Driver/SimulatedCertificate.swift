import FastForward

/// The certificate of the simulated API server, which it has signed itself, and its key: nobody else believes it.
///
/// Always the same one: a new one has a time and a signature of its own, whose lengths differ from run to run.
enum SimulatedCertificate {
    static let certificatePEM = Array(
        """
        -----BEGIN CERTIFICATE-----
        MIIBbTCCARKgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlzaW11bGF0
        ZWQwIBcNMjAwMTAxMDAwMDAwWhgPMjIyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
        CXNpbXVsYXRlZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJictlGHk0oRVWgJ
        kYWLANHhbZMrmqvTYbf0UKO6y4hybzZXcDx2Lj1v9bXIASkDK/MnEX7mWFOJQ2zX
        0qhKlRejUzBRMA8GA1UdEwEB/wQFMAMBAf8wHwYDVR0RBBgwFocECgEAAYIOc2Vy
        dmVyLmV4YW1wbGUwHQYDVR0OBBYEFABGwiGqqCFaj1CmgUtbvnbp2+gRMAoGCCqG
        SM49BAMCA0kAMEYCIQDwPurq6wY46P87V3oKLrCjr1edCsNrK2X9gztpyh+1QQIh
        AK4cJZHKzHDlvkwniksyZUw9rcQ623oXRrwoSOUp3CP0
        -----END CERTIFICATE-----

        """.utf8
    )

    private static let keyPEM = Array(
        """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHHxY1nEQZaBPz9s6
        O6kLvqCp7VXyU4joSrPMa2BlgV2hRANCAASYnLZRh5NKEVVoCZGFiwDR4W2TK5qr
        02G39FCjusuIcm82V3A8di49b/W1yAEpAyvzJxF+5lhTiUNs19KoSpUX
        -----END PRIVATE KEY-----

        """.utf8
    )

    /// A server's context of its own: its tickets are of use in this run only.
    static func context() throws -> TLSContext {
        let identity = TLSContext.Identity(certificatePEM: certificatePEM, keyPEM: keyPEM)
        return try TLSContext(server: identity, clientAuthorities: nil)
    }
}

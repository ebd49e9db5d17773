import FastForward

/// Certificates that no client should take.
enum Certificates {
    /// Of an authority that nobody trusts.
    static var foreign: TLSContext.Identity {
        get throws { try CertificateMaker(commonName: "foreign").issueServer() }
    }

    /// With some hundred authorities behind it, a quarter of a megabyte.
    static var withLongChain: TLSContext.Identity {
        get throws {
            let maker = try CertificateMaker(commonName: "foreign")
            var identity = try maker.issueServer()
            for _ in 0..<600 { identity.certificatePEM += maker.authorityPEM }
            return identity
        }
    }
}

import Foundation
import Testing

@testable import FastForward

@Suite struct `Using the keys that tools make` {
    /// What the `openssl` program makes of its arguments.
    private static func openssl(_ line: String, in directory: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "cd '\(directory)' && { \(line); } > log 2>&1 < /dev/null"]
        try process.run()
        process.waitUntilExit()
        let log = try? String(contentsOfFile: directory + "/log", encoding: .utf8)
        try #require(process.terminationStatus == 0, "\(line): \(log ?? "")")
    }

    private static let isOpenSSLThere = ["/usr/bin/openssl", "/usr/local/bin/openssl"].contains {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    struct Format: CustomTestStringConvertible {
        let name: String
        /// Writes the file `key`.
        let line: String
        /// How the key's PEM begins.
        let label: String
        var testDescription: String { name }
    }

    @Test(
        .enabled(if: isOpenSSLThere),
        arguments: [
            Format(
                name: "EC, SEC 1",
                line: "openssl ecparam -name prime256v1 -genkey -noout -out key",
                label: "EC PRIVATE KEY"
            ),
            Format(
                name: "EC, SEC 1 behind its parameters",
                line: "openssl ecparam -name secp384r1 -genkey -out key",
                label: "EC PARAMETERS"
            ),
            Format(
                name: "EC, PKCS #8",
                line: "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out key",
                label: "PRIVATE KEY"
            ),
            Format(
                name: "RSA, PKCS #1",
                line: "openssl genrsa -traditional -out key 2048",
                label: "RSA PRIVATE KEY"
            ),
            Format(
                name: "RSA, PKCS #8",
                line: "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key",
                label: "PRIVATE KEY"
            ),
            Format(
                name: "Ed25519",
                line: "openssl genpkey -algorithm ed25519 -out key",
                label: "PRIVATE KEY"
            ),
        ]
    )
    func `a key of any kind and format proves who the client is`(format: Format) throws {
        let files = try TemporaryDirectory()
        try Self.openssl(
            "\(format.line) && openssl req -x509 -new -key key -subj /CN=alice -days 2 -out certificate",
            in: files.path
        )
        func bytes(_ name: String) throws -> [UInt8] {
            try [UInt8](Data(contentsOf: URL(filePath: files.path + "/" + name)))
        }
        let key = try bytes("key")
        #expect(key.starts(with: "-----BEGIN \(format.label)-----".utf8))
        let certificate = try bytes("certificate")
        let maker = try CertificateMaker(commonName: "authority")
        // A key may stand in one file with its certificate.
        for keyPEM in [key, certificate + key] {
            let pair = try TLSPair(
                pool: BufferPool(),
                client: TLSContext(
                    trust: .authorities(pem: maker.authorityPEM),
                    identity: TLSContext.Identity(certificatePEM: certificate, keyPEM: keyPEM)
                ),
                server: TLSContext(server: maker.issueServer(), clientAuthorities: certificate)
            )
            try pair.shakeHands()
            #expect(pair.server.peerCommonName == "alice")
        }
    }

    @Test(
        .enabled(if: isOpenSSLThere),
        arguments: [
            "openssl genpkey -algorithm ed25519 -aes256 -pass pass:hunter2 -out key",
            "openssl genrsa -traditional -aes256 -passout pass:hunter2 -out key 2048",
        ]
    )
    func `an encrypted key is refused in words that say what to do`(line: String) throws {
        let files = try TemporaryDirectory()
        try Self.openssl(line, in: files.path)
        let key = try [UInt8](Data(contentsOf: URL(filePath: files.path + "/key")))
        let identity = try CertificateMaker(commonName: "authority").issueClient(commonName: "alice")
        let error = #expect(throws: TLSError.self) {
            try TLSContext(
                trust: .anybody,
                identity: .init(certificatePEM: identity.certificatePEM, keyPEM: key)
            )
        }
        #expect(error?.description.hasPrefix("cannot use the client key: it is encrypted") == true)
        #expect(error?.description.contains("openssl pkey -in KEY -out PLAIN") == true)
    }
}

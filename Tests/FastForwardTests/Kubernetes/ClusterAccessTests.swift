import Foundation
import Testing

@testable import FastForward

private let pem = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"
private let pemData = Data(pem.utf8).base64EncodedString()
private let key = "-----BEGIN EC PRIVATE KEY-----\nYQ==\n-----END EC PRIVATE KEY-----\n"
private let keyData = Data(key.utf8).base64EncodedString()

/// A broken kubeconfig and what kubectl prints for it.
struct RefusedKubeconfig: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let text: String
    var flags = ClusterFlags()
    let output: String

    init(_ name: String, _ text: String, flags: ClusterFlags = ClusterFlags(), output: String) {
        testDescription = name
        self.text = text
        self.flags = flags
        self.output = output
    }

    /// Recorded from kubectl 1.32.4 (`kubectl port-forward --kubeconfig F pod/x 80`).
    static let recorded = [
        RefusedKubeconfig(
            "missing context",
            kubeconfigText(),
            flags: ClusterFlags(context: "nope"),
            output: "Error in configuration: context was not found for specified context: nope"
        ),
        RefusedKubeconfig(
            "missing current context",
            kubeconfigText(currentContext: "k"),
            output: "Error in configuration: context was not found for specified context: k"
        ),
        RefusedKubeconfig(
            "missing cluster",
            kubeconfigText(),
            flags: ClusterFlags(cluster: "nope"),
            output: "error: no server found for cluster \"nope\""
        ),
        RefusedKubeconfig(
            "missing user",
            kubeconfigText(),
            flags: ClusterFlags(user: "nope"),
            output: "error: auth info \"nope\" does not exist"
        ),
        RefusedKubeconfig(
            "certificate twice",
            kubeconfigText(
                user: "client-certificate: /no/a.pem, client-certificate-data: YQ==, client-key-data: YQ=="
            ),
            output: """
                Error in configuration: 
                * client-cert-data and client-cert are both specified for u. client-cert-data will override.
                * unable to read client-cert /no/a.pem for u due to open /no/a.pem: no such file or directory
                """
        ),
        RefusedKubeconfig(
            "no key",
            kubeconfigText(user: "client-certificate-data: YQ=="),
            output: "error: client-key-data or client-key must be specified for u to use the clientCert "
                + "authentication method."
        ),
        RefusedKubeconfig(
            "missing files, relative to the kubeconfig",
            kubeconfigText(user: "client-certificate: a.pem, client-key: /no/b.pem"),
            output: """
                Error in configuration: 
                * unable to read client-cert /nowhere/a.pem for u due to open /nowhere/a.pem: no such file or directory
                * unable to read client-key /no/b.pem for u due to open /no/b.pem: no such file or directory
                """
        ),
        RefusedKubeconfig(
            "authority twice",
            kubeconfigText(
                cluster: "server: https://h, certificate-authority: /no/ca, certificate-authority-data: YQ=="
            ),
            output: """
                Error in configuration: 
                * certificate-authority-data and certificate-authority are both specified for c. \
                certificate-authority-data will override.
                * unable to read certificate-authority /no/ca for c due to open /no/ca: no such file or directory
                """
        ),
        RefusedKubeconfig(
            "missing authority",
            kubeconfigText(cluster: "server: https://h, certificate-authority: ca.pem"),
            output: "error: unable to read certificate-authority /nowhere/ca.pem for c due to "
                + "open /nowhere/ca.pem: no such file or directory"
        ),
        RefusedKubeconfig(
            "authority that is no PEM",
            kubeconfigText(cluster: "server: https://h, certificate-authority-data: YQ=="),
            output: "error: unable to load root certificates: unable to parse bytes as PEM block"
        ),
        RefusedKubeconfig(
            "authority without verification",
            kubeconfigText(
                cluster: "server: https://h, insecure-skip-tls-verify: true, certificate-authority-data: YQ=="
            ),
            output: "error: specifying a root certificates file with the insecure flag is not allowed"
        ),
        RefusedKubeconfig(
            "two methods",
            kubeconfigText(user: "token: t, username: a, password: b"),
            output: "error: more than one authentication method found for u; found [token basicAuth], "
                + "only one is allowed"
        ),
        RefusedKubeconfig(
            "uid without impersonation",
            kubeconfigText(user: "as-uid: a"),
            output: "error: requesting uid, groups or user-extra for u without impersonating a user"
        ),
        RefusedKubeconfig(
            "missing token file",
            kubeconfigText(user: "tokenFile: no-such"),
            output: "error: open /nowhere/no-such: no such file or directory"
        ),
        RefusedKubeconfig(
            "a server without scheme",
            kubeconfigText(cluster: "server: '://x'"),
            output: "error: host must be a URL or a host:port pair: \"://x\""
        ),
        RefusedKubeconfig(
            "a blank behind the server",
            kubeconfigText(cluster: "server: 'https://h:1 '"),
            output: "error: host must be a URL or a host:port pair: \"https://h:1 \""
        ),
        RefusedKubeconfig(
            "dots for a namespace",
            kubeconfigText(),
            flags: ClusterFlags(namespace: ".."),
            output: "error: invalid namespace \"..\": [may not be '..']"
        ),
    ]

    private static func flags(_ change: (inout ClusterFlags) -> Void) -> ClusterFlags {
        var flags = ClusterFlags()
        change(&flags)
        return flags
    }

    /// What kubectl does not say, or not so (it asks for a password, or goes to localhost:8080).
    static let ours = [
        RefusedKubeconfig(
            "context without cluster",
            kubeconfigText(context: "cluster: zz, user: u"),
            output: "error: cluster \"zz\" does not exist (context \"x\" names it)"
        ),
        RefusedKubeconfig(
            "context without user",
            kubeconfigText(context: "cluster: c, user: zz"),
            output: "error: auth info \"zz\" does not exist (context \"x\" names it)"
        ),
        RefusedKubeconfig(
            "no current context",
            kubeconfigText(currentContext: ""),
            output: "error: current-context is not set (choose with --context: x)"
        ),
        RefusedKubeconfig(
            "no server",
            kubeconfigText(cluster: "server: ''"),
            output: "error: no server found for cluster \"c\""
        ),
        RefusedKubeconfig(
            "bad base64",
            kubeconfigText(user: "client-certificate-data: '%%%', client-key-data: YQ=="),
            output:
                "error: error loading config file \"/nowhere/config\": illegal base64 data at input byte 0 "
                + "(client-certificate-data of user \"u\")"
        ),
        RefusedKubeconfig(
            "certificate and key exchanged",
            kubeconfigText(user: "client-certificate-data: \(keyData), client-key-data: \(pemData)"),
            output: "error: tls: failed to find certificate PEM data in certificate input, but did find a "
                + "private key; PEM inputs may have been switched (user \"u\")"
        ),
        RefusedKubeconfig(
            "bad base64 where nothing uses it",
            kubeconfigText() + "\nusers: [{name: u, user: {}}, {name: v, user: {client-key-data: YWJjZ}}]",
            output:
                "error: error loading config file \"/nowhere/config\": illegal base64 data at input byte 4 "
                + "(client-key-data of user \"v\")"
        ),
        RefusedKubeconfig(
            "a flag for a token with a line break",
            kubeconfigText(),
            flags: flags { $0.token = Redacted("hunter2\nb") },
            output: "error: the value of --token holds a line break, a control or a non-ASCII character, "
                + "which no request can carry"
        ),
        RefusedKubeconfig(
            "a flag for a user with a line break",
            kubeconfigText(),
            flags: flags { $0.impersonate = "b\nx" },
            output: "error: the value of --as holds a control character, or a blank at its end, "
                + "which no request can carry"
        ),
        RefusedKubeconfig(
            "token with a line break",
            kubeconfigText(user: "token: \"a\\r\\nX-Evil: 1\""),
            output:
                "error: token of user \"u\" in /nowhere/config holds a line break, a control or a non-ASCII character"
        ),
        RefusedKubeconfig(
            "user name with a colon",
            kubeconfigText(user: "username: 'a:b', password: c"),
            output: "error: username of user \"u\" holds a colon, which basic authentication cannot send"
        ),
        RefusedKubeconfig(
            "key without certificate",
            kubeconfigText(user: "client-key-data: YQ=="),
            output: "error: client-certificate-data or client-certificate must be specified for u"
        ),
        RefusedKubeconfig(
            "proxy",
            kubeconfigText(cluster: "server: https://h, proxy-url: 'ftp://u:hunter2@p'"),
            output: "error: invalid 'proxy-url' for cluster \"c\": "
                + "unsupported scheme \"ftp\", must be http, https, or socks5"
        ),
        RefusedKubeconfig(
            "password in the URL",
            kubeconfigText(cluster: "server: 'https://u:hunter2@h'"),
            output: "error: cluster \"c\": the server's URL holds a user name "
                + "(move it to username and password of the user)"
        ),
    ]
}

@Suite struct `Resolving the way to a cluster` {
    @Test(arguments: RefusedKubeconfig.recorded)
    func `an invalid configuration is refused in kubectl's words`(row: RefusedKubeconfig) {
        Self.check(row)
    }

    @Test(arguments: RefusedKubeconfig.ours)
    func `what would silently go wrong is refused`(row: RefusedKubeconfig) {
        Self.check(row)
    }

    private static func check(_ row: RefusedKubeconfig) {
        let error = #expect(throws: KubeconfigError.self) {
            try ClusterAccess.resolving(row.text, in: "/nowhere", flags: row.flags)
        }
        #expect(error?.terminalText == row.output)
        #expect(error?.description.contains("\n") == false)
        #expect(error.map { "\($0)".contains("hunter2") } == false)
    }

    @Test func `certificates come from data or from files`() throws {
        let files = try TemporaryDirectory(["pki/a.pem": pem, "pki/k.pem": key, "pki/ca.pem": pem])
        let fromFiles = try ClusterAccess.resolving(
            kubeconfigText(
                cluster: "server: h, certificate-authority: pki/ca.pem, tls-server-name: api",
                user: "client-certificate: pki/a.pem, client-key: pki/k.pem"
            ),
            in: files.path
        )
        #expect(fromFiles.certificateAuthority == Array(pem.utf8))
        #expect(fromFiles.identity?.certificatePEM == Array(pem.utf8))
        #expect(fromFiles.identity?.keyPEM.revealed == Array(key.utf8))
        #expect(fromFiles.tlsServerName == "api")
        // Without a scheme, an authority makes it https.
        #expect(fromFiles.server.description == "https://h")

        let folded = pemData.prefix(20) + "\\n" + pemData.dropFirst(20)
        let fromData = try ClusterAccess.resolving(
            kubeconfigText(user: "client-certificate-data: \"\(folded)\", client-key-data: \(keyData)")
        )
        #expect(fromData.identity?.certificatePEM == Array(pem.utf8))
        #expect(fromData.certificateAuthority == nil)
    }

    @Test func `the namespace is the flag's, else the context's, else default`() throws {
        let text = kubeconfigText(context: "cluster: c, user: u, namespace: prod")
        #expect(try ClusterAccess.resolving(text, flags: ClusterFlags(namespace: "dev")).namespace == "dev")
        #expect(try ClusterAccess.resolving(text).namespace == "prod")
        #expect(try ClusterAccess.resolving(kubeconfigText()).namespace == "default")
    }

    @Test func `a credential is never sent in the clear`() throws {
        let access = try ClusterAccess.resolving(kubeconfigText(cluster: "server: 'http://h'"))
        #expect(access.credential == .none)
        #expect(access.warnings == ["http://h is not encrypted: the credentials of user \"u\" are not sent"])
    }

    @Test func `a plugin is not missed where another credential is present`() throws {
        let exec = "exec: {command: aws, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}"
        let text = kubeconfigText(user: "token: t, \(exec)")
        #expect(try ClusterAccess.resolving(text).credential == .bearer(Redacted("t")))
    }

    @Test func `a context without user goes on anonymously`() throws {
        let access = try ClusterAccess.resolving(kubeconfigText(context: "cluster: c"))
        #expect(access.credential == .none)
        #expect(access.identity == nil)
    }

    @Test func `a secret prints as redacted however it is printed`() throws {
        let user = "client-certificate-data: \(pemData), client-key-data: \(keyData), token: hunter2"
        let text = kubeconfigText(user: user)
        let kubeconfig = try Kubeconfig(parsing: Array(text.utf8), file: "/f")
        let access = try ClusterAccess.resolving(text)
        var dumped = ""
        dump(access, to: &dumped)
        dump(kubeconfig, to: &dumped)
        for printed in ["\(access)", String(reflecting: access), dumped, "\(kubeconfig)"] {
            #expect(!printed.contains("hunter2"))
            #expect(printed.contains("<redacted>"))
        }
    }
}

@Suite struct `Authorizing requests` {
    @Test func `each credential has its header`() throws {
        let now = Instant(milliseconds: 0)
        var credential = Credential.none
        #expect(try credential.authorization(at: now) == nil)
        credential = .bearer(Redacted("abc"))
        #expect(try credential.authorization(at: now)?.revealed == "Bearer abc")
        // The example of RFC 7617 §2.
        credential = .basic(username: "Aladdin", password: Redacted("open sesame"))
        #expect(try credential.authorization(at: now)?.revealed == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    }

    @Test func `a token file is read again when its time is over or the token was refused`() throws {
        let files = try TemporaryDirectory(["t": " one\n"])
        var credential = try ClusterAccess.resolving(kubeconfigText(user: "tokenFile: t"), in: files.path)
            .credential
        let start = Instant(milliseconds: 5_000_000)
        var number = 0
        func token(_ seconds: UInt64) throws -> String? {
            let wallTime = UnixTime(seconds: 0)
            guard
                case .use(let issued) = try credential.request(
                    at: start + .seconds(seconds),
                    wallTime: wallTime
                )
            else { return nil }
            #expect(issued.isFresh == (issued.number != number))
            number = issued.number
            return issued.authorization?.revealed
        }
        func refuse(_ refused: Int) {
            let mayHaveAnother = credential.wasRefused(refused)
            #expect(mayHaveAnother)
        }
        #expect(try token(0) == "Bearer one")
        try files.write("two", to: "t")
        #expect(try token(49) == "Bearer one")
        #expect(try token(50) == "Bearer two")
        try files.write("three", to: "t")
        refuse(number - 1)
        #expect(try token(51) == "Bearer two", "the first token was refused, not the second")
        refuse(number)
        #expect(try token(51) == "Bearer three")
        try files.write(" \n", to: "t")
        #expect(try token(500) == "Bearer three", "the old token goes on while the file is bad")
        refuse(number)
        #expect(throws: KubeconfigError.emptyTokenFile(path: files.path + "/t")) { try token(501) }
        try files.write("a\nb", to: "t")
        #expect(throws: KubeconfigError.self) { try token(502) }
    }

    @Test(arguments: [nil, " \n"])
    func `the kubeconfig's own token stands in while the token file gives none`(contents: String?) throws {
        let files = try TemporaryDirectory()
        if let contents { try files.write(contents, to: "t") }
        var credential = try ClusterAccess.resolving(
            kubeconfigText(user: "token: own, tokenFile: t"),
            in: files.path
        ).credential
        func issued() throws -> IssuedCredential? {
            let verdict = try credential.request(
                at: Instant(milliseconds: 0),
                wallTime: UnixTime(seconds: 0)
            )
            guard case .use(let issued) = verdict else { return nil }
            return issued
        }
        #expect(try issued()?.authorization?.revealed == "Bearer own")
        #expect(try issued()?.isFresh == true, "asking again after a refusal would give the same")
        try files.write("file", to: "t")
        #expect(try issued()?.authorization?.revealed == "Bearer file")
    }
}

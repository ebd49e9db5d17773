import Foundation
import Testing

@testable import FastForward

@Suite struct `Loading kubeconfig files` {
    @Test func `all fields of the format are read, and unknown ones tolerated`() throws {
        let text = """
            apiVersion: v1
            kind: Config
            preferences: {colors: true}
            future: [1, {a: b}]
            clusters:
            - name: c
              cluster:
                server: https://h
                tls-server-name: other
                insecure-skip-tls-verify: true
                certificate-authority: ca.pem
                certificate-authority-data: YQ==
                proxy-url: socks5://p
                disable-compression: yes
                extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: [x, 1, null, true]}}]
            users:
            - name: u
              user:
                client-certificate: ./a.pem
                client-certificate-data: YQ==
                client-key: /abs/k.pem
                client-key-data: YQ==
                token: t
                tokenFile: sub/t
                as: other
                as-uid: id
                as-groups: [g, h]
                as-user-extra: {k: [v]}
                username: me
                password: p
                auth-provider: {name: gcp, config: {k: v}}
                exec:
                  command: ./bin/login
                  args: [a]
                  env: [{name: A, value: b}]
                  apiVersion: client.authentication.k8s.io/v1
                  installHint: hint
                  provideClusterInfo: true
                  interactiveMode: Never
            contexts: [{name: x, context: {cluster: c, user: u, namespace: prod, extensions: []}}]
            current-context: x
            """
        let kubeconfig = try Kubeconfig(parsing: Array(text.utf8), file: "/etc/kube/config")
        let cluster = try #require(kubeconfig.clusters["c"]?.value)
        #expect(cluster.tlsServerName == "other")
        #expect(cluster.certificateAuthority == "/etc/kube/ca.pem")
        #expect(cluster.disableCompression == true)
        let audience = JSONValue.array([.string("x"), .number(1), .null, .bool(true)])
        #expect(cluster.extensions?.first?.extension == .object(["audience": audience]))
        let user = try #require(kubeconfig.users["u"]?.value)
        #expect(user.clientCertificate == "/etc/kube/a.pem")
        #expect(user.clientKey == "/abs/k.pem")
        #expect(user.tokenFile == "/etc/kube/sub/t")
        #expect(user.exec?.command == "/etc/kube/bin/login")
        #expect(user.exec?.env?.first?.value?.revealed == "b")
        #expect(user.impersonateExtra == ["k": ["v"]])
        #expect(kubeconfig.contexts["x"]?.value.namespace == "prod")
    }

    @Test func `JSON, CRLF and a byte order mark make no difference`() throws {
        let json = """
            {
            \t"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443"}}],
            \t"users": [{"name": "u", "user": {"token": "t0ken"}}],
            \t"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            \t"current-context": "x"
            }
            """
        let yaml = kubeconfigText()
        for text in [json, yaml, yaml.replacing("\n", with: "\r\n"), "\u{FEFF}" + yaml, "---\n" + yaml] {
            let access = try ClusterAccess.resolving(text)
            #expect(access.server.description == "https://127.0.0.1:6443")
            #expect(access.credential == .bearer(Redacted("t0ken")))
            #expect(access.contextName == "x")
        }
    }

    @Test(
        arguments: [
            ("clusters: 3", "line 1: clusters must be a list, not a number"),
            (
                "clusters:\n- name: c\n  cluster:\n    server: 3",
                "line 4: clusters[0].cluster.server must be text, not a number (put it in quotes)"
            ),
            (
                "clusters:\n- cluster:\n    insecure-skip-tls-verify: 'true'",
                "line 3: clusters[0].cluster.insecure-skip-tls-verify must be true or false, not text"
            ),
            (
                "users: [{name: u, user: {token: 12345}}]",
                "line 1: users[0].user.token must be text, not a number (put it in quotes)"
            ),
            (
                "\ncurrent-context: yes",
                "line 2: current-context must be text, not a boolean (put it in quotes)"
            ),
            ("users: [{name: a}, {name: a}]", "duplicate name \"a\" in list users"),
            ("kind: Foo", "v1 Foo is not a v1 Config"),
            (
                "users: [{name: u, user: {exec: {command: a, env: [{value: b}]}}}]",
                "line 1: users[0].user.exec.env[0] lacks name"
            ),
            (
                "users: [{name: u, user: {exec: {command: a, env: [{name: ~}]}}}]",
                "line 1: users[0].user.exec.env[0].name must be text, not null"
            ),
            (
                "users: [{name: u, user: {exec: {args: [a, ~]}}}]",
                "line 1: users[0].user.exec.args[1] must be text, not null"
            ),
            (
                "users:\n- user:\n    as-user-extra:\n      k: v",
                "line 4: users[0].user.as-user-extra.k must be a list, not text"
            ),
            (
                "users: [{user: {auth-provider: {config: {k: 1}}}}]",
                "line 1: users[0].user.auth-provider.config.k must be text, not a number (put it in quotes)"
            ),
            ("contexts: [a]", "line 1: contexts[0] must be a mapping, not text"),
            ("extensions: {}", "line 1: extensions must be a list, not a mapping"),
            ("hello", "line 1: the document must be a mapping, not text"),
            ("[a]", "line 1: the document must be a mapping, not a list"),
        ]
    )
    func `what kubectl refuses is refused with file, line and place`(text: String, problem: String) {
        let error = #expect(throws: KubeconfigError.self) {
            try Kubeconfig(parsing: Array(text.utf8), file: "/f")
        }
        #expect(error?.description == "error loading config file \"/f\": yaml: \(problem)")
    }

    @Test func `a null in a list is an entry without a name, of which there may be one`() throws {
        let text = kubeconfigText().replacing("}}]", with: "}}, null]")
        #expect(try ClusterAccess.resolving(text).credential == .bearer(Redacted("t0ken")))
        let error = #expect(throws: KubeconfigError.self) {
            try ClusterAccess.resolving(text.replacing("null]", with: "null, ~]"))
        }
        #expect(error?.description.contains("duplicate name \"\"") == true)
    }

    @Test(
        arguments: [
            ("", nil), ("YQ==", nil), ("YWI=\n", nil), ("Y\nWJj\r\n", nil), ("YR==", nil),
            // Go's offsets, as kubectl 1.32 tells them.
            ("YWJ%", 3), ("YWJjZ", 4), ("YWJjZGU", 4), ("=", 0), ("Y=", 1), ("YQ=", 3), ("YQ=a", 2),
            ("YQ==YQ==", 4), ("YWI=\nx", 5), ("Y Q==", 1),
        ] as [(String, Int?)]
    )
    func `base64 is read as Go reads it`(text: String, offset: Int?) throws {
        do throws(Base64Text.Problem) {
            let bytes = try Base64Text.decode(text)
            #expect(offset == nil)
            let plain = text.filter { !$0.isNewline }.replacing("YR", with: "YQ")
            #expect(Data(bytes) == Data(base64Encoded: plain))
        } catch {
            #expect(error.offset == offset)
        }
    }

    @Test(arguments: ["", "# nothing", "clusters: ~\nusers: null\ncontexts:\n", "Current-Context: x"])
    func `an empty file is an empty configuration`(text: String) throws {
        #expect(try Kubeconfig(parsing: Array(text.utf8), file: "/f").isEmpty)
    }

    @Test func `the first file that defines a key wins, whole`() throws {
        let files = try TemporaryDirectory([
            "one": "current-context: one\nusers: [{name: u, user: {username: a}}]",
            "two": kubeconfigText(currentContext: "two"),
        ])
        let list = "\(files.path)/one::\(files.path)/missing:\(files.path)/two:\(files.path)/one"
        let loader = KubeconfigLoader(environment: ["KUBECONFIG": list], currentDirectory: "/")
        #expect(loader.candidates.count == 3)
        let merged = try loader.load()
        #expect(merged.currentContext == "one")
        #expect(merged.users["u"]?.value.username == "a")
        #expect(merged.users["u"]?.value.token == nil)
        #expect(merged.users["u"]?.file == files.path + "/one")
        #expect(merged.clusters["c"]?.file == files.path + "/two")
    }

    @Test func `the flag names the only file, and that must exist`() throws {
        let files = try TemporaryDirectory(["a": kubeconfigText(), ".kube/config": kubeconfigText()])
        var loader = KubeconfigLoader(
            explicitFile: "a",
            environment: ["KUBECONFIG": "/other", "HOME": files.path],
            currentDirectory: files.path
        )
        #expect(loader.candidates == [files.path + "/a"])
        #expect(try loader.load().currentContext == "x")
        loader.explicitFile = "missing"
        // kubectl 1.32: `error: stat missing: no such file or directory`.
        let error = #expect(throws: KubeconfigError.self) { try loader.load() }
        #expect(error?.terminalText == "error: stat \(files.path)/missing: no such file or directory")
        loader.explicitFile = "."
        #expect(throws: KubeconfigError.self) { try loader.load() }
        loader.explicitFile = nil
        loader.environment["KUBECONFIG"] = nil
        #expect(loader.candidates == [files.path + "/.kube/config"])
    }

    @Test func `all files that cannot be read are named`() throws {
        let files = try TemporaryDirectory(["a": "[", "b": "{", "c": ""])
        let list = ["a", "b", "c"].map { files.path + "/" + $0 }.joined(separator: ":")
        let loader = KubeconfigLoader(environment: ["KUBECONFIG": list], currentDirectory: "/")
        let error = #expect(throws: KubeconfigError.self) { try loader.load() }
        #expect(error?.terminalText.split(separator: "\n").count == 2)
    }

    @Test func `a file beyond the bound is refused unread`() throws {
        let files = try TemporaryDirectory(["big": ""])
        let handle = try FileHandle(forWritingTo: URL(filePath: files.path + "/big"))
        try handle.truncate(atOffset: UInt64(BoundedFile.bytesMax) + 1)
        try handle.close()
        let loader = KubeconfigLoader(explicitFile: "big", environment: [:], currentDirectory: files.path)
        let error = #expect(throws: KubeconfigError.self) { try loader.load() }
        #expect(error?.description.hasSuffix("larger than 16 MiB") == true)
        #expect(throws: FileProblem.self) { try BoundedFile.read("/dev/zero") }
    }

    @Test func `no configuration at all is told, unless KUBERNETES_MASTER stands in`() throws {
        let files = try TemporaryDirectory()
        var loader = KubeconfigLoader(environment: ["HOME": files.path], currentDirectory: "/")
        let error = #expect(throws: KubeconfigError.self) {
            try ClusterAccess(loading: loader, flags: ClusterFlags())
        }
        #expect(
            error?.terminalText.hasPrefix(
                "error: no configuration has been provided, try setting KUBERNETES_MASTER environment variable"
            ) == true
        )
        loader.environment["KUBERNETES_MASTER"] = "http://localhost:8080"
        let access = try ClusterAccess(loading: loader, flags: ClusterFlags(namespace: "n"))
        #expect(access.server.description == "http://localhost:8080")
        #expect(access.namespace == "n")
    }
}

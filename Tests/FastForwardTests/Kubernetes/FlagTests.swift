import Foundation
import Testing

@testable import FastForward

@Suite struct `Understanding the flags for the cluster` {
    @Test(
        arguments: [
            ("0", 0), ("1m0s", 60_000_000_000), ("1.5h", 5_400_000_000_000), (".5s", 500_000_000),
            ("1s", 1_000_000_000),
            ("1us", 1_000), ("2µs", 2_000), ("3ns", 3), ("-2ms", -2_000_000), ("+1ms", 1_000_000),
            ("1.s", 1_000_000_000),
            ("1h1m1s1ms1us1ns", 3_661_001_001_001), ("2562047h47m16.854775807s", Int64.max),
        ] as [(String, Int64)]
    )
    func `a duration is read as Go reads it`(text: String, nanoseconds: Int64) throws {
        #expect(try GoDuration(text).nanoseconds == nanoseconds)
    }

    @Test(
        arguments: [
            ("", #"time: invalid duration """#), ("x", #"time: invalid duration "x""#),
            ("-", #"time: invalid duration "-""#),
            (".", #"time: invalid duration ".""#), ("5", #"time: missing unit in duration "5""#),
            ("5x", #"time: unknown unit "x" in duration "5x""#),
            ("1s 2s", #"time: unknown unit "s " in duration "1s 2s""#),
            ("99999999h", #"time: invalid duration "99999999h""#), (".s", #"time: invalid duration ".s""#),
        ]
    )
    func `what is none is refused in Go's words`(text: String, problem: String) {
        let error = #expect(throws: GoDurationError.self) { try GoDuration(text) }
        #expect(error?.description == problem)
    }

    @Test(
        arguments: [
            ("0", nil), ("5", .seconds(5)), ("1m30s", .seconds(90)), ("-5s", nil),
            ("9223372036854775807", .seconds(3_162_240_000)),
        ] as [(String, TimeSpan?)]
    )
    func `a request's time is in seconds or a duration`(text: String, span: TimeSpan?) throws {
        #expect(try TimeoutFlag.request(text) == span)
    }

    @Test(
        arguments: [
            ("0", .zero), ("5", .seconds(5)), ("1m30s", .seconds(90)), ("99999999h", .seconds(3_162_240_000)),
            ("99999999999999999999h1s", .seconds(3_162_240_000)),
            ("99999999999999999999", .seconds(3_162_240_000)),
            ("", nil), ("-5s", nil), ("-99999999h", nil), ("5x", nil), ("-5", nil),
        ] as [(String, TimeSpan?)]
    )
    func `a flag of ours may be as long as one likes, but not negative`(text: String, span: TimeSpan?) {
        #expect(TimeoutFlag.span(text) == span)
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-24T22:04:28Z", 1_795_557_868),
            ("2000-02-29T12:00:00+02:00", 951_818_400),
            ("1969-12-31T23:59:59z", -1), ("2026-11-24T22:04:28.999999999-00:30", 1_795_559_668),
        ] as [(String, Int64)]
    )
    func `a time of RFC 3339 is read`(text: String, seconds: Int64) throws {
        let time = try #require(UnixTime(rfc3339: text))
        #expect(time.nanoseconds - seconds * 1_000_000_000 == (text.contains(".") ? 999_999_999 : 0))
    }

    @Test(
        arguments: [
            "", "2026-11-24", "2026-11-24T22:04Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-11-24 22:04:28Z",
            "2026-11-24T22:04:28", "2026-11-24T22:04:28.Z", "2026-11-24T22:04:28Zx", "9999-01-01T00:00:00Z",
        ]
    )
    func `any other text is no time`(text: String) {
        #expect(UnixTime(rfc3339: text) == nil)
    }

    @Test func `what else is known of an impersonated user goes into headers of its own`() throws {
        var flags = ClusterFlags()
        flags.impersonate = "alice"
        flags.impersonateExtra = ["Acme.com/P%=a=b", "malformed", "Acme.com/P%=c", "k="]
        let access = try ClusterAccess.resolving(kubeconfigText(), flags: flags)
        let fields = try #require(access.impersonation).fields.all.map { "\($0.name): \($0.value)" }
        #expect(
            fields == [
                "Impersonate-User: alice", "Impersonate-Extra-acme.com%2fp%25: a=b",
                "Impersonate-Extra-acme.com%2fp%25: c", "Impersonate-Extra-k: ",
            ]
        )
        flags.impersonate = "alice\r\nX: y"
        #expect(throws: KubeconfigError.self) { try ClusterAccess.resolving(kubeconfigText(), flags: flags) }
    }

    @Test func `a secret of the command line prints as redacted`() {
        var flags = ClusterFlags()
        flags.token = Redacted("hunter2")
        flags.password = Redacted("hunter2")
        var dumped = "\(flags)"
        dump(flags, to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }
}

@Suite struct `Finding the cluster from within` {
    private static func access(
        _ kubeconfig: String? = nil,
        flags: ClusterFlags = ClusterFlags(),
        environment more: [String: String] = [:],
        files: [String: String] = ["token": "in-pod", "namespace": "prod\n"]
    ) throws -> ClusterAccess {
        let directory = try TemporaryDirectory(files)
        if let kubeconfig { try directory.write(kubeconfig, to: ".kube/config") }
        var loader = KubeconfigLoader(
            environment: [
                "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443",
                "HOME": directory.path,
            ],
            currentDirectory: directory.path
        )
        loader.environment.merge(more) { _, new in new }
        loader.inClusterDirectory = directory.path
        var access = try ClusterAccess(loading: loader, flags: flags)
        // Read while the files are there.
        if let authorization = try access.credential.authorization(at: Instant(milliseconds: 0)) {
            access.credential = .bearer(authorization)
        }
        return access
    }

    @Test func `a pod without a kubeconfig uses its service account`() throws {
        let access = try Self.access()
        #expect(access.server.description == "https://[fd00::1]")
        #expect(access.credential == .bearer(Redacted("Bearer in-pod")))
        #expect(access.namespace == "prod")
        #expect(access.certificateAuthority == nil)
        #expect(try Self.access(environment: ["POD_NAMESPACE": "dev"]).namespace == "dev")
        #expect(try Self.access(files: ["token": "t"]).namespace == "default")
        #expect(try Self.access(environment: ["KUBERNETES_MASTER": "http://h"]).server.isTLS)
    }

    @Test func `flags for the token and the namespace go before it`() throws {
        var flags = ClusterFlags(namespace: "mine")
        flags.token = Redacted("flag")
        let access = try Self.access(flags: flags)
        #expect(access.credential == .bearer(Redacted("Bearer flag")))
        #expect(access.namespace == "mine")
        flags.server = "https://elsewhere"
        #expect(try Self.access(flags: flags).server.host == "elsewhere")
    }

    @Test func `a kubeconfig goes before it, but for the namespace that it does not name`() throws {
        let access = try Self.access(kubeconfigText())
        #expect(access.server.host == "127.0.0.1")
        #expect(access.namespace == "prod")
        #expect(
            try Self.access(kubeconfigText(context: "cluster: c, user: u, namespace: own")).namespace == "own"
        )
    }

    @Test func `a context that is named and missing is not replaced by it`() {
        let flags = ClusterFlags(context: "nope", namespace: "n")
        #expect(throws: KubeconfigError.contextDoesNotExist(name: "nope")) { try Self.access(flags: flags) }
        #expect(throws: KubeconfigError.contextNotFound(name: "nope")) {
            try Self.access(flags: ClusterFlags(context: "nope"))
        }
    }

    @Test func `without the variables or the token, it is no pod`() {
        #expect(throws: KubeconfigError.self) {
            try Self.access(environment: ["KUBERNETES_SERVICE_PORT": ""])
        }
        #expect(throws: KubeconfigError.self) { try Self.access(files: [:]) }
    }
}

@Suite struct `Choosing a proxy` {
    @Test(
        arguments: [
            ("https://h", ["HTTPS_PROXY": "socks5://p"], "socks5://p:1080"),
            ("https://h", ["HTTPS_PROXY": "https://p"], "https://p:443"),
            ("https://h", ["HTTPS_PROXY": "p"], "http://p:80"),
            ("https://h", ["HTTPS_PROXY": "http://[::1]:3128/x"], "http://[::1]:3128"),
            ("https://h", ["HTTPS_PROXY": "", "https_proxy": "q:1"], "http://q:1"),
            ("http://h", ["HTTPS_PROXY": "p"], nil),
            ("https://localhost:6443", ["HTTPS_PROXY": "p"], nil),
            ("https://127.9.9.9", ["HTTPS_PROXY": "p"], nil),
            ("https://[::1]", ["HTTPS_PROXY": "p"], nil),
            ("https://[fd00::1]", ["HTTPS_PROXY": "p", "NO_PROXY": "fd00::/8"], nil),
            ("https://[fd00::1]", ["HTTPS_PROXY": "p", "NO_PROXY": "[fd00:0::1]:443"], nil),
            ("https://[fd00::1]", ["HTTPS_PROXY": "p", "NO_PROXY": "[fd00::1]:1"], "http://p:80"),
            ("https://10.1.2.3", ["HTTPS_PROXY": "p", "NO_PROXY": "10.1.2.0/23"], nil),
            ("https://10.1.4.3", ["HTTPS_PROXY": "p", "NO_PROXY": "10.1.2.0/23"], "http://p:80"),
            ("https://10.1.2.3", ["HTTPS_PROXY": "p", "NO_PROXY": "::ffff:10.1.2.3"], nil),
            ("https://A.Example", ["HTTPS_PROXY": "p", "NO_PROXY": "  eXample ,"], nil),
            ("https://h", ["HTTPS_PROXY": "p", "NO_PROXY": ":443,/,10.0.0.0/99,[,"], "http://p:80"),
        ] as [(String, [String: String], String?)]
    )
    func `the environment decides as it does for Go`(
        server: String,
        environment: [String: String],
        proxy: String?
    ) throws {
        let choice = try ProxyEnvironment(environment).proxy(for: ServerURL(server))
        #expect(choice?.description == proxy)
    }

    @Test func `the kubeconfig's proxy goes before the environment's`() throws {
        let kubeconfig = kubeconfigText(cluster: "server: https://h, proxy-url: 'http://mine:1'")
        let files = try TemporaryDirectory([
            "config": kubeconfig, "other": kubeconfigText(cluster: "server: https://h"),
        ])
        var loader = KubeconfigLoader(
            explicitFile: "config",
            environment: ["HTTPS_PROXY": "http://u:hunter2@p:1", "NO_PROXY": "*"],
            currentDirectory: files.path
        )
        #expect(try ClusterAccess(loading: loader, flags: ClusterFlags()).proxy?.host == "mine")
        loader.environment["NO_PROXY"] = nil
        loader.explicitFile = "other"
        let proxy = try ClusterAccess(loading: loader, flags: ClusterFlags()).proxy
        #expect(proxy?.login == UpstreamProxy.Login(user: "u", password: "hunter2"))
        loader.environment["HTTPS_PROXY"] = "ftp://u:hunter2@p"
        let error = #expect(throws: KubeconfigError.self) {
            try ClusterAccess(loading: loader, flags: ClusterFlags())
        }
        #expect(
            error?.terminalText == "error: invalid proxy address in HTTPS_PROXY: "
                + "unsupported scheme \"ftp\", must be http, https, or socks5"
        )
    }
}

import Foundation
import Testing

@testable import FastForward

@Suite struct `Getting a credential from a plugin` {
    private static func cache(_ more: String = "") throws -> ExecCredentialCache {
        let exec = "command: aws, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never\(more)"
        let access = try ClusterAccess.resolving(kubeconfigText(user: "exec: {\(exec)}"))
        guard case .exec(let cache) = access.credential else {
            throw CocoaError(.featureUnsupported)
        }
        return cache
    }

    private static func credential(_ token: String, until seconds: Int64? = nil) -> ExecCredential {
        ExecCredential(
            token: Redacted(token),
            identity: nil,
            expiresAt: seconds.map { UnixTime(seconds: $0) }
        )
    }

    @Test func `the plugin runs once for all who ask, and again when its credential has expired`() throws {
        var cache = try Self.cache()
        func at(_ seconds: Int64) -> UnixTime { UnixTime(seconds: seconds) }
        #expect(cache.request(at: at(0)) == .run)
        #expect(cache.request(at: at(0)) == .wait)
        #expect(cache.request(at: at(9)) == .wait)
        #expect(cache.finished(Self.credential("a", until: 100)) == false)
        guard case .use(let lease) = cache.request(at: at(100)) else {
            Issue.record("a credential is good up to its last moment")
            return
        }
        #expect(lease.credential.token?.revealed == "a")
        #expect(cache.request(at: UnixTime(nanoseconds: 100_000_000_001)) == .run)
        #expect(cache.request(at: at(101)) == .wait)
        #expect(cache.finished(nil) == false)
        #expect(cache.request(at: at(102)) == .run, "a failed run is made again by whoever asks next")
    }

    @Test func `a refusal is of one credential, not of its successor`() throws {
        var cache = try Self.cache()
        let now = UnixTime(seconds: 0)
        #expect(cache.request(at: now) == .run)
        cache.wasRefused(0)
        #expect(cache.isRunning)
        _ = cache.finished(Self.credential("a"))
        let first = try #require(cache.held)
        cache.wasRefused(first.number)
        #expect(cache.request(at: now) == .run)
        _ = cache.finished(Self.credential("b"))
        cache.wasRefused(first.number)
        #expect(cache.held?.credential.token?.revealed == "b")
    }

    @Test func `another certificate is told, the same one is not`() throws {
        var cache = try Self.cache()
        func run(_ name: String) -> Bool {
            let identity = ClientIdentity(certificatePEM: Array(name.utf8), keyPEM: Redacted([]))
            if let lease = cache.held { cache.wasRefused(lease.number) }
            guard cache.request(at: UnixTime(seconds: 0)) == .run else { return false }
            return cache.finished(ExecCredential(token: nil, identity: identity, expiresAt: nil))
        }
        #expect(!run("a"))
        #expect(!run("a"))
        #expect(run("b"))
    }

    @Test func `a request before the plugin ran says so`() throws {
        var credential = Credential.exec(try Self.cache())
        #expect(throws: KubeconfigError.pluginNotRun(command: "aws")) {
            try credential.authorization(at: Instant(milliseconds: 0))
        }
    }

    @Test(
        arguments: [
            (#"{"token": "t"}"#, nil),
            (#"{"token": "t", "expirationTimestamp": "2026-11-24T22:04:28Z"}"#, nil),
            (#"{"token": "t", "expirationTimestamp": null}"#, nil),
            (
                #"{"token": "t", "expirationTimestamp": "tomorrow"}"#,
                "decoding stdout: status.expirationTimestamp is no RFC 3339 time"
            ),
            (
                #"{"token": "t\r\nX: y"}"#,
                "exec plugin returned a token with a line break, a control or a non-ASCII character"
            ),
            (#"{"token": 7}"#, "decoding stdout: unreadable at status.token"),
            (#"{"clientKeyData": "k"}"#, "exec plugin returned only certificate or key, not both"),
            ("null", "exec plugin didn't return a status field"),
        ] as [(String, String?)]
    )
    func `an answer is taken or refused in kubectl's words`(status: String, problem: String?) throws {
        let plugin = try Self.cache().plugin
        let text =
            #"{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": \#(status)}"#
        do throws(ExecPluginError) {
            let credential = try ExecCredential(output: Array(text.utf8), of: plugin)
            #expect(problem == nil)
            #expect(credential.token?.revealed == "t")
        } catch {
            #expect(error.description == problem)
        }
    }

    @Test(arguments: testSeeds(5))
    func `any output gives a credential or an error that does not show it`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let plugin = try Self.cache().plugin
        let answer = Array(
            #"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"hunter2"}}"#
                .utf8
        )
        for _ in 0..<300 {
            var damaged = answer
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                damaged[Int.random(in: 0..<damaged.count, using: &generator)] = UInt8.random(
                    in: 0...255,
                    using: &generator
                )
            }
            do throws(ExecPluginError) {
                _ = try ExecCredential(output: damaged, of: plugin)
            } catch {
                #expect(!"\(error)".contains("hunter2"), "FFWD_SEED=\(seed)")
            }
        }
    }

    @Test func `the variables and the hint come from the kubeconfig, secrets unseen`() throws {
        let more = ", args: [a, b], env: [{name: K, value: hunter2}], installHint: \"get\\e[2J it\""
        let plugin = try Self.cache(more).plugin
        #expect(plugin.arguments == ["a", "b"])
        #expect(plugin.environment.first?.value.revealed == "hunter2")
        #expect(plugin.installHint == "get[2J it")
        #expect(!"\(plugin)".contains("hunter2"))
        #expect(plugin.cluster == nil)
    }
}

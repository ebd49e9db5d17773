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
        cache.finished(Self.credential("a", until: 100))
        guard case .use(let lease) = cache.request(at: at(100)) else {
            Issue.record("a credential is good up to its last moment")
            return
        }
        #expect(lease.credential.token?.revealed == "a")
        #expect(cache.request(at: UnixTime(nanoseconds: 100_000_000_001)) == .run)
        #expect(cache.request(at: at(101)) == .wait)
        cache.finished(nil)
        #expect(cache.request(at: at(102)) == .run, "a failed run is made again by whoever asks next")
    }

    @Test func `a refusal is of one credential, not of its successor`() throws {
        var cache = try Self.cache()
        let now = UnixTime(seconds: 0)
        #expect(cache.request(at: now) == .run)
        cache.wasRefused(0)
        #expect(cache.request(at: now) == .wait)
        cache.finished(Self.credential("a"))
        let first = try #require(cache.held)
        cache.wasRefused(first.number)
        #expect(cache.request(at: now) == .run)
        cache.finished(Self.credential("b"))
        cache.wasRefused(first.number)
        #expect(cache.held?.credential.token?.revealed == "b")
    }

    @Test func `who waited uses what the run gave, even if it has expired already`() throws {
        var credential = Credential.exec(try Self.cache())
        func request() throws -> Credential.Verdict {
            try credential.request(at: Instant(milliseconds: 0), wallTime: UnixTime(seconds: 200))
        }
        guard case .run = try request() else {
            Issue.record("there is nothing to use")
            return
        }
        #expect(try request() == .wait)
        let issued = credential.pluginEnded(Self.credential("a", until: 100))
        #expect(issued?.isFresh == true)
        #expect(issued?.authorization?.revealed == "Bearer a")
        guard case .run = try request() else {
            Issue.record("the next one gets a fresh one")
            return
        }
        let none = credential.pluginEnded(nil)
        #expect(none == nil)
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

    @Test(
        arguments: [
            ("", nil), ("\n \n", nil), ("}", "invalid character '}' after top-level value"),
            ("\nfoo", "invalid character 'f' after top-level value"),
            (" # x", "invalid character '#' after top-level value"),
            ("\u{1b}[2J", "invalid character '\\u{1b}' after top-level value"),
        ] as [(String, String?)]
    )
    func `what follows the answer is refused in Go's words`(rest: String, problem: String?) throws {
        let plugin = try Self.cache().plugin
        let answer =
            #"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"}"}}"#
        do throws(ExecPluginError) {
            let credential = try ExecCredential(output: Array((answer + rest).utf8), of: plugin)
            #expect(problem == nil)
            #expect(credential.token?.revealed == "}")
        } catch {
            let words = problem.map { "decoding stdout: couldn't get version/kind; json parse error: \($0)" }
            #expect(error.description == words)
        }
    }

    @Test(
        arguments: [
            ("", "the plugin printed nothing"), (" \n", "the plugin printed nothing"),
            ("{\"a\": [", "couldn't get version/kind; json parse error: unexpected end of JSON input"),
        ]
    )
    func `an answer that is missing or cut is told as such`(output: String, problem: String) throws {
        let plugin = try Self.cache().plugin
        let error = #expect(throws: ExecPluginError.self) {
            try ExecCredential(output: Array(output.utf8), of: plugin)
        }
        #expect(error?.description == "decoding stdout: \(problem)")
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

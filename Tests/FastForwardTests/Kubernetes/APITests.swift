import Testing

@testable import FastForward

/// The status and the body of a recorded answer.
func answer(_ name: String) throws -> (status: Int, body: [UInt8]) {
    let bytes = try Vectors.bytes(name)
    let end = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8)))
    let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
    let status = try #require(Int(head.dropFirst(9).prefix(3)))
    var rest = bytes[end.upperBound...]
    guard head.lowercased().contains("transfer-encoding: chunked") else { return (status, Array(rest)) }
    var body: [UInt8] = []
    while let line = rest.firstRange(of: Array("\r\n".utf8)) {
        let size = try #require(Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16))
        if size == 0 { break }
        body += rest[line.upperBound...].prefix(size)
        rest = rest[line.upperBound...].dropFirst(size + 2)
    }
    return (status, body)
}

@Suite struct `Reading API objects` {
    @Test func `a real list of pods is read`() throws {
        let list = try APIObjects.decode(PodList.self, from: answer("http-pod-list.bin").body)
        let echo = try #require(list.items.first { $0.metadata.name == "echo" })
        #expect(echo.metadata.namespace == "default")
        #expect(echo.metadata.uid == "1c677156-3d7b-4fd8-a02a-8da2e2404e31")
        #expect(echo.isRunning)
        #expect(echo.isReady)
        #expect(!echo.isBeingDeleted)
        #expect(echo.runtime == .containerd)
        #expect(echo.status?.podIP != nil)
        #expect(PodNotRunning(echo) == nil)
        let web = try #require(list.items.first { $0.metadata.name.hasPrefix("web-") })
        #expect(web.ports.contains { $0.name == "http" })
    }

    @Test func `what is absent or null is tolerated`() throws {
        #expect(try APIObjects.decode(PodList.self, from: Array(#"{"items":null}"#.utf8)).items == [])
        let pod = try APIObjects.decode(Pod.self, from: Array(#"{"metadata":{"name":"a"}}"#.utf8))
        #expect(pod.ports == [])
        #expect(pod.runtime == nil)
        #expect(!pod.isReady)
        #expect(
            try APIObjects.decode(Pod.self, from: Array(#"{"metadata":{"name":"a","namespace":""}}"#.utf8))
                .metadata.namespace == nil
        )
    }

    @Test func `more values than an object has are refused before they take memory`() {
        let text = #"{"metadata":{"name":"a"},"x":["# + String(repeating: "0,", count: 20_000) + "0]}"
        let error = #expect(throws: APIObjectError.self) {
            try APIObjects.decode(Pod.self, from: Array(text.utf8))
        }
        #expect(error == .tooManyValues(limit: 4096 + text.utf8.count / 6))
    }

    @Test(
        arguments: [
            ("not json{", "the API server's answer is not readable (not JSON)"),
            ("", "the API server's answer is not readable (not JSON)"),
            ("null", "the API server's answer is not readable (no object)"),
            ("[1]", "the API server's answer is not readable (no object)"),
            ("{}", "the API server's answer is not readable (at metadata)"),
            (#"{"metadata":{"name":3}}"#, "the API server's answer is not readable (at metadata.name)"),
            // No path leads to those.
            (#"{"metadata":{"name":""}}"#, "the API server's answer is not readable (at metadata.name)"),
            (#"{"metadata":{"name":".."}}"#, "the API server's answer is not readable (at metadata.name)"),
            (
                #"{"metadata":{"name":"a","namespace":"b/c"}}"#,
                "the API server's answer is not readable (at metadata.namespace)"
            ),
        ]
    )
    func `anything else is refused with its place`(text: String, problem: String) {
        let error = #expect(throws: APIObjectError.self) {
            try APIObjects.decode(Pod.self, from: Array(text.utf8))
        }
        #expect(error?.description == problem)
    }

    @Test(
        arguments: [
            ("containerd://1", .containerd), ("cri-o://1", .criO), ("docker://1", .docker),
            ("rkt://1", .other("rkt")), ("", nil), ("://", nil), ("abc", nil),
        ] as [(String, ContainerRuntime?)]
    )
    func `a container's id tells the runtime`(id: String, runtime: ContainerRuntime?) {
        #expect(ContainerRuntime(containerID: id) == runtime)
    }

    @Test(arguments: testSeeds(10))
    func `any damage to an answer gives pods or an error`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let body = try answer("http-pod-list.bin").body
        for _ in 0..<20 {
            var damaged = body
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                damaged[Int.random(in: 0..<damaged.count, using: &generator)] = UInt8.random(
                    in: 0...255,
                    using: &generator
                )
            }
            if Bool.random(using: &generator) {
                damaged.removeLast(Int.random(in: 0..<damaged.count, using: &generator))
            }
            _ = try? APIObjects.decode(PodList.self, from: damaged)
        }
    }
}

/// An answer and what kubectl 1.32.4 prints for it, to a plain GET and to the upgrade.
struct RecordedFailure: CustomTestStringConvertible, Sendable {
    let httpStatus: Int
    let body: String
    /// nil: see ``upgradeOutput`` only.
    let output: String?
    let upgradeOutput: String?

    var testDescription: String { "\(httpStatus) \(body)" }

    static func status(_ code: Int, _ reason: String?, _ message: String) -> String {
        let reason = reason.map { #", "reason": "\#($0)""# } ?? ""
        return
            #"{"kind": "Status", "status": "Failure", "message": "\#(message)", "code": \#(code)\#(reason)}"#
    }

    init(_ httpStatus: Int, _ body: String, _ output: String?, upgrade: String? = nil) {
        self.httpStatus = httpStatus
        self.body = body
        self.output = output
        upgradeOutput = upgrade.map { "error: error upgrading connection: " + $0 }
    }

    static let all = [
        RecordedFailure(
            404,
            status(404, "NotFound", #"pods \"p\" not found"#),
            #"Error from server (NotFound): pods "p" not found"#,
            upgrade: #"pods "p" not found"#
        ),
        RecordedFailure(
            401,
            status(401, "Unauthorized", "Unauthorized"),
            "error: You must be logged in to the server (Unauthorized)",
            upgrade: "Unauthorized"
        ),
        RecordedFailure(
            401,
            "no way",
            "error: You must be logged in to the server (the server has asked for the client to provide credentials (get pods p))",
            upgrade: "unable to upgrade connection: no way"
        ),
        RecordedFailure(
            403,
            status(403, "Forbidden", #"pods \"p\" is forbidden: User \"x\" cannot get"#),
            #"Error from server (Forbidden): pods "p" is forbidden: User "x" cannot get"#,
            upgrade: #"pods "p" is forbidden: User "x" cannot get"#
        ),
        RecordedFailure(
            403,
            "go away",
            "Error from server (Forbidden): go away (get pods p)",
            upgrade: "unable to upgrade connection: go away"
        ),
        RecordedFailure(
            500,
            "boom\nline2",
            #"Error from server (InternalError): an error on the server ("boom\nline2") has prevented the request from succeeding (get pods p)"#
        ),
        RecordedFailure(
            500,
            status(500, "InternalError", "Internal error occurred: x"),
            "Error from server (InternalError): Internal error occurred: x",
            upgrade: "Internal error occurred: x"
        ),
        RecordedFailure(500, status(500, "", "some message"), "Error from server: some message"),
        RecordedFailure(
            502,
            "<html>bad gateway</html>",
            #"Error from server (InternalError): an error on the server ("<html>bad gateway</html>") has prevented the request from succeeding (get pods p)"#,
            upgrade: "unable to upgrade connection: <html>bad gateway</html>"
        ),
        RecordedFailure(
            503,
            "apiserver unavailable",
            "Error from server (ServiceUnavailable): the server is currently unable to handle the request (get pods p)",
            upgrade: "unable to upgrade connection: apiserver unavailable"
        ),
        RecordedFailure(
            504,
            "x",
            "Error from server (Timeout): the server was unable to return a response in the time allotted, but may still be processing the request (get pods p)"
        ),
        RecordedFailure(
            429,
            "slow",
            "Error from server (TooManyRequests): the server has received too many requests and has asked us to try again later (get pods p)"
        ),
        RecordedFailure(
            400,
            "bad thing",
            "Error from server (BadRequest): the server rejected our request for an unknown reason (get pods p)",
            upgrade: "unable to upgrade connection: bad thing"
        ),
        RecordedFailure(
            404,
            "404 page not found",
            "Error from server (NotFound): the server could not find the requested resource (get pods p)"
        ),
        RecordedFailure(
            405,
            "Method Not Allowed",
            "Error from server (MethodNotAllowed): the server does not allow this method on the requested resource (get pods p)"
        ),
        RecordedFailure(406, "x", "Error from server (NotAcceptable): x (get pods p)"),
        RecordedFailure(
            409,
            "x",
            "Error from server (Conflict): the server reported a conflict (get pods p)"
        ),
        RecordedFailure(
            302,
            "x",
            "Error from server: the server responded with the status code 302 but did not return more information (get pods p)"
        ),
        RecordedFailure(
            418,
            "teapot",
            "Error from server: the server responded with the status code 418 but did not return more information (get pods p)"
        ),
    ]
}

@Suite struct `Telling why the API server refused` {
    private static let getPod = APIFailure.Request(verb: "get", resource: "pods", name: "p")

    @Test(arguments: RecordedFailure.all)
    func `the words are kubectl's`(row: RecordedFailure) {
        let failure = APIFailure(httpStatus: row.httpStatus, body: Array(row.body.utf8), request: Self.getPod)
        if let output = row.output { #expect(failure.terminalText == output) }
        if let output = row.upgradeOutput { #expect(failure.upgradeText == output) }
    }

    /// Answers recorded from a 1.36 API server.
    @Test(
        arguments: [
            ("http-404.bin", #"pods "nope" not found"#),
            ("http-401.bin", "Unauthorized"),
            ("http-400-pending.bin", "pod pending does not have a host assigned"),
            (
                "http-403-no-right.bin",
                #"pods "echo" is forbidden: User "token-none" cannot get resource "pods/portforward" in API group "" in the namespace "default""#
            ),
            (
                "http-400-channels-no-port.bin",
                #"unable to upgrade connection: query parameter "port" is required"#
                    + " (API servers before Kubernetes 1.30 know no tunnel in a WebSocket)"
            ),
            ("http-405.bin", "unable to upgrade connection: Method Not Allowed"),
        ]
    )
    func `a refused upgrade says what the server said`(vector: String, text: String) throws {
        let (status, body) = try answer(vector)
        let failure = APIFailure(httpStatus: status, body: body, request: .portForward("echo"))
        #expect(failure.upgradeText == "error: error upgrading connection: " + text)
        #expect(failure.isUnauthorized == (status == 401))
        #expect(failure.isObjectMissing == (status == 404))
    }

    @Test func `a refusal without a reason names the permission that is missing`() {
        let body = RecordedFailure.status(403, "Forbidden", #"pods \"echo\" is forbidden: "#)
        let failure = APIFailure(httpStatus: 403, body: Array(body.utf8), request: .portForward("echo"))
        #expect(
            failure.upgradeText
                == #"error: error upgrading connection: pods "echo" is forbidden: (permission to create pods/portforward is missing)"#
        )
    }

    @Test func `what a server sends cannot steer the terminal`() {
        let body = RecordedFailure.status(403, "For\\u001b[2Jbidden", "a\\u001b]0;x\\u0007\\nb\\u202e")
        let failure = APIFailure(httpStatus: 403, body: Array(body.utf8), request: Self.getPod)
        #expect(
            failure.terminalText == #"Error from server (For\u{1b}[2Jbidden): a\u{1b}]0;x\u{7}\nb\u{202e}"#
        )
        let long = APIFailure(
            httpStatus: 500,
            body: Array(repeating: 0x61, count: 1 << 20),
            request: Self.getPod
        )
        #expect(long.terminalText.utf8.count < 2_000)
    }

    @Test(arguments: ["Pending", "Succeeded"])
    func `a pod that does not run is not forwarded to`(phase: String) throws {
        let text = #"{"metadata": {"name": "p"}, "status": {"phase": "\#(phase)"}}"#
        let pod = try APIObjects.decode(Pod.self, from: Array(text.utf8))
        // Recorded from kubectl 1.32.4, behind `error: `.
        #expect(
            PodNotRunning(pod)?.description
                == "unable to forward port because pod is not running. Current status=\(phase)"
        )
    }
}

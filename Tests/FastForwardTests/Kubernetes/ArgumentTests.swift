import Testing

@testable import FastForward

@Suite struct `Understanding the command's arguments` {
    @Test(arguments: ["pod/web-0", "pods/web-0", "po/web-0", "Pod/web-0", "pods.v1./web-0", "web-0"])
    func `a pod can be named in these ways`(text: String) throws {
        let target = try TargetArgument(text)
        #expect(target.kind == .pod)
        #expect(target.name == "web-0")
    }

    /// Recorded from kubectl 1.32.4.
    @Test(
        arguments: [
            ("pod/echo/x", "arguments in resource/name form may not have more than one slash"),
            ("pod/", "arguments in resource/name form must have a single resource and name"),
            ("/echo", "arguments in resource/name form must have a single resource and name"),
            ("/", "arguments in resource/name form must have a single resource and name"),
            ("pods,svc/echo", "arguments in resource/name form must have a single resource and name"),
            ("pod/..", "invalid resource name \"..\": [may not be '..']"),
            ("pod/a%b", "invalid resource name \"a%b\": [may not contain '%']"),
            ("", "resource name may not be empty"),
        ]
    )
    func `other targets are refused`(text: String, problem: String) {
        let error = #expect(throws: TargetArgumentError.self) { _ = try TargetArgument(text) }
        #expect(error?.description == problem)
    }

    @Test func `another kind of target keeps its kind and name`() throws {
        let target = try TargetArgument("svc/web")
        #expect(target.kind == .service)
        #expect(target.name == "web")
    }

    private static func pod() throws -> Pod {
        try APIObjects.decode(
            Pod.self,
            from: Array(
                """
                {"metadata": {"name": "echo"}, "spec": {
                  "containers": [{"name": "c", "ports": [
                    {"name": "web", "containerPort": 8080, "protocol": "TCP"}, {"containerPort": 9999},
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                    {"containerPort": 54, "protocol": "UDP"}, {"containerPort": 54, "protocol": "TCP"}]}],
                  "initContainers": [{"name": "i", "ports": [{"name": "initp", "containerPort": 77}]}]}}
                """.utf8
            )
        )
    }

    @Test(
        arguments: [
            ("80", 80, 80), ("8080:80", 8080, 80), (":80", 0, 80), ("0:80", 0, 80), ("080", 80, 80),
            ("18080:web", 18080, 8080), ("web", 8080, 8080), (":web", 0, 8080), ("initp", 77, 77),
            ("54", 54, 54),
            ("65535:65535", 65535, 65535), ("1:1", 1, 1),
        ] as [(String, UInt16, UInt16)]
    )
    func `a port argument gives a local and a remote port`(text: String, local: UInt16, remote: UInt16) throws
    {
        let port = try PortArgument(text).resolve(against: Self.pod())
        #expect(port == ForwardedPort(local: local, remote: remote))
    }

    /// Recorded from kubectl 1.32.4 against a pod like the one above; the last two differ on purpose.
    @Test(
        arguments: [
            ("foo", "Pod 'echo' does not have a named port 'foo'"),
            (":foo", "Pod 'echo' does not have a named port 'foo'"),
            ("0x50", "Pod 'echo' does not have a named port '0x50'"),
            ("80x", "Pod 'echo' does not have a named port '80x'"),
            ("80:", "remote port cannot be empty"),
            (":", "remote port cannot be empty"),
            (
                "70000",
                "error parsing local port '70000': strconv.ParseUint: parsing \"70000\": value out of range"
            ),
            (
                "1:70000",
                "error parsing remote port '70000': strconv.ParseUint: parsing \"70000\": value out of range"
            ),
            ("0", "remote port must be > 0"),
            ("5:0", "remote port must be > 0"),
            ("x:80", "error parsing local port 'x': strconv.ParseUint: parsing \"x\": invalid syntax"),
            (
                "70000:80",
                "error parsing local port '70000': strconv.ParseUint: parsing \"70000\": value out of range"
            ),
            ("+80", "error parsing local port '+80': strconv.ParseUint: parsing \"+80\": invalid syntax"),
            ("53", "UDP protocol is not supported for 53"),
            ("dns", "UDP protocol is not supported for dns"),
            ("a:b:c", "invalid port format 'a:b:c'"),
            ("", "remote port cannot be empty"),
        ]
    )
    func `a bad port argument is refused in kubectl's words`(text: String, problem: String) {
        let error = #expect(throws: PortArgumentError.self) {
            _ = try PortArgument(text).resolve(against: Self.pod())
        }
        #expect(error?.description == problem)
    }
}

import Testing

/// Each rule on a text that breaks it and on one that nearly does.
@Suite struct `Rules of the house catch what breaks them` {
    private func file(_ path: String, _ text: String) -> SourceText {
        SourceText(path: "Sources/FastForward/" + path, text: text)
    }

    @Test func `comments and literals are no code, interpolations are`() {
        let code = SwiftBlanking.code(
            of: """
                let a = "unsafe \\(unsafe b("x")) unsafe" // unsafe
                /* unsafe /* unsafe */ unsafe */ c #"unsafe \\"# d
                """
        )
        let words = code.split { !$0.isLetter }
        #expect(words == ["let", "a", "unsafe", "b", "c", "d"])
        #expect(code.filter { $0 == "\n" }.count == 1)
    }

    @Test(arguments: [
        ("Loop/A.swift", "internal import CUV", 0),
        ("TLS/A.swift", "import Glibc\ninternal import CUV", 2),
        ("SPDY/HeaderCompression.swift", "import CZlib", 0),
        ("SPDY/SPDYFrame.swift", "import CZlib", 1),
        ("Kubernetes/YAMLDocument.swift", "internal import CYAML", 0),
        ("Kubernetes/Kubeconfig.swift", "#if true\n    package import CYAML\n#endif", 1),
        ("Kubernetes/Kubeconfig.swift", "import FoundationEssentials", 0),
        ("Tunnel/A.swift", "import FoundationEssentials", 1),
        ("Kubernetes/A.swift", "import struct Foundation.Data", 1),
        ("HTTP/A.swift", "@testable import Logging", 1),
        ("HTTP/A.swift", "// import CUV", 0),
        ("Extras/A.swift", "", 1),
    ])
    func `imports`(path: String, text: String, broken: Int) {
        #expect(TidyRules.imports(of: file(path, text)).count == broken)
    }

    @Test func `a higher layer's type named in a lower one`() {
        let complaints = TidyRules.layers(of: [
            file(
                "Loop/Transport.swift",
                "package final class Transport: LoopHandle {\n    struct Inner {}\n}"
            ),
            file("Tunnel/TunnelCore.swift", "package struct TunnelCore { var a: Transport }"),
            file("Forwarding/Upstream.swift", "final class Upstream { let t: Transport, c: TunnelCore }"),
            file(
                "Buffers/ByteBuffer.swift",
                "// For Transport.\nstruct B { let n = \"Upstream\" }\nlet x: Upstream"
            ),
            file("TLS/TLSSession.swift", "private struct Upstream {}\nlet y: Inner"),
        ])
        #expect(
            complaints == [
                "Sources/FastForward/Tunnel/TunnelCore.swift:1: Tunnel names Transport of Loop, which does not lie below it",
                "Sources/FastForward/Buffers/ByteBuffer.swift:3: Buffers names Upstream of Forwarding, which does not lie below it",
                "Sources/FastForward/TLS/TLSSession.swift:1: TLS names Upstream of Forwarding, which does not lie below it",
            ]
        )
    }

    @Test(arguments: [
        ("Tunnel/A.swift", "let x = unsafe y", 1),
        ("Tunnel/A.swift", "@unsafe struct A {}", 1),
        ("Tunnel/A.swift", "nonisolated(unsafe) var a = 1", 1),
        ("Tunnel/A.swift", "// unsafe\nlet unsafeName = \"unsafe\"; `unsafe`()", 0),
        ("Buffers/A.swift", "let x = unsafe y", 0),
        ("Kubernetes/YAMLDocument.swift", "let x = unsafe y", 0),
        ("Kubernetes/YAMLNode.swift", "let x = unsafe y", 1),
        ("Loop/Transport.swift", "Unmanaged.passRetained(self)", 1),
        ("Loop/Transport.swift", "let a: Unmanaged<A>", 1),
        ("Loop/Callbacks.swift", "unsafe Unmanaged.passRetained(self)", 0),
    ])
    func `unsafe and Unmanaged`(path: String, text: String, broken: Int) {
        #expect(TidyRules.unsafety(of: file(path, text)).count == broken)
    }

    @Test func `length`() {
        let line = "let a = 1\n"
        #expect(TidyRules.length(of: file("HTTP/A.swift", String(repeating: line, count: 600))).isEmpty)
        #expect(TidyRules.length(of: file("HTTP/A.swift", String(repeating: line, count: 601))).count == 1)
    }

    @Test func `leftovers`() {
        let words = ["TO" + "DO", "FIX" + "ME"]
        for word in words {
            #expect(TidyRules.leftovers(of: file("HTTP/A.swift", "let a = 1  // \(word): later")).count == 1)
            #expect(TidyRules.leftovers(of: file("HTTP/A.swift", "let NON\(word)S = 1")).isEmpty)
        }
    }

    @Test(arguments: [
        ("Thread.sleep(forTimeInterval: 1)", 1), ("usleep(1)", 1),
        ("try await Task.sleep(for: .seconds(1))", 1),
        ("nanosleep(&a, nil)", 1), ("sleep(1)", 1), ("Glibc.sleep(1)", 1), ("asleep(1)", 0),
        ("// usleep(1)", 0),
        ("let a = \"usleep(\"", 0),
    ])
    func `sleeping`(text: String, broken: Int) {
        #expect(TidyRules.sleeps(of: file("HTTP/A.swift", text)).count == broken)
    }

    @Test func `white space at line ends`() {
        let complaints = TidyRules.trailingSpace(
            of: file("HTTP/A.swift", "a \nb\n//c\t\n\"\"\"\nd \n\"\"\"\ne")
        )
        #expect(complaints.map { $0.split(separator: ":")[1] } == ["1", "3", "7"])
    }

    @Test func `links to nothing`() {
        let text = """
            [a](b.md) [c](../HTTP/d.md#there) [e](https://f/) [g](#h)
            ![i](j.png) [k](/README.md)
            """
        let page = file("Loop/a.md", text)
        let there: Set<String> = ["Sources/FastForward/Loop/b.md", "README.md"]
        let complaints = TidyRules.links(of: page) { there.contains($0) }
        #expect(
            complaints == [
                "Sources/FastForward/Loop/a.md:1: no file Sources/FastForward/HTTP/d.md to link to",
                "Sources/FastForward/Loop/a.md:2: no file Sources/FastForward/Loop/j.png to link to",
            ]
        )
    }
}

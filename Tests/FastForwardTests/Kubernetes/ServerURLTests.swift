import Testing

@testable import FastForward

@Suite struct `Parsing a server's URL` {
    @Test(
        arguments: [
            ("https://127.0.0.1:6443", "https://127.0.0.1:6443"),
            ("https://h", "https://h"), ("https://h:443/", "https://h"), ("http://h:80", "http://h"),
            ("https://h:", "https://h"), ("HTTPS://H:1", "https://H:1"), ("h", "http://h"),
            ("h:1", "http://h:1"),
            ("https://[::1]:6443", "https://[::1]:6443"), ("[::1]:1", "http://[::1]:1"),
            ("https://[fe80::1%25eth0]", "https://[fe80::1%eth0]"),
            ("https://[::ffff:10.0.0.1]", "https://[::ffff:10.0.0.1]"),
            ("https://h/k8s/clusters/c-1/", "https://h/k8s/clusters/c-1"),
            ("https://h//a///b//", "https://h/a/b"),
            ("https://h/a%20b/é c", "https://h/a%20b/%C3%A9%20c"), ("https://h/a?b=c#d", "https://h/a"),
            ("https://h?x", "https://h"), ("https://h/x://y", "https://h/x:/y"),
        ]
    )
    func `what kubectl takes is taken`(text: String, url: String) throws {
        #expect(try ServerURL(text).description == url)
    }

    @Test func `the parts are there for the layers below`() throws {
        let url = try ServerURL("https://[fe80::1%25eth0]:8443/base")
        #expect(url.isTLS)
        #expect(url.host == "fe80::1%eth0")
        #expect(url.port == 8443)
        #expect(url.basePath == "/base")
        #expect(try ServerURL("h", usesTLSByDefault: true).port == 443)
    }

    @Test(
        arguments: [
            // kubectl 1.32's words.
            ("https://", "host must be a URL or a host:port pair: \"https://\""),
            ("host/path", "host must be a URL or a host:port pair: \"host/path\""),
            ("", "host must be a URL or a host:port pair: \"\""),
            ("https://127.0.0.1:99999", "address 99999: invalid port"),
            // Ours.
            ("ftp://a", "the scheme \"ftp\" of \"ftp://a\" is neither http nor https"),
            ("https://h:0", "address 0: invalid port"), ("https://h:0x1", "address 0x1: invalid port"),
            ("https://h:+1", "address +1: invalid port"),
            ("https://::1", "\"\" is no host name or IP address"),
            (" https://h", "host must be a URL or a host:port pair: \" https://h\""),
            ("https://h ", "host must be a URL or a host:port pair: \"https://h \""),
            ("://x", "host must be a URL or a host:port pair: \"://x\""),
            ("https://a b", "\"a b\" is no host name or IP address"),
            ("https://h\r\nX: y", "host must be a URL or a host:port pair: \"https://h\\r\\nX: y\""),
            ("https://[::1", "host must be a URL or a host:port pair: \"https://[::1\""),
            ("https://[::1]x", "host must be a URL or a host:port pair: \"https://[::1]x\""),
            ("https://[fe80::1%lo]", "\"fe80::1%lo\" is no host name or IP address"),
            ("https://[1:2:3]", "\"1:2:3\" is no host name or IP address"),
            ("https://[::1::]", "\"::1::\" is no host name or IP address"),
            ("https://[::1.2.3.256]", "\"::1.2.3.256\" is no host name or IP address"),
            ("https://h/%zz", "the path \"/%zz\" of the server's URL is malformed"),
            ("https://h/a/../b", "the path \"/a/../b\" of the server's URL is malformed"),
            (
                "https://u:p@h",
                "the server's URL holds a user name (move it to username and password of the user)"
            ),
        ]
    )
    func `everything else is refused`(text: String, problem: String) {
        let error = #expect(throws: ServerURLError.self) { try ServerURL(text) }
        #expect(error?.description == problem)
    }

    @Test(arguments: testSeeds(10))
    func `any text gives a URL that parses to itself, or an error`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let fragments = [
            "https", "http", "://", ":", "/", "[", "]", "::", "1", "a", ".", "%", "%25", "é", "?", "#", "@",
            " ", "-",
        ]
        for _ in 0..<2_000 {
            let count = Int.random(in: 1...10, using: &generator)
            let text = (0..<count).compactMap { _ in fragments.randomElement(using: &generator) }.joined()
            guard let url = try? ServerURL(text) else { continue }
            let again = url.description.replacing("%", with: url.host.contains("%") ? "%25" : "%")
            if url.basePath.contains("%") && url.host.contains("%") { continue }
            #expect(try ServerURL(again) == url, "FFWD_SEED=\(seed) \(text)")
            #expect(url.description.utf8.allSatisfy { (0x21...0x7E).contains($0) })
        }
    }

    @Test func `request targets keep the base path and encode names`() throws {
        let server = try ServerURL("https://h/k8s/clusters/c-1")
        let paths = [
            APIPath.pod("web-0", namespace: "default", at: server),
            APIPath.pods(namespace: "a b", labelSelector: "app in (x,y)&z", .list, at: server),
            APIPath.pods(namespace: "n", .page(continuing: "a+b="), at: server),
            APIPath.portForward(pod: "ü?#", namespace: "n", ports: [80, 81], at: server),
        ]
        #expect(
            paths.map(\.description) == [
                "/k8s/clusters/c-1/api/v1/namespaces/default/pods/web-0",
                "/k8s/clusters/c-1/api/v1/namespaces/a%20b/pods?labelSelector=app%20in%20%28x%2Cy%29%26z&limit=250",
                "/k8s/clusters/c-1/api/v1/namespaces/n/pods?limit=250&continue=a%2Bb%3D",
                "/k8s/clusters/c-1/api/v1/namespaces/n/pods/%C3%BC%3F%23/portforward?ports=80&ports=81",
            ]
        )
    }
}

import Testing

@testable import FastForward

@Suite struct `Reading a proxy's URL` {
    typealias Login = UpstreamProxy.Login

    @Test(
        arguments: [
            ("http://p", "http://p:80", nil),
            ("HTTPS://p/", "https://p:443", nil),
            ("socks5://p", "socks5://p:1080", nil),
            ("http://p:443", "http://p:443", nil),
            ("https://[::1]:80", "https://[::1]:80", nil),
            ("http://me:pw@10.0.0.1:3128/x?y", "http://10.0.0.1:3128", Login(user: "me", password: "pw")),
            ("http://a%40b:%3A%2F%25@p:1", "http://p:1", Login(user: "a@b", password: ":/%")),
            ("http://me@p:1", "http://p:1", Login(user: "me", password: "")),
            ("http://a:b:c@d@p:1", "http://p:1", Login(user: "a", password: "b:c@d")),
        ] as [(String, String, Login?)]
    )
    func `it says where the proxy is and who we are to it`(url: String, shown: String, login: Login?) throws {
        let access = try ClusterAccess.resolving(
            kubeconfigText(cluster: "server: https://h, proxy-url: '\(url)'")
        )
        #expect(access.proxy?.description == shown)
        #expect(access.proxy?.login == login)
    }

    @Test(arguments: [
        "http://", "http://hunter2:x", "http://u:hunter2@p:0", "http://u%:hunter2@p", "http://u:%ff@p",
        "hunter2",
    ])
    func `what it cannot be is refused without being shown`(url: String) {
        #expect {
            _ = try ClusterAccess.resolving(
                kubeconfigText(cluster: "server: https://h, proxy-url: '\(url)'")
            )
        } throws: { error in
            let text = "\(error)"
            return text.contains("invalid 'proxy-url' for cluster \"c\"") && !text.contains("hunter2")
        }
    }
}

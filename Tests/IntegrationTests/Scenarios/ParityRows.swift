/// A command line, for kubectl and for ffwd.
struct ParityRow: Sendable {
    /// What ffwd does otherwise than kubectl, on purpose.
    struct Difference: Sendable {
        /// Why.
        let reason: String
        /// ffwd's stdout, where it is another.
        var output: String?
        /// ffwd's stderr, where it is another.
        var errors: String?
        /// ffwd ends at once with an error, where kubectl forwards.
        var isRefusal = false
        /// ffwd's stderr says in parentheses what else can be done.
        var hasHints = false
    }

    /// As a shell would split it; `{…}` stands for a port, see ``ParityPorts``.
    let text: String
    /// How many lines of `Forwarding from` are waited for; 0: the program ends by itself.
    var listening = 0
    /// The end of the kubeconfig's name: which user it is.
    var user = ""
    /// nil: everything is the same.
    var difference: Difference?

    /// The port that it listens on whatever else does: a name, or a number that is not drawn.
    var fixedPort: UInt16? {
        guard listening > 0 else { return nil }
        switch words.last?.split(separator: ":", omittingEmptySubsequences: false).first {
        case "echo", "7000", "07000": return 7000
        case "greeting": return 7009
        case .some, nil: return nil
        }
    }

    var words: [String] {
        text.split(separator: " ").map { $0 == "''" ? "" : String($0) }
    }

    /// Lines that end by themselves.
    static func fails(_ texts: String...) -> [ParityRow] { texts.map { ParityRow(text: $0) } }

    /// Lines that listen on both loopback addresses.
    static func works(_ texts: String...) -> [ParityRow] { texts.map { ParityRow(text: $0, listening: 2) } }

    static let all = targets + types + podPorts + servicePorts + addresses + failures + usage + users
}

extension ParityRow {
    /// For a cluster that is reached in another way; it has the pod `demo` with its service and deployment.
    static let few =
        works("demo :7009", "svc/demo :7", "deploy/demo :echo")
        + fails(
            "nope 80",
            "svc/demo 81",
            "pending 80",
            "foo/x 80",
            "cm/x 80",
            "no/node1 80",
            "-n nope demo 80"
        )

    /// For a program that runs in a pod of the namespace `other`.
    static let inPod =
        works("far :7009", "deploy/far :7000", "-n default demo :7009")
        + fails("demo 80", "svc/nope 80", "--token x far 80", "foo/x 80")

    /// Each kind in each of its spellings; the port tells which pod was taken.
    fileprivate static let targets: [ParityRow] =
        works(
            "demo :7009",
            "pod/demo :7009",
            "pods/demo :7009",
            "po/demo :7009",
            "Pod/demo :7009",
            "PODS/demo :7009",
            "pods.v1./demo :7009",
            "po.v2./demo :7009",
            "deploy/web :7009",
            "deployment/web :7009",
            "deployments/web :7009",
            "Deployment/web :7009",
            "deploy.apps/web :7009",
            "deployments.ap/web :7009",
            "deployment.v1.apps/web :7009",
            "deploy.v2.apps/web :7009",
            "rs/web-5d8 :7009",
            "replicaset.apps/web-5d8 :7009",
            "replicasets.v1.apps/web-5d8 :7009",
            "rs/going :7009",
            "sts/db :7009",
            "statefulsets/db :7009",
            "StatefulSet.v1.apps/db :7009",
            "ds/agent :7009",
            "daemonset.apps/agent :7009",
            "rc/legacy :7009",
            "replicationcontrollers/legacy :7009",
            "ReplicationController.v1./legacy :7009",
            "job/run :7009",
            "jobs.batch/run :7009",
            "job.v1.batch/run :7009",
            "svc/web :7009",
            "service/web :7009",
            "services.v1./web :7009",
            "SERVICES/web :7009",
            "-n other far :7009",
            "-n other deploy/far :7009",
            "-n=other svc/far :7",
            "-nother pod/far :7000",
            "--namespace other po/far :7000",
            "--namespace=other po/far :7000"
        )

    /// What cannot be forwarded to.
    fileprivate static let types: [ParityRow] = fails(
        "foo/x 80",
        "foo.bar/x 80",
        "foo.v1.bar/x 80",
        "DEPLOY/web 80",
        "PO/demo 80",
        "deployments.v2.apps/web 80",
        "deploy.extensions/web 80",
        "svc.apps/web 80",
        "svc.v1/web 80",
        "deployments.APPS/web 80",
        "cm/settings 80",
        "configmaps/settings 80",
        "cm.v1./nope 80",
        "secret/password 80",
        "ep/web 80",
        "ing/web 80",
        "ingress.networking.k8s.io/web 80",
        "ns/default 80",
        "node/node1 80",
        "cj/nightly 80",
        "sa/default 80",
        "nodes/nope 80",
        "wd/gadget 80",
        "widgets.example.com/gadget 80",
        "Widget/nope 80",
        "gtw.gateway/edge 80",
        "endpointslices/web-nh42f 80",
        "hpa/x 80"
    )

    /// Ports of a pod.
    fileprivate static let podPorts: [ParityRow] =
        works(
            "demo :7000",
            "demo 0:7000",
            "demo {a}:7000",
            "demo {a}:echo",
            "demo :echo",
            "demo echo",
            "demo 7000",
            "demo 7000:7000",
            "demo 07000",
            "demo 7000:echo",
            "demo echo:echo",
            "dns {a}:53",
            "dns {a}:sigtran",
            "dns {a}:setup",
            "dns :dns-tcp",
            "demo {a}:1"
        ) + [
            ParityRow(text: "demo :7000 :7009", listening: 4),
            ParityRow(text: "demo :7000 {a}:7009 :http", listening: 6),
        ]
        + fails(
            "demo 0",
            "demo 70000",
            "demo x",
            "demo x:7000",
            "demo 7000:x",
            "demo :x",
            "demo 7000:0",
            "demo :0",
            "demo 70000:7000",
            "demo 7000:70000",
            "demo +7000",
            "demo +1:7000",
            "demo 0x50",
            "demo 80x",
            "demo 7000 x",
            "demo 7000 0",
            "dns 5353",
            "dns {a}:5353",

            "dns mdns",
            "dns {a}:mdns",
            "dns :mdns :7000"
        ) + [
            ParityRow(
                text: "demo :",
                difference: Difference(
                    reason: "kubectl looks for a port without a name",
                    errors: "error: remote port cannot be empty"
                )
            ),
            ParityRow(
                text: "demo 7000:",
                difference: Difference(
                    reason: "kubectl looks for a port without a name",
                    errors: "error: remote port cannot be empty"
                )
            ),
            ParityRow(
                text: "demo ''",
                difference: Difference(
                    reason: "kubectl looks for a port without a name",
                    errors: "error: remote port cannot be empty"
                )
            ),
            ParityRow(
                text: "demo {a}:7000:7009",
                listening: 2,
                difference: Difference(
                    reason: "kubectl forwards {a} to {a}, which nobody can have meant",
                    errors: "error: invalid port format '{a}:7000:7009'",
                    isRefusal: true
                )
            ),
            ParityRow(
                text: "svc/web 0",
                difference: Difference(
                    reason: "what cannot be a port is refused before the server is asked",
                    errors: "error: remote port must be > 0"
                )
            ),
            ParityRow(
                text: "nope 70000",
                difference: Difference(
                    reason: "what cannot work is refused before the server is asked",
                    errors: "error: error parsing local port '70000': strconv.ParseUint: parsing \"70000\": "
                        + "value out of range"
                )
            ),
        ]

    /// Ports of services, and where they lead.
    fileprivate static let servicePorts: [ParityRow] =
        works(
            "svc/web {a}:80",
            "svc/web :http",
            "svc/web {a}:http",
            "svc/web :7",
            "svc/web :echo",
            "svc/web greeting",
            "svc/plain :9000",
            "svc/plain {a}:9000",
            "svc/headless :7000",
            "svc/headless :echo",
            "svc/headless :http",
            "svc/headless {a}:80",
            "svc/dns {a}:53",
            "svc/dns :dns-tcp",
            "svc/dns :echo",
            "svc/dns :8"
        ) + [ParityRow(text: "svc/web :http :echo", listening: 4)]
        + fails(
            "svc/web 81",
            "svc/web lost",
            "svc/web :82",
            "svc/web nowhere",
            "svc/web :nowhere",
            "svc/plain :9001",
            "svc/headless :9999",
            "svc/dns 5353",
            "svc/dns mdns",
            "svc/dns :mdns",
            "svc/portless 80",
            "svc/portless x",
            "svc/external 80",
            "svc/external http",

        ) + [
            ParityRow(
                text: "svc/plain {a}:",
                listening: 2,
                difference: Difference(
                    reason: "kubectl takes the service's port that has no name",
                    errors: "error: remote port cannot be empty",
                    isRefusal: true
                )
            )
        ]

    /// Where to listen.
    fileprivate static let addresses: [ParityRow] =
        works(
            "--address localhost demo :7000",
            "--address 127.0.0.1,::1 demo :7000",
            "--address ::1,127.0.0.1 demo :7000",
            "--address 127.0.0.1 --address ::1 demo :7000",
            "demo :7000 --address localhost",
            "--address localhost,127.0.0.1 demo :7000",
            "--address=localhost,::1 demo {a}:7000",
            "--address \"127.0.0.1\",\"::1\" demo :7000"
        )
        + [
            "--address 127.0.0.1 demo :7000", "--address ::1 demo :7000", "--address 0.0.0.0 demo :7000",
            "--address :: demo :7000", "--address 127.0.0.2 demo :7000",
            "--address 127.0.0.1,127.0.0.1 demo :7000",
            // One family is enough for localhost.
            "demo {busy4}:7000", "demo {busy6}:7000",
        ].map { ParityRow(text: $0, listening: 1) }
        + fails(
            "--address foo demo 7000",
            "--address 127.0.0.1,foo demo 7000",
            "--address localhost,foo demo 7000",
            "--address 1.2.3 demo 7000",
            "--address [::1] demo 7000",
            "--address '' demo 7000",
            "--address= demo 7000",
            "--address 127.0.0.1, demo 7000",
            "--address ::1%lo demo 7000",
            "--address \"127.0.0.1 demo 7000",
            "--address 127\".0.0.1 demo 7000",
            "--address 203.0.113.9 demo {a}:7000"
        )
        + [
            "demo {busy}:7000", "demo {busy}:7000 {busy}:7009", "--address 127.0.0.1 demo {busy4}:7000",
            "--address ::1 demo {busy6}:7000",
        ].map { ParityRow(text: $0, difference: hints()) }
        + [
            ParityRow(text: "demo {busy}:7000 :7009", listening: 2, difference: hints()),
            ParityRow(text: "demo {a}:7000 {a}:7009", listening: 2, difference: hints()),
            ParityRow(text: "--address ::1,127.0.0.1 demo {busy4}:7000", difference: hints(output: "")),
            ParityRow(text: "--address 127.0.0.1,::1 demo {busy6}:7000", difference: hints(output: "")),
        ]

    private static func hints(output: String? = nil) -> Difference {
        Difference(
            reason: "a port in use comes with advice, and no line for a listener that does not stay",
            output: output,
            hasHints: true
        )
    }

    /// What is not there, or does not run.
    fileprivate static let failures: [ParityRow] = fails(
        "nope 80",
        "pod/nope 80",
        "svc/nope 80",
        "deploy/nope 80",
        "rs/nope 80",
        "sts/nope 80",
        "ds/nope 80",
        "rc/nope 80",
        "job/nope 80",
        "far 80",
        "-n other demo 80",
        "-n nope demo 80",
        "-n nope svc/web 80",
        "-n nope deploy/web 80",
        "pending 80",
        "starting 80",
        "crashed 80",
        "job/done 80",
        "svc/nobody 80 --pod-running-timeout 1s",
        "--pod-running-timeout=300ms deploy/nobody 80",
        "deploy/broken 80"
    )

    /// Command lines that say too little, or something odd.
    fileprivate static let usage: [ParityRow] =
        fails(
            "''",
            "demo",
            "svc/web",
            "pod/demo/x 80",
            "demo/ 80",
            "/demo 80",
            "/ 80",
            "pods,svc/demo 80",
            "demo, 80",
            "'' 80",
            "--server= nope 80",
            "--server '' nope 80",
            "--namespace= svc/nope 80",
            "--pod-running-timeout= demo 80",
            "pod/.. 80",
            "pod/a%b 80",
            "--pod-running-timeout=0 demo 80",
            "--pod-running-timeout=-1s demo 80",
            "--pod-running-timeout 0s demo 80",
            "--pod-running-timeout x demo 80",
            "--pod-running-timeout=5 demo 80",
            "--insecure-skip-tls-verify=maybe demo 80",
            "--disable-compression= demo 80",
            "--nope demo 80",
            "--nope=1 demo 80",
            "-z demo 80",
            "-nq=1x -zq=1 demo 80",
            "demo 80 --token",
            "demo 80 -n",
            "--=x demo 80",
            "--- demo 80",
            "-s ://x demo 80"
        )
        + works(
            "--match-server-version=f --warnings-as-errors=0 demo :7000",
            "--pod-running-timeout 1h2m3.5s demo :7000",
            "-v 0 demo :7000",
            "-- demo :7000"
        )

    /// What others may not.
    fileprivate static let users: [ParityRow] = [
        ParityRow(text: "demo 7000", user: "-token-blind"),
        ParityRow(text: "svc/web 80", user: "-token-blind"),
        ParityRow(text: "deploy/web 80", user: "-token-blind"),
        ParityRow(text: "-n other far 7000", user: "-token-blind"),
        ParityRow(text: "demo 7000", user: "-token-none"),
        ParityRow(text: "svc/web 80", user: "-token-none"),
        ParityRow(text: "demo 7000", user: "-token-forgotten"),
        ParityRow(text: "deploy/web 7000", user: "-token-forgotten"),
        ParityRow(text: "demo :7000", listening: 2, user: "-token-create"),
        ParityRow(text: "deploy/web :7009", listening: 2, user: "-token"),
        ParityRow(text: "sts/db :7009", listening: 2, user: "-plugin"),
        ParityRow(text: "demo :7009", listening: 2, user: "-tokenfile"),
    ]
}

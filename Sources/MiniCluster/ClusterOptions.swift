package import FastForward

/// How a container runtime ends connections.
package enum RuntimeDialect: String, Sendable, CaseIterable {
    /// A half-close is passed on to the pod and back; the error stream ends when both directions have.
    case ideal
    /// containerd 1.6: FIN on data, the text if any, FIN on error; a second after the first direction's end.
    case containerd16 = "containerd-1.6"
    /// Streaming code since Kubernetes 1.32: the text, then a reset of both streams.
    case streaming132 = "streaming-1.32"

    /// The runtime that a pod's status names: clients treat containerd's way with half-closed connections specially.
    var runtimeName: String {
        switch self {
        case .ideal: "ideal"
        case .containerd16, .streaming132: "containerd"
        }
    }
}

/// A way into a pod that an API server offers.
package enum APIServerWay: String, Sendable, CaseIterable {
    /// SPDY in WebSocket messages, since Kubernetes 1.30.
    case webSocket = "websocket"
    case spdy
    /// A WebSocket for each connection.
    case channels
}

/// What a cluster is to be like.
package struct ClusterOptions {
    /// What certificate the API server shows.
    package enum Certificate {
        case valid
        case expired
        /// For this host name only, which is not the one in the kubeconfig.
        case named(String)
    }

    /// How connections to the API server are secured.
    package enum Security {
        /// With TLS and an authority of the cluster's own, whose certificates and credentials stand in the kubeconfigs.
        case authority
        /// With TLS; everybody is the administrator, and no kubeconfig is written.
        case anybody(TLSContext)
        /// The same without TLS.
        case plain
    }

    /// Where the kubeconfigs go.
    package var directory: String
    /// The API server's port; 0: any free one.
    package var port: UInt16 = 0
    package var runtime = RuntimeDialect.ideal
    package var podNames = ["demo"]
    /// Whether the death of a pod's process resets its connections; else they end as if all were said.
    package var podsResetWhenKilled = false
    /// Whether there is one example of everything that a forward can be aimed at.
    package var hasExamples = false
    /// Where the API server listens: an address of loopback.
    package var address = "127.0.0.1"
    /// What stands before `/api` in every path, such as `/k8s/clusters/c-1`, as behind Rancher; empty: nothing.
    package var basePath = ""
    package var ways = Set(APIServerWay.allCases)
    /// How many objects a page of a list has at most, where a client asks for pages at all; nil: as many as it wants.
    package var pageMax: Int?
    /// OpenSSL's names of the TLS 1.3 ciphers; nil: the usual ones.
    package var cipherSuites: String?
    package var certificate = Certificate.valid
    /// Whether failures can be asked for, on a port of its own.
    package var hasAdmin = false
    /// Tells a person what went wrong.
    package var report: (String) -> Void = { _ in }

    /// Who runs the pods; nil: child processes do.
    package var podHost: PodHost?
    package var security = Security.authority

    package init(directory: String) {
        self.directory = directory
    }
}

/// What runs pods elsewhere than in child processes.
package struct PodHost {
    /// Starts a pod, and says at which address.
    let start: (_ name: String) -> String
    /// Ends the pod at an address.
    let stop: (_ address: String) -> Void

    package init(start: @escaping (_ name: String) -> String, stop: @escaping (_ address: String) -> Void) {
        self.start = start
        self.stop = stop
    }
}

/// What happened so far.
final class Statistics {
    var requests = 0
    var bytesReceived = 0
    var tunnelsOpened = 0
    /// Pairs of streams that were connected to a pod, or were to be.
    var connectionsOpened = 0
    var connectionsFailed = 0
    var bytesToPods = 0
    var bytesFromPods = 0
    /// Lists and watches that were forbidden on purpose.
    var listsForbidden = 0
}

/// What goes wrong on purpose.
struct Failures {
    enum Answer: String {
        case normal
        case internalError = "500"
        case unauthorized = "401"
        case forbidden = "403"
        case tooManyRequests = "429"
        case unavailable = "503"
        case garbage
        case silence = "hang"
    }

    /// How API requests are answered.
    var answer = Answer.normal
    /// What refusals hold in `Retry-After`; empty: they lack it; nil: as each has it.
    var retryAfter: String?
    /// How many requests are yet answered so; nil: all.
    var answersLeft: Int?
    /// Nobody may list or watch objects of these types.
    var forbiddenLists: Set<APIType> = []
    /// PINGs of clients are not answered.
    var dropsPings = false
    /// PINGs of clients are answered later.
    var withholdsPings = false
    /// Tunnels are not read.
    var stallsTunnels = false
}

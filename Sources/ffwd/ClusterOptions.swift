import ArgumentParser
import FastForward
import Logging

/// kubectl's options for the cluster and the user, under kubectl's names.
///
/// A value may begin with a dash, as pflag has it: the word behind an option is its value, whatever it is.
struct ClusterOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: "The kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config."
    )
    var kubeconfig: String?

    @Option(parsing: .unconditional, help: "The kubeconfig context to use.")
    var context: String?

    @Option(parsing: .unconditional, help: "The kubeconfig cluster to use.")
    var cluster: String?

    @Option(parsing: .unconditional, help: "The kubeconfig user to use.")
    var user: String?

    @Option(
        name: [.customShort("n", allowingJoined: true), .long],
        parsing: .unconditional,
        help: "The namespace of the target."
    )
    var namespace: String?

    @Option(
        name: [.customShort("s", allowingJoined: true), .long],
        parsing: .unconditional,
        help: "The address of the API server."
    )
    var server: String?

    @Option(
        parsing: .unconditional,
        help: "A bearer token (others can see it in the list of processes).",
        transform: { Redacted($0) }
    )
    var token: Redacted<String>?

    @Option(parsing: .unconditional, help: "The file of a client certificate.")
    var clientCertificate: String?

    @Option(parsing: .unconditional, help: "The file of the client certificate's key.")
    var clientKey: String?

    @Option(parsing: .unconditional, help: "The file of the certificates to trust.")
    var certificateAuthority: String?

    @Flag(help: "Do not check the server's certificate.")
    var insecureSkipTlsVerify = false

    @Option(parsing: .unconditional, help: "The name that the server's certificate must have.")
    var tlsServerName: String?

    @Option(parsing: .unconditional, help: "The user to speak for.")
    var `as`: String?

    @Option(parsing: .unconditional, help: "The uid to speak for.")
    var asUid: String?

    @Option(parsing: .unconditionalSingleValue, help: "A group to speak for (may be repeated).")
    var asGroup: [String] = []

    @Option(
        parsing: .unconditionalSingleValue,
        help: "What else is known of the user to speak for, key=value (may be repeated)."
    )
    var asUserExtra: [String] = []

    @Option(parsing: .unconditional, help: "The user's name for basic authentication.")
    var username: String?

    @Option(
        parsing: .unconditional,
        help: "The password for basic authentication.",
        transform: { Redacted($0) }
    )
    var password: Redacted<String>?

    @Option(
        parsing: .unconditional,
        help: "How long one request to the API server may take (seconds, or 1m30s; 0: no limit)."
    )
    var requestTimeout = "0"

    @Option(
        parsing: .unconditional,
        help: "The file that says which credential plugins may run, instead of $KUBERC or ~/.kube/kuberc."
    )
    var kuberc: String?

    /// For ``ClusterAccess``.
    var flags: ClusterFlags {
        var flags = ClusterFlags(context: context, cluster: cluster, user: user, namespace: namespace)
        flags.server = server
        flags.token = token
        flags.clientCertificate = clientCertificate
        flags.clientKey = clientKey
        flags.certificateAuthority = certificateAuthority
        flags.insecureSkipTLSVerify = insecureSkipTlsVerify
        flags.tlsServerName = tlsServerName
        flags.impersonate = `as`
        flags.impersonateUID = asUid
        flags.impersonateGroups = asGroup
        flags.impersonateExtra = asUserExtra
        flags.username = username
        flags.password = password
        flags.requestTimeout = requestTimeout
        return flags
    }
}

/// kubectl's options that mean nothing here, so that a kubectl command line works as it is.
struct IgnoredOptions: ParsableArguments {
    @Option(parsing: .unconditional) var cacheDir: String?
    @Flag var disableCompression = false
    @Flag var matchServerVersion = false
    @Flag var warningsAsErrors = false
    @Option(parsing: .unconditional) var profile: String?
    @Option(parsing: .unconditional) var profileOutput: String?
    @Option(parsing: .unconditional) var vmodule: String?
    @Option(parsing: .unconditional) var logFlushFrequency: String?

    private static let profiles: Set = [
        "none", "cpu", "heap", "allocs", "goroutine", "threadcreate", "block", "mutex",
    ]

    /// Refuses the values that kubectl refuses.
    ///
    /// Source: klog `klog.go` (moduleSpec.Set), kubectl `cmd/profiling.go`.
    func check() throws(UsageError) {
        if let text = logFlushFrequency, (try? GoDuration(text)) == nil {
            throw .flag(.badValue(text, flag: "--log-flush-frequency", problem: "parse error"))
        }
        for part in (vmodule ?? "").split(separator: ",") {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2, !sides[0].isEmpty, let level = Int32(sides[1]) else {
                throw badVmodule("syntax error: expect comma-separated list of filename=N")
            }
            guard level >= 0 else { throw badVmodule("negative value for vmodule level") }
        }
        if let profile, !Self.profiles.contains(profile) { throw .unknownProfile(profile) }
    }

    private func badVmodule(_ problem: String) -> UsageError {
        .flag(.badValue(vmodule ?? "", flag: "--vmodule", problem: problem))
    }

    /// Says which of them were given.
    func note(in logger: Logger) {
        let given: [(name: String, isGiven: Bool)] = [
            ("--cache-dir", cacheDir != nil), ("--disable-compression", disableCompression),
            ("--match-server-version", matchServerVersion), ("--warnings-as-errors", warningsAsErrors),
            ("--profile", profile != nil),
            ("--profile-output", profileOutput != nil), ("--vmodule", vmodule != nil),
            ("--log-flush-frequency", logFlushFrequency != nil),
        ]
        for option in given where option.isGiven {
            logger.notice("\(option.name) means nothing here and is ignored")
        }
    }
}

import Foundation
import Testing

@testable import FastForward

@Suite struct `Doing what kubectl does` {
    /// Where we differ on purpose, and what we print or do there.
    private static let ours: [String: KubectlRow.Outcome] = [
        // kubectl from 1.33 on lets the flags go before the data, too.
        "--client-certificate over data": outcome { $0.client = "client-b" },
        // To kubectl the kubeconfig's file goes before the command line.
        "--token over a token file": outcome { $0.authorization = "Bearer flag" },
        // kubectl's own parser shows its types.
        "a plugin that prints rubbish": outcome(
            error: "Unable to connect to the server: getting credentials: decoding stdout: it is not JSON"
        ),
        // kubectl names the replacement for two providers, and goes on without a credential for others.
        "an auth-provider": outcome(
            error: "error: user \"u\" uses an auth-provider (gcp), which ffwd does not support yet (kubectl "
                + "dropped these too; use the provider's exec plugin, such as gke-gcloud-auth-plugin)"
        ),
        // kubectl shows the URL, which may hold a password.
        "proxy-url of an odd scheme": outcome(
            error: badProxy("unsupported scheme \"ftp\", must be http, https, or socks5")
        ),
        "proxy-url without a scheme": outcome(
            error: badProxy("unsupported scheme \"\", must be http, https, or socks5")
        ),
        "proxy-url that is a word": outcome(
            error: badProxy("unsupported scheme \"\", must be http, https, or socks5")
        ),
        // What cannot be a port is refused before the service is asked for.
        "target: ports: 0": outcome(error: "error: remote port must be > 0"),
        "target: ports: 70000": outcome(
            error: "error: error parsing local port '70000': strconv.ParseUint: parsing \"70000\": "
                + "value out of range"
        ),
        "target: ports: 80:": outcome(error: "error: remote port cannot be empty"),
    ]

    private static func badProxy(_ problem: String) -> String {
        "error: invalid 'proxy-url' for cluster \"c\": \(problem)"
    }

    private static func outcome(
        error: String? = nil,
        _ change: (inout KubectlRow.Outcome) -> Void = { _ in }
    ) -> KubectlRow.Outcome {
        var outcome = KubectlRow.Outcome()
        outcome.error = error
        if error == nil {
            outcome.path = "/api/v1/namespaces/default/pods/x"
            outcome.scheme = "https"
        }
        change(&outcome)
        return outcome
    }

    /// Rows of the command line's own parser, which is not in the library.
    private static let parserRows: Set<String> = ["too few arguments"]

    @Test func `the table is there`() {
        #expect(KubectlRow.all.count > 200)
        #expect(Set(KubectlRow.all.map(\.name)).count == KubectlRow.all.count)
        #expect(Set(Self.ours.keys).isSubset(of: Set(KubectlRow.all.map(\.name))))
    }

    @Test(arguments: KubectlRow.all.filter { !parserRows.contains($0.name) })
    func `the same command asks the server for the same, or says the same`(row: KubectlRow) throws {
        let found = try KubectlReplay(row).outcome()
        let isOurs = Self.ours[row.name] != nil
        var expected = Self.ours[row.name] ?? row.kubectl
        if let error = expected.error, !isOurs {
            if error.hasPrefix("Unable to connect to the server: tls: failed to verify certificate") {
                // The name is for the TLS layer to check; here it only has to be the right one.
                if error.contains("is valid for") {
                    #expect(found.serverName == "wrong.example")
                    return
                }
                expected.error = "untrusted"
            }
            // Whom to ask for help is the command's own affair.
            if error.hasPrefix("Error: invalid argument") || error.contains("\nSee 'kubectl") {
                let line = error.split(separator: "\n").first.map(String.init) ?? ""
                expected.error = line.replacing(/^Error:/, with: "error:")
            }
        }
        if let error = expected.error {
            #expect(Self.withoutDirectory(found.error) == Self.withoutDirectory(error))
        } else {
            try Self.compare(found, expected)
        }
        if let info = expected.execInfo { try Self.expectSameJSON(found.execInfo, info) }
    }

    private static func compare(_ found: KubectlRow.Outcome, _ expected: KubectlRow.Outcome) throws {
        var (found, expected) = (found, expected)
        // Names of fields have no case; Go capitalises them.
        found.impersonation = found.impersonation?.map { $0.lowercased() }
        expected.impersonation = expected.impersonation?.map { $0.lowercased() }
        found.execInfo = nil
        expected.execInfo = nil
        #expect(found == expected)
    }

    /// Relative paths on the command line are made absolute here.
    private static func withoutDirectory(_ text: String?) -> String? {
        text?.replacing("{dir}/", with: "")
    }

    private static func expectSameJSON(_ found: String?, _ expected: String) throws {
        let left = try JSONDecoder().decode(JSONValue.self, from: Data((found ?? "").utf8))
        let right = try JSONDecoder().decode(JSONValue.self, from: Data(expected.utf8))
        #expect(left == right)
    }

    /// All rows where `CI` is `true`; elsewhere a few of them, as 230 runs of kubectl take half a minute.
    @Test func `kubectl still does what was recorded`() throws {
        let environment = ProcessInfo.processInfo.environment
        let isRequired = environment["CI"] == "true"
        let paths = (environment["PATH"] ?? "").split(separator: ":")
        let missing = ["kubectl", "python3", "openssl"].filter { name in
            !paths.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
        }
        guard missing.isEmpty else {
            print("kubectl's table is not checked again: \(missing.joined(separator: ", ")) missing")
            #expect(!isRequired)
            return
        }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", KubectlRow.directory.appending(path: "record.py").path, "--check"]
        if !isRequired { process.arguments?.append("--sample") }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(String(decoding: text, as: UTF8.self))")
    }
}

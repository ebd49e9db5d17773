/// A kubeconfig as the files on disk say it: clusters, users and the contexts that join them.
///
/// The format is v1 of client-go `tools/clientcmd/api/v1/types.go`; unknown fields are tolerated. Every entry
/// knows the file that defined it; paths in it are already resolved against that file's directory.
package struct Kubeconfig: Sendable {
    package var clusters: [String: Entry<Cluster>] = [:]
    package var users: [String: Entry<User>] = [:]
    package var contexts: [String: Entry<Context>] = [:]
    package var currentContext = ""
    /// The files that it was read from, in order of precedence.
    package var files: [String] = []

    package init() {}

    /// A named value and the file that defined it.
    package struct Entry<Value: Sendable>: Sendable {
        package var name: String
        package var value: Value
        package var file: String
    }

    /// Whether nothing at all is configured.
    package var isEmpty: Bool {
        clusters.isEmpty && users.isEmpty && contexts.isEmpty && currentContext.isEmpty
    }

    /// Takes from `other` what this does not define yet.
    ///
    /// An entry is taken whole or not at all (client-go `loader.go`: the first file that defines a key wins).
    package mutating func merge(_ other: Kubeconfig) {
        clusters.merge(other.clusters) { first, _ in first }
        users.merge(other.users) { first, _ in first }
        contexts.merge(other.contexts) { first, _ in first }
        if currentContext.isEmpty { currentContext = other.currentContext }
        files += other.files
    }
}

extension Kubeconfig {
    /// How to reach and to trust an API server.
    package struct Cluster: Sendable {
        package var server: String?
        package var tlsServerName: String?
        package var insecureSkipTLSVerify: Bool?
        package var certificateAuthority: String?
        /// In base64.
        package var certificateAuthorityData: String?
        package var proxyURL: String?
        package var disableCompression: Bool?
        package var extensions: [NamedExtension]?
    }

    /// How to prove who one is (client-go: AuthInfo).
    package struct User: Sendable {
        package var clientCertificate: String?
        /// In base64.
        package var clientCertificateData: String?
        package var clientKey: String?
        /// In base64.
        package var clientKeyData: Redacted<String>?
        package var token: Redacted<String>?
        package var tokenFile: String?
        package var impersonate: String?
        package var impersonateUID: String?
        package var impersonateGroups: [String]?
        package var impersonateExtra: [String: [String]]?
        package var username: String?
        package var password: Redacted<String>?
        package var authProvider: AuthProvider?
        package var exec: ExecPlugin?
        package var extensions: [NamedExtension]?
    }

    /// A cluster, a user and a namespace under one name.
    package struct Context: Sendable {
        package var cluster: String?
        package var user: String?
        package var namespace: String?
        package var extensions: [NamedExtension]?
    }

    /// A credential helper built into old clients.
    package struct AuthProvider: Sendable {
        package var name: String?
        package var config: [String: Redacted<String>]?
    }

    /// A program that prints a credential.
    package struct ExecPlugin: Sendable {
        package struct Variable: Sendable {
            package var name: String
            package var value: Redacted<String>?
        }

        package var command: String?
        package var args: [String]?
        package var env: [Variable]?
        package var apiVersion: String?
        package var installHint: String?
        package var provideClusterInfo: Bool?
        package var interactiveMode: String?
    }

    /// Data of some other program.
    package struct NamedExtension: Sendable {
        package var name: String?
        package var `extension`: JSONValue?
    }
}

extension Kubeconfig {
    /// Reads the text of one kubeconfig file, YAML or JSON; an empty one is fine.
    ///
    /// `file` (absolute) names it in errors, and its directory is what relative paths in it start from.
    package init(parsing bytes: [UInt8], file: String) throws(KubeconfigError) {
        let document: KubeconfigFile
        do throws(YAMLError) {
            guard let tree = try YAMLTreeBuilder.tree(of: bytes), !tree.isNull else {
                files = [file]
                return
            }
            document = try KubeconfigFile(tree)
        } catch {
            throw .malformed(file: file, problem: error)
        }
        guard ["", "v1"].contains(document.apiVersion ?? ""), ["", "Config"].contains(document.kind ?? "")
        else {
            let found = "\(document.apiVersion ?? "v1") \(document.kind ?? "Config")"
            throw .malformed(
                file: file,
                problem: YAMLError(line: nil, problem: "\(found) is not a v1 Config")
            )
        }
        let directory = FilePath.directory(of: file)
        clusters = try Self.table(document.clusters, "clusters", file) {
            ($0 ?? Cluster()).resolved(in: directory)
        }
        users = try Self.table(document.users, "users", file) {
            ($0 ?? User()).resolved(in: directory)
        }
        contexts = try Self.table(document.contexts, "contexts", file) {
            $0 ?? Context()
        }
        currentContext = document.currentContext ?? ""
        files = [file]
        try refuseBadBase64()
    }

    private static func table<Value: Sendable>(
        _ elements: [KubeconfigFile.Named<Value>],
        _ list: String,
        _ file: String,
        _ complete: (Value?) -> Value
    ) throws(KubeconfigError) -> [String: Entry<Value>] {
        var table: [String: Entry<Value>] = [:]
        for element in elements {
            let name = element.name ?? ""
            let value = complete(element.value)
            guard table.updateValue(Entry(name: name, value: value, file: file), forKey: name) == nil else {
                let problem = "duplicate name \"\(name)\" in list \(list)"
                throw .malformed(file: file, problem: YAMLError(line: nil, problem: problem))
            }
        }
        return table
    }
}

extension Kubeconfig.Cluster {
    fileprivate func resolved(in directory: String) -> Self {
        var copy = self
        copy.certificateAuthority = certificateAuthority.map { FilePath.resolve($0, in: directory) }
        return copy
    }
}

extension Kubeconfig.User {
    fileprivate func resolved(in directory: String) -> Self {
        var copy = self
        copy.clientCertificate = clientCertificate.map { FilePath.resolve($0, in: directory) }
        copy.clientKey = clientKey.map { FilePath.resolve($0, in: directory) }
        copy.tokenFile = tokenFile.map { FilePath.resolve($0, in: directory) }
        // A bare command is looked up in PATH (client-go loader.go, ResolveLocalPaths).
        if let command = exec?.command, command.utf8.contains(UInt8(ascii: "/")) {
            copy.exec?.command = FilePath.resolve(command, in: directory)
        }
        return copy
    }
}

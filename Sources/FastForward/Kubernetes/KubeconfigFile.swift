/// One kubeconfig file, as written.
struct KubeconfigFile {
    /// An element of one of the lists; an element may be null, as one of an unfinished list is: kubectl takes it for an
    /// entry without a name.
    struct Named<Value> {
        var name: String?
        var value: Value?
    }

    let kind: String?
    let apiVersion: String?
    let clusters: [Named<Kubeconfig.Cluster>]
    let users: [Named<Kubeconfig.User>]
    let contexts: [Named<Kubeconfig.Context>]
    let currentContext: String?

    /// Throws ``YAMLError`` with the line and the path of what does not fit; never the value itself, which may be a secret.
    init(_ document: YAMLNode) throws(YAMLError) {
        let fields = try YAMLFields(document: document)
        kind = try fields.text("kind")
        apiVersion = try fields.text("apiVersion")
        clusters = try Self.list("clusters", of: "cluster", fields) { (fields) throws(YAMLError) in
            try Kubeconfig.Cluster(fields)
        }
        users = try Self.list("users", of: "user", fields) { (fields) throws(YAMLError) in
            try Kubeconfig.User(fields)
        }
        contexts = try Self.list("contexts", of: "context", fields) { (fields) throws(YAMLError) in
            try Kubeconfig.Context(fields)
        }
        _ = try fields.extensions()
        currentContext = try fields.text("current-context")
    }

    private static func list<Value>(
        _ name: String,
        of valueName: String,
        _ fields: YAMLFields,
        _ read: (YAMLFields) throws(YAMLError) -> Value
    ) throws(YAMLError) -> [Named<Value>] {
        let list = try fields[name]?.list { (field) throws(YAMLError) -> Named<Value> in
            guard !field.node.isNull else { return Named(name: nil, value: nil) }
            let element = try field.fields()
            let name = try element.text("name")
            var value: Value?
            if let field = element[valueName] { value = try read(try field.fields()) }
            return Named(name: name, value: value)
        }
        return list ?? []
    }
}

extension YAMLFields {
    /// The field `extensions`: data of other programs.
    fileprivate func extensions() throws(YAMLError) -> [Kubeconfig.NamedExtension]? {
        try self["extensions"]?.list { (field) throws(YAMLError) in
            let fields = try field.fields()
            return Kubeconfig.NamedExtension(
                name: try fields.text("name"),
                extension: fields["extension"].map { JSONValue($0.node) }
            )
        }
    }
}

extension Kubeconfig.Cluster {
    fileprivate init(_ fields: YAMLFields) throws(YAMLError) {
        server = try fields.text("server")
        tlsServerName = try fields.text("tls-server-name")
        insecureSkipTLSVerify = try fields.bool("insecure-skip-tls-verify")
        certificateAuthority = try fields.text("certificate-authority")
        certificateAuthorityData = try fields.text("certificate-authority-data")
        proxyURL = try fields.text("proxy-url")
        disableCompression = try fields.bool("disable-compression")
        extensions = try fields.extensions()
    }
}

extension Kubeconfig.User {
    fileprivate init(_ fields: YAMLFields) throws(YAMLError) {
        clientCertificate = try fields.text("client-certificate")
        clientCertificateData = try fields.text("client-certificate-data")
        clientKey = try fields.text("client-key")
        clientKeyData = try fields.secret("client-key-data")
        token = try fields.secret("token")
        tokenFile = try fields.text("tokenFile")
        impersonate = try fields.text("as")
        impersonateUID = try fields.text("as-uid")
        impersonateGroups = try fields.texts("as-groups")
        impersonateExtra = try fields["as-user-extra"]?.table { (field) throws(YAMLError) in
            try field.list { (field) throws(YAMLError) in try field.text() }
        }
        username = try fields.text("username")
        password = try fields.secret("password")
        if let provider = fields["auth-provider"] {
            authProvider = try Kubeconfig.AuthProvider(try provider.fields())
        }
        if let plugin = fields["exec"] { exec = try Kubeconfig.ExecPlugin(try plugin.fields()) }
        extensions = try fields.extensions()
    }
}

extension Kubeconfig.Context {
    fileprivate init(_ fields: YAMLFields) throws(YAMLError) {
        cluster = try fields.text("cluster")
        user = try fields.text("user")
        namespace = try fields.text("namespace")
        extensions = try fields.extensions()
    }
}

extension Kubeconfig.AuthProvider {
    fileprivate init(_ fields: YAMLFields) throws(YAMLError) {
        name = try fields.text("name")
        config = try fields["config"]?.table { (field) throws(YAMLError) in Redacted(try field.text()) }
    }
}

extension Kubeconfig.ExecPlugin {
    fileprivate init(_ fields: YAMLFields) throws(YAMLError) {
        command = try fields.text("command")
        args = try fields.texts("args")
        env = try fields["env"]?.list { (field) throws(YAMLError) in
            let fields = try field.fields()
            return Variable(name: try fields.requiredText("name"), value: try fields.secret("value"))
        }
        apiVersion = try fields.text("apiVersion")
        installHint = try fields.text("installHint")
        provideClusterInfo = try fields.bool("provideClusterInfo")
        interactiveMode = try fields.text("interactiveMode")
    }
}

import FastForward

/// What the kubeconfig and the cluster say, asked as the command line chooses them.
///
/// Whatever fails is no choice and no message: a person is in the middle of a word.
struct ClusterFacts: CompletionFacts {
    /// How long the cluster may take; kubectl's completion waits for 32 s, which feels like a hang.
    static let answerSpan = TimeSpan.seconds(2)
    /// What an answer may hold: some tens of thousands of objects; more cannot be chosen from.
    private static let answerBytesMax = 32 << 20

    let loader: KubeconfigLoader
    let flags: ClusterFlags

    // MARK: The kubeconfig

    func contexts() -> [String] { kubeconfig.contexts.keys.sorted() }
    func clusters() -> [String] { kubeconfig.clusters.keys.sorted() }
    func users() -> [String] { kubeconfig.users.keys.sorted() }

    private var kubeconfig: Kubeconfig { (try? loader.load()) ?? Kubeconfig() }

    // MARK: The cluster

    func namespaces() -> [String] {
        let list = get(ObjectList.self) { access in .namespaces(at: access.server) }
        return (list?.items ?? []).map(\.metadata.name).sorted()
    }

    func objects(of kind: TargetKind) -> [Choice] {
        let list = get(ObjectList.self) { access in
            .objects(kind.type, namespace: access.namespace, at: access.server)
        }
        return (list?.items ?? []).map { object in
            // Of a pod that runs there is nothing to say.
            let phase = object.status?.phase ?? "Running"
            return Choice(word: object.metadata.name, description: phase == "Running" ? "" : phase)
        }.sorted { $0.word < $1.word }
    }

    func ports(of target: TargetArgument) -> [DeclaredPort] {
        guard let kind = target.kind else { return [] }
        let path = { (access: ClusterAccess) -> APIPath in
            .object(kind.type, target.name, namespace: access.namespace, at: access.server)
        }
        switch kind {
        case .pod:
            return Self.declared(get(Pod.self, at: path)?.ports ?? [])
        case .service:
            return (get(Service.self, at: path)?.ports ?? [])
                .filter { ($0.protocol ?? "TCP") == "TCP" }
                .map { DeclaredPort(number: $0.port, name: $0.name) }
        case .replicationController, .deployment, .replicaSet, .statefulSet, .daemonSet, .job:
            let template = get(Workload.self, at: path)?.spec?.template?.spec
            let containers = (template?.containers ?? []) + (template?.initContainers ?? [])
            return Self.declared(containers.flatMap { $0.ports ?? [] })
        }
    }

    private static func declared(_ ports: [Pod.Port]) -> [DeclaredPort] {
        ports.filter { ($0.protocol ?? "TCP") == "TCP" }
            .map { DeclaredPort(number: $0.containerPort, name: $0.name) }
    }

    /// Asks for one object or list, on a loop that runs for this answer only.
    private func get<Object: Decodable>(
        _ type: Object.Type,
        at path: (ClusterAccess) -> APIPath
    ) -> Object? {
        guard var access = try? ClusterAccess(loading: loader, flags: flags) else { return nil }
        access.leaveUserAlone()
        guard
            PathSegment.problem(of: access.namespace) == nil,
            let endpoint = try? UpstreamEndpoint(access: access), let loop = try? EventLoop()
        else { return nil }
        var object: Object?
        let timer = LoopTimer(loop: loop) { loop.stop() }
        timer.schedule(at: loop.now + Self.answerSpan)
        let request = APIRequest(
            loop: loop,
            endpoint: endpoint,
            path: path(access),
            limitBytes: Self.answerBytesMax
        ) { result in
            if case .success(let answer) = result, answer.status == 200 {
                object = try? APIObjects.decode(type, from: answer.body)
            }
            loop.stop()
        }
        loop.run()
        request.cancel()
        timer.close()
        // A credential plugin that did not come to an end is killed, and does not outlive the question.
        endpoint.close()
        while endpoint.isPluginAlive { loop.runOnce() }
        return object
    }
}

/// A list of objects of any kind.
private struct ObjectList: Decodable {
    struct Object: Decodable {
        struct Metadata: Decodable {
            let name: String
        }

        struct Status: Decodable {
            let phase: String?
        }

        let metadata: Metadata
        let status: Status?
    }

    let items: [Object]?
}

/// An object that makes pods, as far as their ports go.
private struct Workload: Decodable {
    struct Spec: Decodable {
        struct Template: Decodable {
            let spec: Pod.Spec?
        }

        let template: Template?
    }

    let spec: Spec?
}

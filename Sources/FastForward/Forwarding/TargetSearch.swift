/// Finds the pod that a target means, as kubectl does.
///
/// Theory of operation. A pod is got by its name. Of anything else the object is got, which says by its selector which
/// pods are its own; they are listed, and the best is taken, or the first that a watch tells of (``PodSearch`` decides).
/// A service without a selector may have endpoint slices that name pods all the same; kubectl does not ask for them.
/// A type that is not one of those that lead to pods is looked up in the server's discovery (``TypeSearch``), so that
/// the user is told what is wrong with it.
final class TargetSearch {
    /// What was found.
    struct Found {
        let pod: Pod
        /// Where the target is a service: it translates ports.
        let service: Service?
        /// Which pods are the target's; nil: it is a pod itself.
        let selector: PodSelector?
        /// Of a service without a selector: those of the pods that these name are its own; nil: all are.
        let slices: EndpointTracker?
    }

    private let loop: EventLoop
    private let endpoint: UpstreamEndpoint
    private let target: TargetArgument
    private let namespace: String
    private let timeout: TimeSpan
    private var handler: ((Result<Found, ForwarderFailure>) -> Void)?
    private var request: APIRequest?
    private var timer: LoopTimer?
    private var nextList = Instant(nanoseconds: 0)
    private var listTimer: LoopTimer?
    private var search: PodSearch
    private var typeSearch: TypeSearch
    private var selector: PodSelector?
    private var service: Service?
    private var slices: EndpointTracker?
    /// Whether the server has put a request off: it was busy at the start.
    private(set) var wasPutOff = false
    /// What discovery said instead of types: where it told of none of the wanted name, nobody knows whether there is one.
    private var discoveryFailure: ForwarderFailure?

    /// - Parameter handler: called once, in a later turn, unless the search is cancelled.
    init(
        loop: EventLoop,
        endpoint: UpstreamEndpoint,
        target: TargetArgument,
        namespace: String,
        timeout: TimeSpan,
        handler: @escaping (Result<Found, ForwarderFailure>) -> Void
    ) {
        self.loop = loop
        self.endpoint = endpoint
        self.target = target
        self.namespace = namespace
        self.timeout = timeout
        self.handler = handler
        search = PodSearch(at: loop.now, timeout: timeout)
        typeSearch = TypeSearch(for: target.typeText)
    }

    func start() {
        if let kind = target.kind { ask(for: kind) } else { perform(typeSearch.start()) }
    }

    private func ask(for kind: TargetKind) {
        get(kind.type) { [weak self] answer in
            guard let self else { return }
            if kind == .pod {
                self.decode(Pod.self, answer, as: self.text(kind.type)) {
                    self.finish(.success(Found(pod: $0, service: nil, selector: nil, slices: nil)))
                }
            } else {
                self.select(kind, answer)
            }
        }
    }

    private func select(_ kind: TargetKind, _ answer: APIRequest.Answer) {
        do throws(PodSelectorError) {
            selector = try PodSelector(of: kind, body: answer.body, namespace: namespace)
        } catch {
            switch error {
            case .serviceWithoutSelector:
                decode(Service.self, answer, as: text(kind.type)) {
                    self.listSlices(of: $0, otherwise: error)
                }
            case .unreadable(let problem):
                finish(.failure(unreadable(answer, as: text(kind.type), problem)))
            case .noSuchType, .hasNoPods, .invalid:
                finish(.failure(.target(error)))
            }
            return
        }
        guard kind == .service else {
            list()
            return
        }
        decode(Service.self, answer, as: text(kind.type)) {
            self.service = $0
            self.list()
        }
    }

    /// Goes on with the pods that the service's endpoint slices name, if there are any.
    private func listSlices(of service: Service, otherwise error: PodSelectorError) {
        let namespace = service.metadata.namespace.nonEmpty ?? namespace
        let path: APIPath = .endpointSlices(of: target.name, namespace: namespace, .list, at: endpoint.server)
        let asked = APIFailure.Request(verb: "list", resource: "endpointslices.discovery.k8s.io", name: "")
        get(path, asked, otherwise: { [weak self] _ in self?.finish(.failure(.target(error))) }) {
            [weak self] answer in
            guard let self else { return }
            self.decode(ObjectList<EndpointSlice>.self, answer, as: "list of endpoint slices") {
                var slices = EndpointTracker()
                _ = slices.listed($0)
                guard !slices.readiness.isEmpty else {
                    self.finish(.failure(.target(error)))
                    return
                }
                (self.slices, self.service) = (slices, service)
                self.selector = PodSelector(allOf: namespace)
                self.list(otherwise: error)
            }
        }
    }

    // MARK: Types

    private func perform(_ action: TypeSearch.Action) {
        switch action {
        case .failed: finish(.failure(discoveryFailure ?? .target(.noSuchType(target.typeText))))
        case .found(let type):
            if let kind = TargetKind(type) {
                ask(for: kind)
            } else {
                // As kubectl, which first of all wants the object.
                get(type) { [weak self] _ in self?.finish(.failure(.target(.hasNoPods(type)))) }
            }
        case .get(let segments):
            request = APIRequest(
                loop: loop,
                endpoint: endpoint,
                path: .discovery(segments, at: endpoint.server),
                accept: TypeSearch.accept,
                limitBytes: APIObjects.objectBytesMax
            ) { [weak self] result in
                guard let self else { return }
                switch result {
                case .failure(let error): self.finish(.failure(.upstream(error)))
                case .success(let answer): self.discovered(answer)
                }
            }
        }
    }

    private func discovered(_ answer: APIRequest.Answer) {
        let asked = APIFailure.Request(verb: "get", resource: "", name: "")
        let failure = APIFailure(httpStatus: answer.status, body: answer.body, request: asked)
        guard answer.status != 401 else {
            finish(.failure(.api(failure)))
            return
        }
        let action = typeSearch.answered(answer.status == 200 ? answer.body : nil)
        if let problem = typeSearch.problem {
            discoveryFailure = unreadable(answer, as: "list of types", problem)
        } else if answer.status == 429 || answer.status >= 500 {
            discoveryFailure = .api(failure)
        }
        perform(action)
    }

    // MARK: Pods

    /// - Parameter error: the end where none of the pods is the target's own.
    private func list(otherwise error: PodSelectorError? = nil) {
        guard let selector else { return }
        guard loop.now >= nextList else {
            listTimer?.close()
            let timer = LoopTimer(loop: loop) { [weak self] in self?.list(otherwise: error) }
            listTimer = timer
            timer.schedule(at: nextList)
            return
        }
        nextList = loop.now + ObjectWatch<Pod>.spacing
        if timer == nil {
            timer = LoopTimer(loop: loop) { [weak self] in
                guard let self else { return }
                self.perform(self.search.expire(at: self.loop.now))
            }
            timer?.schedule(at: search.deadline)
        }
        list(selector, ObjectPages(), otherwise: error)
    }

    /// Asks for the next page of the list.
    private func list(_ selector: PodSelector, _ pages: ObjectPages<Pod>, otherwise error: PodSelectorError?)
    {
        let path = selector.path(pages.next, at: endpoint.server)
        let asked = APIFailure.Request(verb: "list", resource: "pods", name: "")
        get(
            path,
            asked,
            limitBytes: APIObjects.bodyBytesMax,
            otherwise: { [weak self] failure in
                // The first page is too old for the next.
                let isExpired = failure.isExpired && pages.next != .list
                if isExpired { self?.list(otherwise: error) } else { self?.finish(.failure(.api(failure))) }
            },
            { [weak self] answer in
                guard let self else { return }
                self.decode(PodList.self, answer, as: "list of pods") {
                    var pages = pages
                    if let list = pages.add($0) {
                        self.take(list, otherwise: error)
                    } else {
                        self.list(selector, pages, otherwise: error)
                    }
                }
            }
        )
    }

    private func take(_ whole: PodList, otherwise error: PodSelectorError?) {
        var list = whole
        if let readiness = slices?.readiness { list.items.removeAll { readiness.isReady($0) == nil } }
        if let error, list.items.isEmpty {
            finish(.failure(.target(error)))
        } else {
            perform(search.listed(list))
        }
    }

    private func watch(from resourceVersion: String) {
        guard let selector else { return }
        let path = selector.path(.watch(resourceVersion: resourceVersion), at: endpoint.server)
        let request = APIRequest(loop: loop, endpoint: endpoint, path: path) { [weak self] _ in
            // However a watch ends: a fresh list says where to go on.
            guard let self else { return }
            self.perform(self.search.watchEnded())
        }
        request.onLine = { [weak self] line in
            guard let self, let change = try? APIObjects.decode(PodSearch.Change.self, from: line) else {
                return
            }
            self.perform(self.search.changed(change))
        }
        self.request = request
    }

    private func perform(_ action: PodSearch.Action?) {
        switch action {
        case nil: break
        case .list: list()
        case .watch(let resourceVersion): watch(from: resourceVersion)
        case .found(let pod):
            finish(.success(Found(pod: pod, service: service, selector: selector, slices: slices)))
        case .failed(let error): finish(.failure(.noPod(error)))
        }
    }

    // MARK: Requests

    /// What the target is called in messages: `service "web"`.
    private func text(_ type: ResourceType) -> String {
        "\(type.kind.lowercased()) \"\(target.name)\"".escapedForTerminal()
    }

    /// Gets the object of the target's name.
    private func get(_ type: ResourceType, _ take: @escaping (APIRequest.Answer) -> Void) {
        let path: APIPath = .object(type, target.name, namespace: namespace, at: endpoint.server)
        let asked = APIFailure.Request(verb: "get", resource: type.resourceName, name: target.name)
        get(
            path,
            asked,
            otherwise: { [weak self] in self?.explain($0, isNamespaced: type.isNamespaced) },
            take
        )
    }

    /// Says that the object is not there, or that its namespace is not (cli-runtime `resource/visitor.go`).
    private func explain(_ failure: APIFailure, isNamespaced: Bool) {
        guard failure.isObjectMissing, isNamespaced, namespace != "default" else {
            finish(.failure(.api(failure)))
            return
        }
        let asked = APIFailure.Request(verb: "get", resource: "namespaces", name: namespace)
        let path: APIPath = .namespace(namespace, at: endpoint.server)
        get(
            path,
            asked,
            otherwise: { [weak self] in
                self?.finish(.failure(.api($0.isObjectMissing ? $0 : failure)))
            },
            { [weak self] _ in self?.finish(.failure(.api(failure))) }
        )
    }

    /// - Parameter refused: gets an answer that is not 200; nil: it ends the search.
    private func get(
        _ path: APIPath,
        _ asked: APIFailure.Request,
        limitBytes: Int = APIObjects.objectBytesMax,
        otherwise refused: ((APIFailure) -> Void)? = nil,
        _ take: @escaping (APIRequest.Answer) -> Void
    ) {
        request = APIRequest(loop: loop, endpoint: endpoint, path: path, limitBytes: limitBytes) {
            [weak self] result in
            if case .success(let answer) = result, answer.wasPutOff { self?.wasPutOff = true }
            switch result {
            case .failure(let error):
                self?.finish(.failure(.upstream(error)))
            case .success(let answer) where answer.status != 200:
                let failure = APIFailure(httpStatus: answer.status, body: answer.body, request: asked)
                if let refused { refused(failure) } else { self?.finish(.failure(.api(failure))) }
            case .success(let answer):
                take(answer)
            }
        }
    }

    private func decode<Object: Decodable>(
        _ type: Object.Type,
        _ answer: APIRequest.Answer,
        as asked: String,
        _ take: (Object) -> Void
    ) {
        let object: Object
        do throws(APIObjectError) { object = try APIObjects.decode(type, from: answer.body) } catch {
            finish(.failure(unreadable(answer, as: asked, error)))
            return
        }
        take(object)
    }

    /// - Parameter asked: such as `service "web"`.
    private func unreadable(
        _ answer: APIRequest.Answer,
        as asked: String,
        _ problem: APIObjectError
    ) -> ForwarderFailure {
        let text = UnreadableAnswer(to: asked, fields: answer.fields, body: answer.body, problem)
        return .upstream(.answer(server: endpoint.server.authority, reason: "\(text)"))
    }

    private func finish(_ result: Result<Found, ForwarderFailure>) {
        guard let handler else { return }
        cancel()
        handler(result)
    }

    /// Forgets the handler and what is under way.
    func cancel() {
        handler = nil
        request?.cancel()
        request = nil
        timer?.close()
        timer = nil
        listTimer?.close()
        listTimer = nil
    }
}

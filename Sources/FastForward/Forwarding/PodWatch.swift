/// Follows the pods of a target: lists them, watches them, and begins again where that ends.
///
/// What the lines of a watch change is told once a turn, however many come.
final class PodWatch {
    /// How soon after one list, or one watch, the next may begin: a server, or a proxy, may end each at once.
    private static let spacing = TimeSpan.seconds(1)

    private let loop: EventLoop
    private let endpoint: () -> UpstreamEndpoint?
    private let selector: PodSelector
    private let handler: (PodTracker) -> Void
    private let unavailable: () -> Void
    private var tracker = PodTracker()
    private var request: APIRequest?
    private var timer: LoopTimer?
    private var policy = ReconnectPolicy()
    private let keys: RandomKeys
    private var isClosed = false
    private var nextList = Instant(nanoseconds: 0)
    private var nextWatch = Instant(nanoseconds: 0)
    /// Set while there are changes that have not been told.
    private var changeTimer: LoopTimer?

    /// - Parameters:
    ///   - endpoint: asked for each request.
    ///   - unavailable: called once, where the user may not list or watch.
    ///   - handler: called with each change.
    init(
        loop: EventLoop,
        endpoint: @escaping () -> UpstreamEndpoint?,
        selector: PodSelector,
        unavailable: @escaping () -> Void,
        handler: @escaping (PodTracker) -> Void
    ) {
        self.loop = loop
        self.endpoint = endpoint
        self.selector = selector
        self.unavailable = unavailable
        self.handler = handler
        keys = RandomKeys(pool: loop.pool)
    }

    /// Begins at `instant`.
    func start(at instant: Instant) { schedule(.list, at: instant) }

    private func perform(_ action: PodTracker.Action?) {
        guard !isClosed else { return }
        switch action {
        case nil: break
        case .list where loop.now < nextList: schedule(.list, at: nextList)
        case .list: list()
        case .watch(let version) where loop.now < nextWatch:
            schedule(.watch(resourceVersion: version), at: nextWatch)
        case .watch(let version): watch(from: version)
        case .pause: pause()
        case .stop:
            close()
            unavailable()
        }
    }

    private func list() {
        guard let endpoint = endpoint() else { return }
        nextList = loop.now + Self.spacing
        // A watch that follows a list is a new beginning.
        nextWatch = loop.now
        let path: APIPath = .pods(
            namespace: selector.namespace,
            labelSelector: selector.labelSelector,
            fieldSelector: selector.fieldSelector,
            at: endpoint.server
        )
        request = APIRequest(loop: loop, endpoint: endpoint, path: path) { [weak self] result in
            guard let self else { return }
            switch result {
            case .failure: self.perform(self.tracker.failed(status: nil))
            case .success(let answer):
                guard answer.status == 200, let list = try? APIObjects.decode(PodList.self, from: answer.body)
                else {
                    self.perform(self.tracker.failed(status: answer.status == 200 ? nil : answer.status))
                    return
                }
                self.policy.succeeded()
                let action = self.tracker.listed(list)
                self.tellChanges()
                self.perform(action)
            }
        }
    }

    private func tellChanges() {
        changeTimer?.close()
        changeTimer = nil
        handler(tracker)
    }

    private func tellChangesLater() {
        guard changeTimer == nil else { return }
        let timer = LoopTimer(loop: loop) { [weak self] in self?.tellChanges() }
        changeTimer = timer
        timer.schedule(at: loop.now)
    }

    private func watch(from version: String) {
        guard let endpoint = endpoint() else { return }
        nextWatch = loop.now + Self.spacing
        let path: APIPath = .podWatch(
            namespace: selector.namespace,
            labelSelector: selector.labelSelector,
            fieldSelector: selector.fieldSelector,
            resourceVersion: version,
            at: endpoint.server
        )
        let request = APIRequest(loop: loop, endpoint: endpoint, path: path) { [weak self] result in
            guard let self else { return }
            if case .success(let answer) = result, answer.status != 200 {
                self.perform(self.tracker.failed(status: answer.status))
            } else {
                self.perform(self.tracker.watchEnded())
            }
        }
        request.onLine = { [weak self] line in
            guard let self, !self.isClosed,
                let change = try? APIObjects.decode(PodTracker.Change.self, from: line)
            else { return }
            let action = self.tracker.changed(change)
            self.tellChangesLater()
            guard action != nil else { return }
            self.request?.cancel()
            self.perform(action)
        }
        self.request = request
    }

    private func pause() {
        policy.failed(at: loop.now, random: (try? keys.next()) ?? .max)
        schedule(tracker.retry(), at: policy.nextAttempt ?? loop.now)
    }

    private func schedule(_ action: PodTracker.Action, at instant: Instant) {
        timer?.close()
        let timer = LoopTimer(loop: loop) { [weak self] in self?.perform(action) }
        self.timer = timer
        timer.schedule(at: instant)
    }

    func close() {
        isClosed = true
        request?.cancel()
        request = nil
        timer?.close()
        timer = nil
        changeTimer?.close()
        changeTimer = nil
    }
}

/// Follows objects of one type: lists them, watches them, and begins again where that ends.
///
/// What the lines of a watch change is told once a turn, however many come.
final class ObjectWatch<Object: FollowedObject> {
    /// How soon after one list, or one watch, the next may begin: a server, or a proxy, may end each at once.
    static var spacing: TimeSpan { .seconds(1) }
    /// How long a right that was refused is not asked for again: a request in each half minute, on average, is no load.
    private static var refusedPauseMax: TimeSpan { .seconds(60) }
    /// How long a server is left alone at its own word: it may be taken back.
    private static var putOffMax: TimeSpan { .seconds(3600) }

    private let loop: EventLoop
    private let endpoint: () -> UpstreamEndpoint?
    private let path: (CollectionQuery, ServerURL) -> APIPath
    private let changed: () -> Void
    /// What is known of them.
    private(set) var tracker = ObjectTracker<Object>()
    private var request: APIRequest?
    private var timer: LoopTimer?
    private var policy = ReconnectPolicy()
    /// Whether they cannot be listed, for good or so far.
    private(set) var isUnavailable = false
    private let keys: RandomKeys
    private var isClosed = false
    private var nextList = Instant(nanoseconds: 0)
    private var nextWatch = Instant(nanoseconds: 0)
    /// Before this instant the server wants not to be asked, whatever else makes a pause shorter.
    private var putOffUntil = Instant(nanoseconds: 0)
    /// Set while there are changes that have not been told.
    private var changeTimer: LoopTimer?

    /// - Parameters:
    ///   - endpoint: asked for each request.
    ///   - path: of a page of the list, or of the watch.
    ///   - changed: called with each change, also of ``isUnavailable``.
    init(
        loop: EventLoop,
        endpoint: @escaping () -> UpstreamEndpoint?,
        path: @escaping (CollectionQuery, ServerURL) -> APIPath,
        changed: @escaping () -> Void
    ) {
        self.loop = loop
        self.endpoint = endpoint
        self.path = path
        self.changed = changed
        keys = RandomKeys(pool: loop.pool)
    }

    /// Begins at `instant`.
    func start(at instant: Instant) { schedule(.list, at: instant) }

    private func perform(_ action: ObjectTracker<Object>.Action?) {
        guard !isClosed else { return }
        switch action {
        case nil: break
        case .list where loop.now < nextList: schedule(.list, at: nextList)
        case .list: list()
        case .watch(let version) where loop.now < nextWatch:
            schedule(.watch(resourceVersion: version), at: nextWatch)
        case .watch(let version): watch(from: version)
        case .pause: pause()
        case .refused:
            let isNews = !isUnavailable
            if isNews { policy = ReconnectPolicy(longest: Self.refusedPauseMax) }
            isUnavailable = true
            pause()
            if isNews { changed() }
        case .stop:
            isUnavailable = true
            close()
            changed()
        }
    }

    private func list() {
        nextList = loop.now + Self.spacing
        // A watch that follows a list is a new beginning.
        nextWatch = loop.now
        list(ObjectPages())
    }

    /// Asks for the next page.
    private func list(_ pages: ObjectPages<Object>) {
        guard let endpoint = endpoint() else { return }
        request = APIRequest(loop: loop, endpoint: endpoint, path: path(pages.next, endpoint.server)) {
            [weak self] result in
            guard let self else { return }
            guard case .success(let answer) = result else {
                return self.perform(self.tracker.failed(status: nil))
            }
            self.leaveAlone(for: answer.wait)
            guard answer.status == 200,
                let page = try? APIObjects.decode(ObjectList<Object>.self, from: answer.body)
            else {
                self.perform(self.tracker.failed(status: answer.status == 200 ? nil : answer.status))
                return
            }
            var pages = pages
            guard let list = pages.add(page) else { return self.list(pages) }
            if self.isUnavailable { self.policy = ReconnectPolicy() }
            self.isUnavailable = false
            let action = self.tracker.listed(list)
            self.tellChanges()
            self.perform(action)
        }
    }

    private func tellChanges() {
        changeTimer?.close()
        changeTimer = nil
        changed()
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
        let request = APIRequest(
            loop: loop,
            endpoint: endpoint,
            path: path(.watch(resourceVersion: version), endpoint.server)
        ) {
            [weak self] result in
            guard let self else { return }
            if case .success(let answer) = result, answer.status != 200 {
                self.leaveAlone(for: answer.wait)
                self.perform(self.tracker.failed(status: answer.status))
            } else {
                self.perform(self.tracker.watchEnded())
            }
        }
        request.onLine = { [weak self] line in
            guard let self, !self.isClosed,
                let change = try? APIObjects.decode(ObjectTracker<Object>.Change.self, from: line)
            else { return }
            // Not by a list: who may list but not watch lists with growing pauses.
            self.policy = ReconnectPolicy()
            let action = self.tracker.changed(change)
            self.tellChangesLater()
            guard action != nil else { return }
            self.request?.cancel()
            self.perform(action)
        }
        self.request = request
    }

    private func leaveAlone(for wait: TimeSpan?) {
        if let wait { putOffUntil = loop.now + min(wait, Self.putOffMax) }
    }

    private func pause() {
        policy.failed(at: loop.now, random: (try? keys.next()) ?? .max)
        schedule(tracker.retry(), at: policy.nextAttempt ?? loop.now)
    }

    /// Takes note that the network of this host has changed: a pause is cut short, and what is under way looked at.
    func networkChanged() {
        request?.networkChanged()
        guard let timer, timer.deadline != nil, let random = try? keys.next(),
            policy.hasten(at: loop.now, random: random), let next = policy.nextAttempt
        else { return }
        timer.schedule(at: max(next, putOffUntil))
    }

    private func schedule(_ action: ObjectTracker<Object>.Action, at instant: Instant) {
        timer?.close()
        let timer = LoopTimer(loop: loop) { [weak self] in self?.perform(action) }
        self.timer = timer
        timer.schedule(at: max(instant, putOffUntil))
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

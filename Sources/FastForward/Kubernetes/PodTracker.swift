// Theory of operation: a list says which pods there are and from which version on a watch tells what changes. A watch
// ends now and then, by the server's own rule or with its connection: the next one begins at the version that the last
// line named, bookmarks among them. Where the server does not know that version any more (410), and where a watch has
// failed, a fresh list begins it all again, with growing pauses. Who may not list or watch follows nothing.

/// Keeps account of the pods of a selector.
///
/// Source: client-go `tools/cache/reflector.go`; Kubernetes API concepts, "Efficient detection of changes".
package struct PodTracker: Sendable {
    /// How many pods are kept account of; what a target has beyond them is not forwarded to.
    package static let podsMax = 10_000

    package enum Action: Equatable, Sendable {
        case list
        /// From this version on.
        case watch(resourceVersion: String)
        /// ``retry()`` is due after a pause.
        case pause
        /// There is no right to follow them.
        case stop
    }

    /// One line of a watch (meta/v1 WatchEvent).
    package enum Change: Equatable, Sendable {
        case present(Pod)
        case deleted(Pod)
        case bookmark(resourceVersion: String?)
        /// Such as a version that is too old.
        case failed(code: Int?)
    }

    private var byName: [String: Pod] = [:]
    private var version = ""
    /// Whether a list has come, so that what is not there is known to be gone.
    package private(set) var hasListed = false
    private var hasSeenLine = false

    package init() {}

    /// The pods, in the order of their names.
    package var pods: [Pod] { byName.values.sorted { $0.metadata.name < $1.metadata.name } }

    /// Takes a list.
    package mutating func listed(_ list: PodList) -> Action {
        byName = [:]
        for pod in list.items.prefix(Self.podsMax) { byName[pod.metadata.name] = pod }
        hasListed = true
        hasSeenLine = false
        version = list.metadata?.resourceVersion ?? ""
        return .watch(resourceVersion: version)
    }

    /// Takes a line of the watch; nil: go on.
    package mutating func changed(_ change: Change) -> Action? {
        hasSeenLine = true
        switch change {
        case .present(let pod):
            version = pod.metadata.resourceVersion ?? version
            if byName.count < Self.podsMax || byName[pod.metadata.name] != nil {
                byName[pod.metadata.name] = pod
            }
            return nil
        case .deleted(let pod):
            version = pod.metadata.resourceVersion ?? version
            // A pod of the same name may have come since.
            if byName[pod.metadata.name]?.metadata.uid == pod.metadata.uid { byName[pod.metadata.name] = nil }
            return nil
        case .bookmark(let version):
            self.version = version ?? self.version
            return nil
        case .failed(let code):
            return code == 410 ? .list : .pause
        }
    }

    /// Takes note of the end of the watch.
    package mutating func watchEnded() -> Action {
        // One that said nothing at all may be refused again at once.
        guard hasSeenLine else { return .pause }
        hasSeenLine = false
        return .watch(resourceVersion: version)
    }

    /// Takes note that a list or a watch was refused; nil: it could not be made.
    package mutating func failed(status: Int?) -> Action {
        switch status {
        case 403, 404, 405: .stop
        case 410: .list
        case .some, nil: .pause
        }
    }

    /// What follows a pause.
    package func retry() -> Action { .list }

    // MARK: What it means for a forward

    /// Why a forward to the pod of this name and identity should move to another one.
    package enum Loss: Equatable, Sendable {
        /// Deleted, or replaced by another one of the same name.
        case gone
        case terminating
        /// Its containers have ended: `Failed` or `Succeeded`.
        case ended(phase: String)
    }

    /// Nil: the pod is there and serves, or nothing is known yet.
    package func loss(of name: String, uid: String?) -> Loss? {
        guard hasListed else { return nil }
        guard let pod = byName[name], uid == nil || pod.metadata.uid == uid else { return .gone }
        if pod.isBeingDeleted { return .terminating }
        guard let phase = pod.status?.phase, phase == "Failed" || phase == "Succeeded" else { return nil }
        return .ended(phase: phase)
    }

    /// The pods that can be forwarded to now, the best first, in kubectl's order.
    package var serving: [Pod] {
        PodChoice.ranked(pods.filter { $0.isRunning && $0.isReady && !$0.isBeingDeleted })
    }
}

extension PodTracker.Loss: CustomStringConvertible {
    package var description: String {
        switch self {
        case .gone: "gone"
        case .terminating: "terminating"
        case .ended(let phase): phase.escapedForTerminal()
        }
    }
}

extension PodTracker.Change: Decodable {
    private enum CodingKeys: String, CodingKey {
        case type, object
    }

    private struct Bookmark: Decodable {
        let metadata: PodList.Metadata?
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        switch try container.decode(String.self, forKey: .type) {
        case "ADDED", "MODIFIED": self = .present(try container.decode(Pod.self, forKey: .object))
        case "DELETED": self = .deleted(try container.decode(Pod.self, forKey: .object))
        case "BOOKMARK":
            self = .bookmark(
                resourceVersion: try container.decode(Bookmark.self, forKey: .object).metadata?
                    .resourceVersion
            )
        case _: self = .failed(code: try? container.decode(Status.self, forKey: .object).code)
        }
    }
}

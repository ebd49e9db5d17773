// Theory of operation: the pods of a target are listed; if there are any, the best is taken. If there are none, a
// watch begins where the list ended, and the first pod that it tells of is taken, whatever its state. All that must
// happen before the deadline; a watch that ends early is begun again with a fresh list, so that nothing is missed.

/// Finds the pod of a target: in the list, or by waiting for the first that appears.
///
/// Source: kubectl `pkg/polymorphichelpers/helpers.go`, GetFirstPod.
package struct PodSearch: Sendable {
    package enum Action: Equatable, Sendable {
        case list
        /// From this version on.
        case watch(resourceVersion: String)
        case found(Pod)
        case failed(PodSearchTimeout)
    }

    /// One line of a watch (meta/v1 WatchEvent), as far as it matters here.
    package enum Change: Equatable, Sendable {
        case added(Pod)
        case modified(Pod)
        /// Deleted, a bookmark, or an error such as a version that is too old.
        case other
    }

    private enum State {
        case listing
        case watching
        case over
    }

    /// When the search gives up.
    package let deadline: Instant
    private var state = State.listing

    /// Begins a search at `now`; the first action is to list.
    package init(at now: Instant, timeout: TimeSpan) {
        deadline = now + timeout
    }

    /// Takes the list.
    package mutating func listed(_ list: PodList) -> Action {
        precondition(isOver == false, "a search that is over asks for nothing")
        if let pod = PodChoice.best(of: list.items) { return end(.found(pod)) }
        state = .watching
        return .watch(resourceVersion: list.metadata?.resourceVersion ?? "")
    }

    /// Takes a change that the watch told; nil: go on.
    package mutating func changed(_ change: Change) -> Action? {
        guard case .watching = state else { return nil }
        switch change {
        case .added(let pod), .modified(let pod): return end(.found(pod))
        case .other: return nil
        }
    }

    /// Records that the watch ended, as the API server does after some minutes; nil: the search is over.
    package mutating func watchEnded() -> Action? {
        guard case .watching = state else { return nil }
        state = .listing
        return .list
    }

    /// Gives up where the deadline is reached; nil: not yet, or over already.
    package mutating func expire(at now: Instant) -> Action? {
        guard !isOver, now >= deadline else { return nil }
        return end(.failed(PodSearchTimeout()))
    }

    package var isOver: Bool {
        if case .over = state { return true }
        return false
    }

    private mutating func end(_ action: Action) -> Action {
        state = .over
        return action
    }
}

/// No pod appeared within `--pod-running-timeout`; the text is kubectl's.
package struct PodSearchTimeout: Error, Equatable, CustomStringConvertible {
    package init() {}

    package var description: String { "timed out waiting for the condition" }
}

extension PodSearch.Change: Decodable {
    private enum CodingKeys: String, CodingKey {
        case type, object
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        switch try container.decode(String.self, forKey: .type) {
        case "ADDED": self = .added(try container.decode(Pod.self, forKey: .object))
        case "MODIFIED": self = .modified(try container.decode(Pod.self, forKey: .object))
        case _: self = .other
        }
    }
}

// Theory of operation: a list says which objects there are and from which version on a watch tells what changes. A
// watch ends now and then, by the server's own rule or with its connection: the next one begins at the version that the
// last line named, bookmarks among them. Where the server does not know that version any more (410), and where a watch
// has failed, a fresh list begins it all again, with growing pauses. Who may not list follows nothing, and asks now and
// then whether that has changed; who may not watch, or not any more, lists now and then.

/// An object of the API that can be listed and watched.
package protocol FollowedObject: Decodable, Hashable, Sendable {
    /// How many are kept account of; what there is beyond them is as good as absent.
    static var followedMax: Int { get }
    var name: String { get }
    /// Unlike that of any other object, also of an earlier one of this name.
    var uid: String? { get }
    var resourceVersion: String? { get }
}

/// A list of objects.
package struct ObjectList<Object: FollowedObject>: Decodable, Hashable, Sendable {
    package struct Metadata: Decodable, Hashable, Sendable {
        /// Where a watch goes on from.
        package var resourceVersion: String?
        /// What leads to the next page of the list; nil or empty: there is none.
        package var `continue`: String?
    }

    /// Of the token that leads to a next page; the API's have some 200 bytes.
    private static var tokenBytesMax: Int { 8192 }

    package var metadata: Metadata?
    package var items: [Object]

    enum CodingKeys: CodingKey { case metadata, items }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        metadata = try container.decodeIfPresent(Metadata.self, forKey: .metadata)
        guard metadata?.continue.map({ $0.utf8.count <= Self.tokenBytesMax }) ?? true else {
            throw DecodingError.dataCorruptedError(
                forKey: .metadata,
                in: container,
                debugDescription: "its token has more than \(Self.tokenBytesMax) bytes"
            )
        }
        items = []
        // Go writes an empty list as null.
        guard container.contains(.items), try !container.decodeNil(forKey: .items) else { return }
        var objects = try container.nestedUnkeyedContainer(forKey: .items)
        while !objects.isAtEnd, items.count < Object.followedMax {
            items.append(try objects.decode(Object.self))
        }
    }
}

/// Keeps account of the objects of a type that a selector chooses.
///
/// Source: client-go `tools/cache/reflector.go`; Kubernetes API concepts, "Efficient detection of changes".
package struct ObjectTracker<Object: FollowedObject>: Sendable {
    package enum Action: Equatable, Sendable {
        case list
        /// From this version on.
        case watch(resourceVersion: String)
        /// ``retry()`` is due after a pause.
        case pause
        /// There is no right to follow them, for now: ``retry()`` is due after a longer pause.
        case refused
        /// The server has no such objects.
        case stop
    }

    /// One line of a watch (meta/v1 WatchEvent).
    package enum Change: Equatable, Sendable {
        case present(Object)
        case deleted(Object)
        case bookmark(resourceVersion: String?)
        /// Such as a version that is too old.
        case failed(code: Int?)
    }

    package private(set) var byName: [String: Object] = [:]
    private var version = ""
    /// Whether a list has come, so that what is not there is known to be gone.
    package private(set) var hasListed = false
    private var hasSeenLine = false

    package init() {}

    /// The objects, in the order of their names.
    package var objects: [Object] { byName.values.sorted { $0.name < $1.name } }

    /// Takes a list.
    package mutating func listed(_ list: ObjectList<Object>) -> Action {
        byName = [:]
        for object in list.items.prefix(Object.followedMax) { byName[object.name] = object }
        hasListed = true
        hasSeenLine = false
        version = list.metadata?.resourceVersion ?? ""
        return .watch(resourceVersion: version)
    }

    /// Takes a line of the watch; nil: go on.
    package mutating func changed(_ change: Change) -> Action? {
        hasSeenLine = true
        switch change {
        case .present(let object):
            version = object.resourceVersion ?? version
            if byName.count < Object.followedMax || byName[object.name] != nil {
                byName[object.name] = object
            }
            return nil
        case .deleted(let object):
            version = object.resourceVersion ?? version
            // One of the same name may have come since.
            if byName[object.name]?.uid == object.uid { byName[object.name] = nil }
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
        // A role may be granted later, and an authoriser that restarts refuses everybody.
        case 403: hasListed ? .pause : .refused
        case 404, 405: hasListed ? .pause : .stop
        case 410: .list
        case .some, nil: .pause
        }
    }

    /// What follows a pause.
    package func retry() -> Action { .list }
}

extension ObjectTracker.Change: Decodable {
    private enum CodingKeys: String, CodingKey {
        case type, object
    }

    private struct Bookmark: Decodable {
        let metadata: ObjectList<Object>.Metadata?
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        switch try container.decode(String.self, forKey: .type) {
        case "ADDED", "MODIFIED": self = .present(try container.decode(Object.self, forKey: .object))
        case "DELETED": self = .deleted(try container.decode(Object.self, forKey: .object))
        case "BOOKMARK":
            self = .bookmark(
                resourceVersion: try container.decode(Bookmark.self, forKey: .object).metadata?
                    .resourceVersion
            )
        case _: self = .failed(code: try? container.decode(Status.self, forKey: .object).code)
        }
    }
}

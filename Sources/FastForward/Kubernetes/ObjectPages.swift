/// Which part of a collection is asked for.
package enum CollectionQuery: Hashable, Sendable {
    /// The first page of a list.
    case list
    /// The page of a list that this token of the page before leads to.
    case page(continuing: String)
    /// What changes from this version on.
    case watch(resourceVersion: String)

    /// How many objects a page of a list has at most.
    ///
    /// kubectl's have 500; half as many keep a page of large pods below ``APIObjects/bodyBytesMax``.
    static let objectsPerPage = 250

    /// As the API's query parameters.
    var parameters: [(String, String)] {
        switch self {
        case .list: [("limit", "\(Self.objectsPerPage)")]
        case .page(let token): [("limit", "\(Self.objectsPerPage)"), ("continue", token)]
        case .watch(let version):
            [("resourceVersion", version), ("watch", "true"), ("allowWatchBookmarks", "true")]
        }
    }
}

/// A list of objects that comes in pages, all of the same version.
///
/// Source: Kubernetes API concepts, "Retrieving large results sets in chunks".
package struct ObjectPages<Object: FollowedObject>: Sendable {
    /// How many pages are asked for at most: enough for twice as many objects as are kept account of.
    private static var pagesMax: Int { max(2, 2 * Object.followedMax / CollectionQuery.objectsPerPage) }

    private var list: ObjectList<Object>?
    private var pageCount = 0

    package init() {}

    /// Takes a page.
    ///
    /// - Returns: the list, if this was its last page; nil: ``next`` is to be asked for.
    package mutating func add(_ page: ObjectList<Object>) -> ObjectList<Object>? {
        pageCount += 1
        if list == nil {
            list = page
        } else {
            list?.items += page.items
            list?.metadata = page.metadata
        }
        let count = list?.items.count ?? 0
        let isWhole = page.metadata?.continue.nonEmpty == nil
        return isWhole || count >= Object.followedMax || pageCount >= Self.pagesMax ? list : nil
    }

    /// What to ask for next.
    package var next: CollectionQuery {
        list?.metadata?.continue.nonEmpty.map { .page(continuing: $0) } ?? .list
    }
}

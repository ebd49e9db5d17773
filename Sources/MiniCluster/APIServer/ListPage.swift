/// The page of a list that a request asks for, by `limit` and `continue`.
///
/// Unlike etcd this keeps no old versions: what has changed since the first page is too old at once.
struct ListPage {
    private let limit: Int?
    private let token: String

    /// - Parameter most: how many objects a page has at most, where pages are asked for.
    init(_ query: [String: String], atMost most: Int?) {
        let wanted = query["limit"].flatMap(Int.init).flatMap { $0 > 0 ? $0 : nil }
        limit = wanted.map { min($0, most ?? $0) }
        token = query["continue"] ?? ""
    }

    /// The answer, of all `objects` that the query chooses.
    func of(_ objects: [APIObject], of type: APIType, version: Int) -> HTTPAnswer {
        var start = 0
        if !token.isEmpty {
            // Such as `17.250`: a version, and how many objects went before.
            let parts = token.split(separator: ".").compactMap { Int($0) }
            guard parts.count == 2, parts[0] == version, (0...objects.count).contains(parts[1]) else {
                return .pageTooOld
            }
            start = parts[1]
        }
        let end = min(objects.count, start + (limit ?? objects.count))
        return .json(
            ObjectJSON.list(
                type,
                Array(objects[start..<end]),
                resourceVersion: version,
                token: end < objects.count ? "\(version).\(end)" : ""
            )
        )
    }
}

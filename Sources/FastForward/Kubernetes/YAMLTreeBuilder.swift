// Theory of operation: events come in document order; a stack holds the sequences and mappings that are still
// open. A value that is complete goes into the collection on top of the stack, or becomes the root. Anchored
// values are remembered by name, and an alias takes a copy (which shares storage: it costs nothing until it is
// written out). Two numbers travel with every value so that copies of copies cannot explode: its height and its
// expanded size; both are checked where an alias is used, before anything is expanded. Nothing here recurses.

/// What a YAML text may ask of us at most.
enum YAMLLimits {
    /// Bounds recursion in what follows.
    ///
    /// A kubeconfig nests six levels; what users keep in `extensions` is theirs.
    static let depthMax = 64
    /// Bounds the document, every alias written out, at about a million values.
    ///
    /// A text of a few hundred bytes can stand for gigabytes through aliases ("billion laughs").
    static let expandedBytesMax = 64 << 20
    /// What a value costs beyond its text, roughly.
    static let nodeBytes = 64
    /// Kubeconfigs have none; libyaml compares every one with all before it (900,000 of them took a minute).
    static let tagDirectivesMax = 16
}

/// Builds the tree of the first document of a YAML text.
///
/// As kubectl does (go-yaml v2; seen with kubectl 1.32): later documents are not read; of duplicate keys the
/// last one counts; a merge key (`<<`) acts where it stands, so it overrides what stands above it and is
/// overridden by what stands below.
struct YAMLTreeBuilder {
    private struct Collection {
        let isMapping: Bool
        let anchor: String?
        let line: Int
        var elements: [YAMLNode] = []
        var keys: [(text: String, isMerge: Bool)] = []
        var height = 0
        var expandedBytes = YAMLLimits.nodeBytes

        /// Whether the next value is a key.
        var wantsKey: Bool { isMapping && keys.count == elements.count }
    }

    private var open: [Collection] = []
    /// nil: the collection with this anchor is still open.
    private var anchors: [String: YAMLNode?] = [:]
    private var expandedBytes = 0
    private var root: YAMLNode?

    /// The tree of `bytes`; nil where there is no document.
    static func tree(of bytes: [UInt8]) throws(YAMLError) -> YAMLNode? {
        guard tagDirectives(in: bytes) <= YAMLLimits.tagDirectivesMax else {
            throw YAMLError(line: nil, problem: "more than \(YAMLLimits.tagDirectivesMax) %TAG directives")
        }
        var document = YAMLDocument(bytes)
        var builder = YAMLTreeBuilder()
        while let event = try document.next() {
            if event.kind == .documentEnd { break }
            try builder.add(event)
        }
        return builder.root
    }

    /// How often `%TAG` stands in the text, in UTF-8 or UTF-16, directive or not.
    private static func tagDirectives(in bytes: [UInt8]) -> Int {
        let directive = Array("%TAG".utf8)
        var count = 0
        var matched = 0
        for byte in bytes where byte != 0 {
            matched = byte == directive[matched] ? matched + 1 : byte == directive[0] ? 1 : 0
            guard matched == directive.count else { continue }
            count += 1
            matched = 0
        }
        return count
    }

    private mutating func add(_ event: YAMLEvent) throws(YAMLError) {
        let line = event.line
        switch event.kind {
        case .documentStart, .documentEnd:
            return
        case .scalar(let text, let isPlain, let tag, let anchor):
            let cost = YAMLLimits.nodeBytes + text.utf8.count
            let type = try Self.type(of: text, isPlain: isPlain, tag: tag, line: line)
            let node = YAMLNode(value: .scalar(text: text, type), line: line, height: 0, expandedBytes: cost)
            try spend(cost, line: line)
            if let anchor { anchors[anchor] = .some(node) }
            try add(node)
        case .alias(let anchor):
            guard let known = anchors[anchor] else {
                throw YAMLError(line: line, problem: "unknown anchor '\(anchor)' referenced")
            }
            guard let node = known else {
                throw YAMLError(line: line, problem: "anchor '\(anchor)' value contains itself")
            }
            guard open.count + node.height <= YAMLLimits.depthMax else { throw Self.tooDeep(line) }
            try spend(node.expandedBytes, line: line)
            try add(node)
        case .sequenceStart(let anchor):
            try begin(Collection(isMapping: false, anchor: anchor, line: line))
        case .mappingStart(let anchor):
            try begin(Collection(isMapping: true, anchor: anchor, line: line))
        case .sequenceEnd, .mappingEnd:
            try end()
        }
    }

    private mutating func begin(_ collection: Collection) throws(YAMLError) {
        guard open.count < YAMLLimits.depthMax else { throw Self.tooDeep(collection.line) }
        try spend(YAMLLimits.nodeBytes, line: collection.line)
        if let anchor = collection.anchor { anchors[anchor] = .some(nil) }
        open.append(collection)
    }

    private mutating func end() throws(YAMLError) {
        guard let collection = open.popLast() else { return }
        let value: YAMLNode.Value
        if collection.isMapping {
            value = .mapping(try Self.entries(of: collection))
        } else {
            value = .sequence(collection.elements)
        }
        let node = YAMLNode(
            value: value,
            line: collection.line,
            height: collection.height + 1,
            expandedBytes: collection.expandedBytes
        )
        if let anchor = collection.anchor { anchors[anchor] = .some(node) }
        try add(node)
    }

    private mutating func add(_ node: YAMLNode) throws(YAMLError) {
        guard var top = open.popLast() else {
            root = node
            return
        }
        top.expandedBytes += node.expandedBytes
        if top.wantsKey {
            guard case .scalar(let text, let type) = node.value else {
                throw YAMLError(line: node.line, problem: "\(node.typeName) cannot be a key")
            }
            top.keys.append((text, type == .merge))
        } else {
            top.elements.append(node)
            top.height = max(top.height, node.height)
        }
        open.append(top)
    }

    private mutating func spend(_ bytes: Int, line: Int) throws(YAMLError) {
        expandedBytes += bytes
        guard expandedBytes <= YAMLLimits.expandedBytesMax else {
            throw YAMLError(
                line: line,
                problem: "document stands for more than \(YAMLLimits.expandedBytesMax >> 20) MiB of values"
            )
        }
    }

    /// The entries in order of first appearance, merge keys expanded.
    private static func entries(of collection: Collection) throws(YAMLError) -> [YAMLEntry] {
        var entries: [YAMLEntry] = []
        var places: [String: Int] = [:]
        func set(_ key: String, _ value: YAMLNode) {
            if let place = places[key] {
                entries[place].value = value
            } else {
                places[key] = entries.count
                entries.append(YAMLEntry(key: key, value: value))
            }
        }
        for (key, value) in zip(collection.keys, collection.elements) {
            guard key.isMerge else {
                set(key.text, value)
                continue
            }
            switch value.value {
            case .mapping(let merged):
                for entry in merged { set(entry.key, entry.value) }
            case .sequence(let sources):
                // Earlier sources take precedence.
                for source in sources.reversed() {
                    guard case .mapping(let merged) = source.value else { throw badMerge(source.line) }
                    for entry in merged { set(entry.key, entry.value) }
                }
            case .scalar:
                throw badMerge(value.line)
            }
        }
        return entries
    }

    private static func type(
        of text: String,
        isPlain: Bool,
        tag: String?,
        line: Int
    ) throws(YAMLError) -> YAMLScalarType {
        switch tag {
        case nil:
            return isPlain ? YAMLScalarType(plain: text) : .string
        case "tag:yaml.org,2002:binary":
            throw YAMLError(line: line, problem: "the tag !!binary is not supported")
        case "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int",
            "tag:yaml.org,2002:float":
            return YAMLScalarType(plain: text)
        case .some:
            return .string
        }
    }

    private static func badMerge(_ line: Int) -> YAMLError {
        YAMLError(line: line, problem: "map merge requires map or sequence of maps as the value")
    }

    private static func tooDeep(_ line: Int) -> YAMLError {
        YAMLError(line: line, problem: "values nest deeper than \(YAMLLimits.depthMax) levels")
    }
}

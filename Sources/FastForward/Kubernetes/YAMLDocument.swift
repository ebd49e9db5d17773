// The one file that touches libyaml, and the only one of this folder that needs `unsafe`.
//
// libyaml cuts the text into events (scalar, sequence start, …). Everything that libyaml owns is copied into
// Swift values before `next()` returns; no pointer leaves this file. The tree is built of the events, in safe
// code, by `YAMLTreeBuilder`.
import CYAML

/// One event of a YAML text, with the line that it begins on.
struct YAMLEvent: Equatable {
    enum Kind: Equatable {
        /// `isPlain`: written without quotes, so that its type is guessed from its text.
        case scalar(text: String, isPlain: Bool, tag: String?, anchor: String?)
        case alias(anchor: String)
        case sequenceStart(anchor: String?)
        case sequenceEnd
        case mappingStart(anchor: String?)
        case mappingEnd
        case documentStart
        case documentEnd
    }

    let kind: Kind
    /// From 1.
    let line: Int
}

/// Splits YAML text into events.
///
/// Owns a copy of the text (libyaml keeps a pointer to it). After an error the reader is unusable.
@safe struct YAMLDocument: ~Copyable {
    // `yaml_parser_set_input_string` stores the parser's own address in the parser, so it must not move.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>
    private var isFinished = false

    init(_ bytes: [UInt8]) {
        unsafe parser = .allocate(capacity: 1)
        unsafe text = .allocate(capacity: bytes.count)
        _ = unsafe text.initialize(from: bytes)
        // Fails only without memory (libyaml api.c), as every allocation of ours traps then.
        precondition(unsafe yaml_parser_initialize(parser) == 1, "out of memory")
        unsafe yaml_parser_set_input_string(parser, text.baseAddress, text.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe text.deallocate()
    }

    /// The next event; nil after the last one.
    mutating func next() throws(YAMLError) -> YAMLEvent? {
        while !isFinished {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(parser, &event) == 1 else {
                isFinished = true
                throw unsafe Self.problem(parser.pointee)
            }
            defer { unsafe yaml_event_delete(&event) }
            if let kind = unsafe Self.kind(of: event) {
                return unsafe YAMLEvent(kind: kind, line: Int(event.start_mark.line) + 1)
            }
            if unsafe event.type == YAML_STREAM_END_EVENT || event.type == YAML_NO_EVENT { isFinished = true }
        }
        return nil
    }

    private static func kind(of event: yaml_event_t) -> YAMLEvent.Kind? {
        switch unsafe event.type {
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return unsafe .scalar(
                text: String(decoding: bytes, as: UTF8.self),
                isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE,
                tag: string(scalar.tag),
                anchor: string(scalar.anchor)
            )
        case YAML_ALIAS_EVENT: return unsafe .alias(anchor: string(event.data.alias.anchor) ?? "")
        case YAML_SEQUENCE_START_EVENT:
            return unsafe .sequenceStart(anchor: string(event.data.sequence_start.anchor))
        case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            return unsafe .mappingStart(anchor: string(event.data.mapping_start.anchor))
        case YAML_MAPPING_END_EVENT: return .mappingEnd
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        default: return nil  // The ends of the stream.
        }
    }

    private static func problem(_ parser: yaml_parser_t) -> YAMLError {
        guard let text = unsafe parser.problem else {
            return YAMLError(line: nil, problem: "unreadable text")
        }
        var problem = unsafe String(cString: text)
        // An error of the byte reader (bad UTF-8, a control character) has an offset and no mark.
        guard unsafe parser.error != YAML_READER_ERROR else {
            return unsafe YAMLError(line: Int(parser.mark.line) + 1, problem: problem)
        }
        let line = unsafe Int(parser.problem_mark.line) + 1
        let contextLine = unsafe Int(parser.context_mark.line) + 1
        // What is not closed is noticed far from where it was opened.
        if let context = unsafe parser.context, contextLine != line {
            problem += unsafe " (\(String(cString: context)) from line \(contextLine))"
        }
        return YAMLError(line: line, problem: problem)
    }

    private static func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        guard let text = unsafe text else { return nil }
        return unsafe String(cString: text)
    }
}

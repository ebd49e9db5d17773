/// What a proxy says for people, as a part of one line on a terminal.
enum ProxyReason {
    /// The most of it that is shown, in characters.
    private static let shownMax = 200

    /// `text` in one line: control and formatting characters count as spaces, and runs of spaces as one.
    static func line(_ text: String) -> String {
        var result = ""
        var count = 0
        var owesSpace = false
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .spaceSeparator, .lineSeparator, .paragraphSeparator, .surrogate,
                .privateUse, .unassigned:
                owesSpace = !result.isEmpty
            case _:
                if owesSpace { result += " " }
                owesSpace = false
                result.unicodeScalars.append(scalar)
                count += 1
                if count == shownMax { return result + "…" }
            }
        }
        return result
    }

    /// The words of a body: a plain text's beginning, or a page's title; empty for anything else.
    static func text(of body: [UInt8], contentType: String?) -> String {
        let type = contentType?.lowercased() ?? ""
        let text = String(decoding: body, as: UTF8.self)
        if type.hasPrefix("text/html") || text.hasPrefix("<") { return line(title(of: body)) }
        return type.hasPrefix("text/") || type.isEmpty ? line(text) : ""
    }

    private static func title(of page: [UInt8]) -> String {
        let lowered = page.map(\.asciiLowercased)
        guard let start = lowered.firstRange(of: Array("<title>".utf8)),
            let end = lowered[start.upperBound...].firstRange(of: Array("</title>".utf8))
        else { return "" }
        return String(decoding: page[start.upperBound..<end.lowerBound], as: UTF8.self)
    }
}

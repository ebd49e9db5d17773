/// A list in the form of kubectl's flags: one record of comma-separated values (RFC 4180, as Go `encoding/csv` reads it).
enum CommaSeparatedValues {
    /// Go's words; the column is counted in bytes from 1.
    enum Problem: Error, Equatable, CustomStringConvertible {
        case bareQuote(column: Int)
        case quoteInQuotes(column: Int)

        var description: String {
            switch self {
            case .bareQuote(let column):
                "parse error on line 1, column \(column): bare \" in non-quoted-field"
            case .quoteInQuotes(let column):
                "parse error on line 1, column \(column): extraneous or missing \" in quoted-field"
            }
        }
    }

    /// The fields of the record; none for an empty text.
    static func fields(of text: String) throws(Problem) -> [String] {
        guard !text.isEmpty else { return [] }
        let quote = UInt8(ascii: "\"")
        let comma = UInt8(ascii: ",")
        let bytes = Array(text.utf8)
        var fields: [String] = []
        var place = 0
        while true {
            var field: [UInt8] = []
            if place < bytes.count, bytes[place] == quote {
                place += 1
                while true {
                    guard place < bytes.count else { throw .quoteInQuotes(column: place + 1) }
                    if bytes[place] == quote {
                        // Two of them are one.
                        guard place + 1 < bytes.count, bytes[place + 1] == quote else { break }
                        place += 1
                    }
                    field.append(bytes[place])
                    place += 1
                }
                place += 1
                guard place == bytes.count || bytes[place] == comma else {
                    throw .quoteInQuotes(column: place)
                }
            } else {
                while place < bytes.count, bytes[place] != comma {
                    guard bytes[place] != quote else { throw .bareQuote(column: place + 1) }
                    field.append(bytes[place])
                    place += 1
                }
            }
            fields.append(String(decoding: field, as: UTF8.self))
            guard place < bytes.count else { return fields }
            place += 1
        }
    }
}

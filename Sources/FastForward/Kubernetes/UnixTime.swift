/// A point on the calendar, as API objects and credentials tell it; seconds since 1970 in UTC.
///
/// Not for measuring: a wall clock may jump. It is compared with other times of its kind only.
package struct UnixTime: Comparable, Hashable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package init(seconds: Int64) {
        nanoseconds = seconds * 1_000_000_000
    }

    /// Reads RFC 3339 §5.6 as Go does: `2026-11-24T22:04:28Z`, a fraction and an offset allowed; nil for anything
    /// else, and outside of the years 1678 to 2261.
    package init?(rfc3339 text: String) {
        var rest = text.utf8[...]
        func number(_ digits: Int, upTo most: Int64 = .max) -> Int64? {
            let piece = rest.prefix(digits)
            guard piece.count == digits, piece.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            rest = rest.dropFirst(digits)
            guard let value = Int64(Substring(piece)), value <= most else { return nil }
            return value
        }
        func skip(_ byte: Character) -> Bool {
            guard let first = rest.first, first == byte.asciiValue else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), skip("-"), let month = number(2, upTo: 12), skip("-"),
            let day = number(2), skip("T") || skip("t"), let hour = number(2, upTo: 23), skip(":"),
            let minute = number(2, upTo: 59), skip(":"), let second = number(2, upTo: 60),
            (1678...2261).contains(year), month > 0, day > 0, day <= Self.days(in: month, of: year)
        else { return nil }
        var fraction: Int64 = 0
        if skip(".") {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            rest = rest.dropFirst(digits.count)
            let padded =
                String(Substring(digits.prefix(9))) + String(repeating: "0", count: max(0, 9 - digits.count))
            fraction = Int64(padded) ?? 0
        }
        var offset: Int64 = 0
        if !(skip("Z") || skip("z")) {
            let isWest = skip("-")
            guard isWest || skip("+"), let hours = number(2, upTo: 23), skip(":"),
                let minutes = number(2, upTo: 59)
            else { return nil }
            offset = (hours * 60 + minutes) * 60 * (isWest ? -1 : 1)
        }
        guard rest.isEmpty else { return nil }
        let days = Self.daysSince1970(year, month, day)
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset
        nanoseconds = seconds * 1_000_000_000 + fraction
    }

    package static func < (left: UnixTime, right: UnixTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
    }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        case _: 31
        }
    }

    /// Counts in 400-year cycles of years that begin in March, so that the leap day is the last of its year.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let cycle = year / 400
        let yearOfCycle = year - cycle * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let dayOfCycle = yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear
        return cycle * 146_097 + dayOfCycle - 719_468
    }
}

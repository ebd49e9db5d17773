/// Why a text is no duration, in the words of Go's `time.ParseDuration`.
package enum GoDurationError: Error, Equatable, CustomStringConvertible {
    case invalid(String)
    case missingUnit(String)
    case unknownUnit(String, text: String)

    package var description: String {
        switch self {
        case .invalid(let text): "time: invalid duration \"\(text.escapedForTerminal())\""
        case .missingUnit(let text): "time: missing unit in duration \"\(text.escapedForTerminal())\""
        case .unknownUnit(let unit, let text):
            "time: unknown unit \"\(unit.escapedForTerminal())\" in duration \"\(text.escapedForTerminal())\""
        }
    }
}

/// A length of time as Go writes it: `1m30s`, `1.5h`, `-2ms`, `0`.
package struct GoDuration: Equatable, Sendable {
    /// May be negative; 292 years at most.
    package let nanoseconds: Int64

    /// nil where it is negative.
    package var timeSpan: TimeSpan? {
        UInt64(exactly: nanoseconds).map { TimeSpan(nanoseconds: $0) }
    }

    /// Parses as Go's `time.ParseDuration` does; fractions are cut, not rounded.
    ///
    /// - Parameter saturates: takes what is too long for Go as the longest.
    package init(_ text: String, saturates: Bool = false) throws(GoDurationError) {
        var rest = text.utf8[...]
        var isNegative = false
        if let first = rest.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
            isNegative = first == UInt8(ascii: "-")
            rest = rest.dropFirst()
        }
        if rest.elementsEqual("0".utf8) {
            nanoseconds = 0
            return
        }
        guard !rest.isEmpty else { throw .invalid(text) }
        var total: UInt64 = 0
        while !rest.isEmpty {
            let whole = rest.prefix(while: Self.isDigit)
            rest = rest.dropFirst(whole.count)
            var fraction = rest.prefix(0)
            if rest.first == UInt8(ascii: ".") {
                rest = rest.dropFirst()
                fraction = rest.prefix(while: Self.isDigit)
                rest = rest.dropFirst(fraction.count)
            }
            guard !whole.isEmpty || !fraction.isEmpty else { throw .invalid(text) }
            let unitBytes = rest.prefix { !Self.isDigit($0) && $0 != UInt8(ascii: ".") }
            guard !unitBytes.isEmpty else { throw .missingUnit(text) }
            rest = rest.dropFirst(unitBytes.count)
            let unitText = String(Substring(unitBytes))
            guard let unit = Self.units[unitText] else { throw .unknownUnit(unitText, text: text) }
            let part = Self.nanoseconds(whole, fraction, unit: unit) ?? UInt64.max
            let (sum, overflow) = total.addingReportingOverflow(part)
            let isTooLong = overflow || sum > UInt64(Int64.max)
            guard saturates || !isTooLong else { throw .invalid(text) }
            total = isTooLong ? UInt64(Int64.max) : sum
        }
        nanoseconds = isNegative ? -Int64(total) : Int64(total)
    }

    private static let units: [String: UInt64] = [
        "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000,
        "m": 60_000_000_000, "h": 3_600_000_000_000,
    ]

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func nanoseconds(
        _ whole: Substring.UTF8View,
        _ fraction: Substring.UTF8View,
        unit: UInt64
    ) -> UInt64? {
        guard let number = whole.isEmpty ? 0 : UInt64(Substring(whole)) else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow else { return nil }
        var rest: UInt64 = 0
        // Fifteen digits of an hour are finer than a nanosecond, and their product fits.
        var place = Double(unit)
        for digit in fraction.prefix(15) {
            place /= 10
            rest += UInt64(Double(digit - 0x30) * place)
        }
        let (sum, isTooLong) = product.addingReportingOverflow(rest)
        return isTooLong ? nil : sum
    }
}

/// The flags that hold a length of time, with kubectl's rules for each.
package enum TimeoutFlag {
    /// `--request-timeout`: whole seconds or a Go duration; nil: none.
    ///
    /// Source: client-go `tools/clientcmd/overrides.go`, ParseTimeout.
    package static func request(_ text: String) throws(KubeconfigError) -> TimeSpan? {
        if let seconds = Int64(text), seconds >= 0 {
            guard seconds > 0 else { return nil }
            // A century is as good as any longer time, and can be added to.
            return .seconds(UInt64(min(seconds, 100 * 366 * 86_400)))
        }
        guard let duration = try? GoDuration(text) else { throw .badTimeout }
        guard let span = duration.timeSpan, span > .zero else { return nil }
        return span
    }

    /// A flag of ours: whole seconds or a Go duration, not negative; nil: neither.
    package static func span(_ text: String) -> TimeSpan? {
        // A century is as good as any longer time, and can be added to.
        let longest = TimeSpan.seconds(100 * 366 * 86_400)
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return UInt64(text).map { .seconds(min($0, 100 * 366 * 86_400)) } ?? longest
        }
        guard let span = (try? GoDuration(text, saturates: true))?.timeSpan else { return nil }
        return min(span, longest)
    }

    /// `--pod-running-timeout`: a Go duration above zero.
    package static func podRunning(_ text: String) throws(PodRunningTimeoutError) -> TimeSpan {
        let duration: GoDuration
        do throws(GoDurationError) {
            duration = try GoDuration(text)
        } catch {
            throw .malformed(text, error)
        }
        guard let span = duration.timeSpan, span > .zero else { throw .notPositive }
        return span
    }
}

/// Why `--pod-running-timeout` was refused.
package enum PodRunningTimeoutError: Error, Equatable, CustomStringConvertible {
    case notPositive
    case malformed(String, GoDurationError)

    package var description: String {
        switch self {
        case .notPositive: "--pod-running-timeout must be higher than zero"
        case .malformed(let text, let error):
            "invalid argument \"\(text.escapedForTerminal())\" for \"--pod-running-timeout\" flag: \(error)"
        }
    }
}

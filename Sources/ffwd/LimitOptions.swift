import ArgumentParser
import FastForward

/// The value of `--tunnels`: `MIN..MAX`, or one number for both.
///
/// Any text is taken at first: what may stand here is told by ``UsageError``.
struct TunnelCount: ExpressibleByArgument, CustomStringConvertible {
    let description: String
    /// Nil: it is no number of tunnels that can be had.
    let bounds: TunnelChoice.Bounds?

    init(bounds: TunnelChoice.Bounds) {
        self.bounds = bounds
        description = "\(bounds.least)..\(bounds.most)"
    }

    init(argument: String) {
        description = argument
        bounds = Self.bounds(argument)
    }

    private static func bounds(_ argument: String) -> TunnelChoice.Bounds? {
        let parts = argument.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 1 || parts.count == 3 && parts[1].isEmpty, let least = count(parts[0]),
            let most = count(parts[parts.count - 1]), least <= most
        else { return nil }
        return TunnelChoice.Bounds(least: least, most: most)
    }

    private static func count(_ text: Substring) -> Int? {
        guard let count = Int(text), (1...TunnelChoice.Bounds.mostMax).contains(count) else { return nil }
        return count
    }

    var defaultValueDescription: String { description }
}

/// The value of `--memory-limit`: bytes, with `KiB`, `MiB` or `GiB` (or `Ki`, `Mi`, `Gi`, as Kubernetes writes them).
///
/// Any text is taken at first, as for ``TunnelCount``.
struct MemorySize: ExpressibleByArgument, CustomStringConvertible {
    let description: String
    /// Nil: it is no size.
    let bytes: Int?

    init(bytes: Int) {
        self.bytes = bytes
        description = bytes % (1 << 20) == 0 ? "\(bytes >> 20)MiB" : "\(bytes)"
    }

    init(argument: String) {
        description = argument
        bytes = Self.bytes(argument)
    }

    private static func bytes(_ argument: String) -> Int? {
        var digits = argument[...]
        var shift = 0
        for (unit, bits) in [("Ki", 10), ("Mi", 20), ("Gi", 30)] {
            for suffix in [unit + "B", unit] where digits.hasSuffix(suffix) {
                digits = digits.dropLast(suffix.count)
                shift = bits
            }
        }
        guard let count = Int(digits), count > 0, count <= Int.max >> shift else { return nil }
        return count << shift
    }

    var defaultValueDescription: String { description }
}

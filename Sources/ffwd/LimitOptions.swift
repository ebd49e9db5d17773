import ArgumentParser
import FastForward

/// The value of `--tunnels`: `MIN..MAX`, or one number for both.
struct TunnelCount: ExpressibleByArgument, CustomStringConvertible {
    let bounds: TunnelChoice.Bounds

    init(bounds: TunnelChoice.Bounds) {
        self.bounds = bounds
    }

    init?(argument: String) {
        let parts = argument.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 1 || parts.count == 3 && parts[1].isEmpty, let least = Self.count(parts[0]),
            let most = Self.count(parts[parts.count - 1]), least <= most
        else { return nil }
        bounds = TunnelChoice.Bounds(least: least, most: most)
    }

    private static func count(_ text: Substring) -> Int? {
        guard let count = Int(text), (1...TunnelChoice.Bounds.mostMax).contains(count) else { return nil }
        return count
    }

    var description: String { "\(bounds.least)..\(bounds.most)" }
    var defaultValueDescription: String { description }
}

/// The value of `--memory-limit`: bytes, with `KiB`, `MiB` or `GiB` (or `Ki`, `Mi`, `Gi`, as Kubernetes writes them).
struct MemorySize: ExpressibleByArgument, CustomStringConvertible {
    let bytes: Int

    init(bytes: Int) {
        self.bytes = bytes
    }

    init?(argument: String) {
        var digits = argument[...]
        var shift = 0
        for (unit, bits) in [("Ki", 10), ("Mi", 20), ("Gi", 30)] {
            for suffix in [unit + "B", unit] where digits.hasSuffix(suffix) {
                digits = digits.dropLast(suffix.count)
                shift = bits
            }
        }
        guard let count = Int(digits), count > 0, count <= Int.max >> shift else { return nil }
        bytes = count << shift
    }

    var description: String {
        bytes % (1 << 20) == 0 ? "\(bytes >> 20)MiB" : "\(bytes)"
    }
    var defaultValueDescription: String { description }
}

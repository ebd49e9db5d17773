// Runs each load of the codecs for callgrind (benchmarks/instructions), which counts what stands inside
// `ffwd_counted` and writes one count for each call of it. The loads' names, and how many frames each has gone over,
// are printed in the same order.

import CodecLoads

/// How often a load is run uncounted, until its buffers and tables have their size.
private let warmUpCount = 3
/// How often it is run within a count.
private let runCount = 4

/// What is counted: callgrind knows it by this name.
@_silgen_name("ffwd_counted")
@inline(never)
func runCounted(_ load: any PreparedLoad) -> Int {
    var frames = 0
    for _ in 0..<runCount { frames += load.run() }
    return frames
}

@main
enum Counted {
    static func main() {
        for load in CodecLoad.allCases {
            let prepared = load.prepared()
            for _ in 0..<warmUpCount { _ = prepared.run() }
            print("\(load.rawValue) \(runCounted(prepared))")
        }
    }
}

// Gives libFuzzer's inputs to the decoder that FFWD_FUZZED names.
//
// libFuzzer looks for the first C name; SwiftPM's link makes the second the program's entry.

import FuzzedDecoders
import Glibc

private let decoder: FuzzedDecoder = {
    guard let name = getenv("FFWD_FUZZED").map({ String(cString: $0) }),
        let decoder = FuzzedDecoder(rawValue: name)
    else {
        let names = FuzzedDecoder.allCases.map(\.rawValue).joined(separator: ", ")
        fatalError("set FFWD_FUZZED to one of \(names)")
    }
    return decoder
}()

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
    if let violation = decoder.violation(by: bytes) { fatalError("\(decoder.rawValue): \(violation)") }
    return 0
}

private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<Arguments>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The entry of the program, from where libFuzzer has control.
@_cdecl("FuzzDriver_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var count = count
    var arguments = arguments
    return runDriver(&count, &arguments) { testOneInput($0, $1) }
}

/// What this library is called, where it names itself to a server.
package enum Product {
    package static let version = "0.1.0"
    package static let userAgent = "ffwd/\(version)"
}

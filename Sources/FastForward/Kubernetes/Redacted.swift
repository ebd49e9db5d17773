/// A secret: a token, a password, a private key.
///
/// Prints as `<redacted>` however it is printed (interpolation, `dump`, an error that carries it), so that it
/// reaches a log only where somebody writes ``revealed``.
package struct Redacted<Value: Sendable>: Sendable {
    /// The secret itself.
    package let revealed: Value

    package init(_ value: Value) {
        revealed = value
    }
}

extension Redacted: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "<redacted>" }
    package var debugDescription: String { "<redacted>" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

extension Redacted: Equatable where Value: Equatable {}
extension Redacted: Hashable where Value: Hashable {}

extension Redacted: Decodable where Value: Decodable {
    package init(from decoder: any Decoder) throws {
        revealed = try Value(from: decoder)
    }
}

/// What to tell of an answer that is not what was asked for: mostly a page of something on the way to the API server.
package struct UnreadableAnswer: Equatable, Sendable, CustomStringConvertible {
    /// How much of it is shown, in bytes: enough to know a page by.
    private static let beginningBytesMax = 60
    /// How much of what it says of itself is shown, in characters.
    private static let typeCharactersMax = 80

    private let asked: String
    private let problem: APIObjectError
    private let type: String
    private let beginning: String

    /// - Parameters:
    ///   - asked: such as `service "web"`.
    ///   - fields: the answer's.
    package init(to asked: String, fields: HTTPFields, body: [UInt8], _ problem: APIObjectError) {
        self.asked = asked
        self.problem = problem
        func shown(_ text: String) -> String { text.escapedForTerminal(upTo: Self.typeCharactersMax) }
        let coding = fields["Content-Encoding"].map { " (\(shown($0)))" } ?? ""
        type = (fields["Content-Type"].nonEmpty.map(shown) ?? "of no stated type") + coding
        let text = String(decoding: body.prefix(Self.beginningBytesMax), as: UTF8.self)
        beginning =
            body.isEmpty
            ? "is empty"
            : (body.count > Self.beginningBytesMax ? "begins with " : "says ")
                + "\"\(text.escapedForTerminal(upTo: Self.beginningBytesMax))\""
    }

    package var description: String {
        switch problem {
        case .tooLarge, .tooManyValues: "\(problem)"
        case .malformed(let text):
            "it is no readable \(asked) (\(text)): it is \(type) and \(beginning) (is there a login page or a proxy "
                + "in between? does the server's URL in the kubeconfig lead to an API server?)"
        }
    }
}

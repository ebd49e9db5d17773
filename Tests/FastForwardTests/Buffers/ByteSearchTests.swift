import FastForward
import Testing

@Suite struct `Searching for a text in bytes` {
    @Test(
        arguments: [
            ("", "", true), ("a", "", true), ("", "a", false), ("a", "ab", false), ("ab", "ab", true),
            ("xab", "ab", true), ("abx", "ab", true), ("aab", "ab", true), ("aaac", "aab", false),
            ("--- --BEGIN", "--BEGIN", true), ("a\nb", "a\nb", true), ("ba", "ab", false),
        ]
    )
    func `finds it wherever it stands, and nothing else`(bytes: String, text: String, isThere: Bool) {
        #expect(Array(bytes.utf8).holds(text) == isThere)
    }
}

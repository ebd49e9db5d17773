extension [UInt8] {
    /// Whether `text` stands somewhere in these bytes.
    ///
    /// For short texts in small files: the searches of the standard library get ready for longer than this takes.
    package func holds(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard let first = wanted.first else { return true }
        guard count >= wanted.count else { return false }
        for start in 0...(count - wanted.count) where self[start] == first {
            if (1..<wanted.count).allSatisfy({ self[start + $0] == wanted[$0] }) { return true }
        }
        return false
    }
}

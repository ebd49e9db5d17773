import Foundation

/// The rules; each returns one line for every place that breaks it: file, line, what to do.
enum TidyRules {
    // MARK: Walls

    static func imports(of file: SourceText) -> [String] {
        guard let name = file.sourceFolder, file.path.hasSuffix(".swift") else { return [] }
        guard let folder = Walls.folders[name] else {
            return [
                file.complaint(
                    line: 1,
                    "\(name) has no row in Walls.folders: say what it may import and name"
                )
            ]
        }
        let fileName = file.path.split(separator: "/").last.map(String.init) ?? ""
        let allowed = folder.imports.union(folder.importsOfFile[fileName] ?? [])
        return matches(
            /^\s*(?:@\w+\s+)*(?:\w+\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/,
            in: file
        )
        .filter { !allowed.contains($0.text) }
        .map { file.complaint(line: $0.line, "\(name) does not import \($0.text); ask the folder that does") }
    }

    /// Names of types from a folder that does not lie below; `files` are all those of the FastForward module.
    static func layers(of files: [SourceText]) -> [String] {
        var homes: [String: Set<String>] = [:]
        for file in files {
            guard let folder = layer(of: file) else { continue }
            for name in topLevelTypes(of: file) { homes[name, default: []].insert(folder) }
        }
        var complaints: [String] = []
        for file in files {
            guard let folder = layer(of: file), let row = Walls.folders["FastForward/\(folder)"] else {
                continue
            }
            let reachable = row.below.union([folder])
            for word in matches(/\b([A-Z]\w+)/, in: file) {
                guard let home = homes[word.text], home.isDisjoint(with: reachable) else { continue }
                complaints.append(
                    file.complaint(
                        line: word.line,
                        "\(folder) names \(word.text) of \(home.sorted().joined(separator: ", ")), which does not lie below it"
                    )
                )
            }
        }
        return complaints
    }

    private static func layer(of file: SourceText) -> String? {
        guard let folder = file.sourceFolder, folder.hasPrefix("FastForward/") else { return nil }
        return String(folder.dropFirst("FastForward/".count))
    }

    /// The types that other files can name: declared outside all braces and not private.
    static func topLevelTypes(of file: SourceText) -> Set<String> {
        var names: Set<String> = []
        var depth = 0
        for line in file.codeLines {
            if depth == 0,
                let match = line.firstMatch(
                    of: /\b(?:struct|class|enum|protocol|actor|typealias)\s+([A-Z]\w*)/
                ),
                line.firstMatch(of: /\b(private|fileprivate)\s/.wordBoundaryKind(.simple)) == nil
            {
                names.insert(String(match.1))
            }
            for character in line {
                if character == "{" { depth += 1 } else if character == "}" { depth -= 1 }
            }
        }
        return names
    }

    static func unsafety(of file: SourceText) -> [String] {
        guard file.path.hasPrefix("Sources/"), file.path.hasSuffix(".swift") else { return [] }
        var complaints: [String] = []
        if !isListed(file, in: Walls.mayBeUnsafe) {
            complaints += matches(
                /(?:^|[^\w`.])(@?unsafe|unowned\(unsafe\)|nonisolated\(unsafe\))(?![\w(:`])/,
                in: file
            )
            .map { file.complaint(line: $0.line, "'\($0.text)' belongs below: see Walls.mayBeUnsafe") }
        }
        if !isListed(file, in: Walls.mayBeUnmanaged) {
            complaints += matches(/\b(Unmanaged)\b/, in: file)
                .map {
                    file.complaint(line: $0.line, "Unmanaged belongs to the files of Walls.mayBeUnmanaged")
                }
        }
        return complaints
    }

    private static func isListed(_ file: SourceText, in paths: [String]) -> Bool {
        paths.contains { $0.hasSuffix("/") ? file.path.hasPrefix($0) : file.path == $0 }
    }

    // MARK: Form

    static func length(of file: SourceText) -> [String] {
        let count = file.text.hasSuffix("\n") ? file.lines.count - 1 : file.lines.count
        guard count > Walls.linesMax, !file.path.hasSuffix(".md") else { return [] }
        return [
            file.complaint(
                line: count,
                "\(count) lines, \(Walls.linesMax) at most: look for the second purpose"
            )
        ]
    }

    static func leftovers(of file: SourceText) -> [String] {
        // Written in two parts, so that this file keeps its own rule.
        let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
        return file.lines.enumerated().flatMap { index, line in
            words.filter { word in
                line.split { !($0.isLetter || $0.isNumber || $0 == "_") }.contains { $0 == word }
            }.map { file.complaint(line: index + 1, "\($0): do it, or leave it unsaid") }
        }
    }

    static func sleeps(of file: SourceText) -> [String] {
        guard file.path.hasSuffix(".swift"), !isListed(file, in: Walls.maySleep) else { return [] }
        return matches(/((?:Thread|Task)\.sleep|\b(?:u|nano)?sleep\()/, in: file)
            .map { file.complaint(line: $0.line, "\($0.text): wait for the event, not for a time") }
    }

    static func trailingSpace(of file: SourceText) -> [String] {
        var complaints: [String] = []
        for (index, (line, code)) in zip(file.lines, file.codeLines).enumerated() {
            // At the end of a literal's line it may be meant.
            guard let last = line.last, last.isWhitespace, code.last != SwiftBlanking.literal else {
                continue
            }
            complaints.append(file.complaint(line: index + 1, "white space at the end of the line"))
        }
        if !file.text.isEmpty, !file.text.hasSuffix("\n") {
            complaints.append(file.complaint(line: file.lines.count, "no line end at the end of the file"))
        }
        return complaints
    }

    /// Links of Markdown files to files that are not there.
    static func links(of file: SourceText, exists: (String) -> Bool) -> [String] {
        guard file.path.hasSuffix(".md") else { return [] }
        let folder = file.path.split(separator: "/").dropLast().map(String.init)
        return matches(/\]\(([^)\s]+)\)/, in: file).compactMap { link in
            guard link.text.firstMatch(of: /^([a-z]+:|#)/) == nil else { return nil }
            var parts = link.text.hasPrefix("/") ? [] : folder
            for part in link.text.prefix(while: { $0 != "#" }).split(separator: "/") where part != "." {
                if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) }
            }
            let target = parts.joined(separator: "/")
            return exists(target) ? nil : file.complaint(line: link.line, "no file \(target) to link to")
        }
    }

    // MARK: Finding

    private struct Match {
        let line: Int
        let text: String
    }

    /// The first group of every match, with ASCII's idea of a word: in Unicode's, `Unmanaged.pass` is one.
    private static func matches(_ pattern: Regex<(Substring, Substring)>, in file: SourceText) -> [Match] {
        file.codeLines.enumerated().flatMap { index, line in
            line.matches(of: pattern.wordBoundaryKind(.simple)).map {
                Match(line: index + 1, text: String($0.1))
            }
        }
    }
}

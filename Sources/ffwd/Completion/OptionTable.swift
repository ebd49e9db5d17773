import ArgumentParser
import FoundationEssentials

/// The options of the command, as its declarations say them.
///
/// Read from ArgumentParser's own description (`--experimental-dump-help`), so that no option is listed twice.
struct OptionTable: Equatable {
    /// An option with a value, or a flag without.
    struct Option: Equatable {
        /// With their dashes.
        let names: [String]
        let takesValue: Bool
        let isRepeating: Bool
        /// Whether help shows it.
        let isShown: Bool
        let abstract: String
        /// All values that it can have; empty: any.
        let values: [String]

        /// The long name with its dashes, which says what it is about.
        var name: String { names.first { $0.hasPrefix("--") } ?? names.first ?? "" }
    }

    let options: [Option]

    /// The option of this name, such as `-n` or `--namespace`.
    func option(named name: String) -> Option? { options.first { $0.names.contains(name) } }

    /// The table of the command; empty only where ArgumentParser's format has changed, which a test notices.
    static func ofCommand() -> OptionTable { OptionTable(json: PortForwardCommand._dumpHelp()) }

    init(json: String) {
        let tool = try? JSONDecoder().decode(Tool.self, from: Data(json.utf8))
        let arguments = (tool?.command.arguments ?? []).filter { $0.kind != "positional" }
        options = arguments.map { argument in
            Option(
                names: (argument.names ?? []).map { ($0.kind == "short" ? "-" : "--") + $0.name },
                takesValue: argument.kind == "option",
                isRepeating: argument.isRepeating,
                isShown: argument.shouldDisplay,
                abstract: argument.abstract ?? "",
                values: argument.allValues ?? []
            )
        }
    }

    // MARK: ArgumentParser's format (ToolInfoV0), as far as it matters here

    private struct Tool: Decodable {
        let command: Command
    }

    private struct Command: Decodable {
        let arguments: [Argument]?
    }

    private struct Argument: Decodable {
        struct Name: Decodable {
            let kind: String
            let name: String
        }

        let kind: String
        let shouldDisplay: Bool
        let isRepeating: Bool
        let names: [Name]?
        let abstract: String?
        let allValues: [String]?
    }
}

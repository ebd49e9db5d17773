/// Gives upstream connections what they show the server, and has the plugin run where that must be made first.
///
/// The plugin runs once for all who wait, however many they are; who gives up meanwhile is forgotten, and the run goes
/// on for the next one.
final class CredentialSource {
    typealias Handler = (Result<IssuedCredential, KubeconfigError>) -> Void

    /// Who waits for the plugin; give it up with ``CredentialSource/cancel(_:)``.
    struct Ticket: Hashable { fileprivate let number: Int }

    private var credential: Credential
    private var run: PluginRun?
    private var waiting: [Ticket: Handler] = [:]
    private var lastTicket = 0
    private var isClosed = false

    init(_ credential: Credential) {
        self.credential = credential
    }

    /// Asks for a credential.
    ///
    /// - Returns: nil where `handler` has been called already, as it is unless a plugin must run.
    func request(on loop: EventLoop, handler: @escaping Handler) -> Ticket? {
        let verdict: Credential.Verdict
        do throws(KubeconfigError) {
            verdict = try credential.request(
                at: loop.now,
                wallTime: UnixTime(nanoseconds: EventLoop.wallClockNanoseconds)
            )
        } catch {
            handler(.failure(error))
            return nil
        }
        switch verdict {
        case .use(let issued):
            handler(.success(issued))
            return nil
        case .run(let plugin):
            run = PluginRun(loop: loop, plugin: plugin) { [weak self] in self?.pluginEnded($0) }
        case .wait:
            break
        }
        lastTicket += 1
        let ticket = Ticket(number: lastTicket)
        waiting[ticket] = handler
        return ticket
    }

    /// Whether a request now would run a plugin that may ask a person.
    var wouldAsk: Bool {
        credential.wouldAsk(
            wallTime: UnixTime(nanoseconds: EventLoop.wallClockNanoseconds),
            standardInputIsTerminal: StandardStreams.inputIsTerminal
        )
    }

    /// Forgets who waits.
    func cancel(_ ticket: Ticket) { waiting[ticket] = nil }

    private func pluginEnded(_ result: Result<ExecCredential, ExecPluginError>) {
        run = nil
        let answer: Result<IssuedCredential, KubeconfigError>
        switch result {
        case .success(let credential):
            guard let issued = self.credential.pluginEnded(credential) else { return }
            answer = .success(issued)
        case .failure(let error):
            _ = credential.pluginEnded(nil)
            answer = .failure(.execPlugin(error))
        }
        // In the order in which they came; a handler may cancel another, or ask again.
        for ticket in waiting.keys.sorted(by: { $0.number < $1.number }) {
            waiting.removeValue(forKey: ticket)?(answer)
        }
    }

    /// Records that the server did not take a credential.
    ///
    /// - Returns: whether it may take the next one.
    func wasRefused(_ issued: IssuedCredential) -> Bool {
        credential.wasRefused(issued.number) && !issued.isFresh
    }

    /// Whether a plugin's process may still be there.
    var isPluginAlive: Bool { run?.isAlive ?? false }

    /// Forgets all who wait and ends the plugin.
    func close() {
        waiting = [:]
        run?.cancel()
    }
}

/// Connects to the first of several addresses that answers.
///
/// Theory of operation. A name may have addresses that nobody is behind, and a connect to such a one hangs for minutes. So
/// the next address is tried when the one before has failed or has not answered for ``attemptSpan``; the first to answer
/// wins, and the others are closed (RFC 8305 §5). The families take turns (§4), the resolver's favourite first.
package final class ConnectRace {
    /// RFC 8305 §8 recommends it: more than most servers are away, less than a person notices.
    package static let attemptSpan = TimeSpan.milliseconds(250)
    /// How many addresses of a name are tried; more than any API server has.
    package static let addressesMax = 16

    /// One connect.
    private final class Attempt: TransportOwner {
        let link: OwnedTransport
        private weak var race: ConnectRace?

        init(loop: EventLoop, race: ConnectRace) {
            link = OwnedTransport(loop: loop)
            self.race = race
            link.owner = self
        }

        func connected(_ error: LoopError?) { race?.ended(self, error) }
        // Nothing is read before the race is over.
        func received(_ count: Int) {}

        /// Closes the link, which says no more.
        func abandon() {
            link.owner = nil
            link.close()
        }
    }

    private let loop: EventLoop
    /// Those that have not been tried, the next last.
    private var addresses: [SocketAddress]
    private var attempts: [Attempt] = []
    private var timer: LoopTimer?
    private var failure: LoopError?
    private var handler: ((Result<OwnedTransport, LoopError>) -> Void)?

    /// Starts to connect; `handler` is called once, in a later turn, unless the race is cancelled.
    ///
    /// It gets the connected transport, which nobody owns yet, or the error of the address that failed last.
    package init(
        loop: EventLoop,
        addresses: [SocketAddress],
        handler: @escaping (Result<OwnedTransport, LoopError>) -> Void
    ) {
        precondition(!addresses.isEmpty, "there is somewhere to connect to")
        self.loop = loop
        self.addresses = Self.alternating(addresses).prefix(Self.addressesMax).reversed()
        self.handler = handler
        tryNext()
    }

    /// Forgets the handler and closes what is under way.
    package func cancel() {
        handler = nil
        addresses = []
        for attempt in attempts { attempt.abandon() }
        attempts = []
        timer?.close()
        timer = nil
    }

    private static func alternating(_ addresses: [SocketAddress]) -> [SocketAddress] {
        let firstFamily = addresses[0].isIPv6
        var families = [
            addresses.filter { $0.isIPv6 == firstFamily }[...],
            addresses.filter { $0.isIPv6 != firstFamily }[...],
        ]
        var result: [SocketAddress] = []
        while result.count < addresses.count {
            for index in families.indices {
                if let address = families[index].popFirst() { result.append(address) }
            }
        }
        return result
    }

    /// Tries the next address, or those behind it where that fails at once.
    private func tryNext() {
        while let address = addresses.popLast() {
            let attempt = Attempt(loop: loop, race: self)
            do throws(LoopError) {
                try attempt.link.connect(to: address)
            } catch {
                attempt.abandon()
                if error.code == LoopError.tooManyOpenFiles, !attempts.isEmpty {
                    // One that has not answered yet gives its descriptor to the next.
                    attempts.removeFirst().abandon()
                    addresses.append(address)
                } else {
                    failure = error
                }
                continue
            }
            attempts.append(attempt)
            if !addresses.isEmpty { schedule(at: loop.now + Self.attemptSpan) }
            return
        }
        // In a later turn, also where every address failed at once.
        if attempts.isEmpty { schedule(at: loop.now) }
    }

    private func schedule(at instant: Instant) {
        if timer == nil { timer = LoopTimer(loop: loop) { [weak self] in self?.timerFired() } }
        timer?.schedule(at: instant)
    }

    private func timerFired() {
        guard addresses.isEmpty, attempts.isEmpty, let failure else {
            tryNext()
            return
        }
        let handler = self.handler
        cancel()
        handler?(.failure(failure))
    }

    private func ended(_ attempt: Attempt, _ error: LoopError?) {
        attempts.removeAll { $0 === attempt }
        if let error {
            failure = error
            attempt.abandon()
            if attempts.isEmpty || !addresses.isEmpty { tryNext() }
            return
        }
        attempt.link.owner = nil
        let handler = self.handler
        cancel()
        handler?(.success(attempt.link))
    }
}

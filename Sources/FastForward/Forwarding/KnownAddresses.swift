/// What a name's look-up has found, for the connections that follow soon.
///
/// On channels thousands of connections may be opened one after the other, and a look-up each would be slower than
/// they are. The address that was connected to last is tried first, so one that nobody is behind costs its moment
/// once.
struct KnownAddresses {
    /// How long they are believed: less than what a name's owner can expect to be noticed within.
    static let validSpan = TimeSpan.seconds(30)

    private var addresses: [SocketAddress] = []
    private var validUntil = Instant(nanoseconds: 0)

    /// What is known; nil: look the name up.
    func addresses(at now: Instant) -> [SocketAddress]? {
        addresses.isEmpty || validUntil <= now ? nil : addresses
    }

    mutating func found(_ addresses: [SocketAddress], at now: Instant) {
        self.addresses = addresses
        validUntil = now + Self.validSpan
    }

    mutating func connected(to address: SocketAddress?) {
        guard addresses.count > 1, let index = addresses.firstIndex(where: { $0 == address }), index > 0
        else { return }
        addresses.swapAt(0, index)
    }

    /// Nobody was behind any of them.
    mutating func forget() { addresses = [] }
}

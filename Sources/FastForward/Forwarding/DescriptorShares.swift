/// How descriptors are divided between clients and the tunnels that carry them.
extension DescriptorLedger {
    /// Kept from clients and spare tunnels, for what clients cannot do without: a tunnel to their pod, watches, requests.
    static let keptForNeeds = 4

    /// Whether there is one for one more client beside `count`; the first needs no more than what is left to others.
    func hasRoomForClient(beside count: Int) -> Bool { count == 0 || freeCount > Self.keptForNeeds }

    /// Whether there is one for a tunnel that nobody waits for, beside `count` tunnels to all pods.
    func hasRoomForSpare(beside count: Int) -> Bool { count < available / 4 && freeCount > Self.keptForNeeds }

    /// How many pods may have tunnels at once: the other half is for clients.
    var podsMax: Int { max(1, available / 2) }
}

import FastForward
import Testing

@Suite struct `Looking for signs of life` {
    private let start = Instant(milliseconds: 1000)

    @Test func `silence is doubted, and then the end`() {
        var signs = LifeSigns(at: start)
        #expect(signs.nextLook == start + LifeSigns.look)
        #expect(signs.look(silence: .milliseconds(1999), hasAddress: true, at: start) == .alive)
        #expect(signs.nextLook == start + LifeSigns.look)
        #expect(signs.look(silence: .seconds(2), hasAddress: true, at: start) == .doubted)
        #expect(signs.nextLook == start + LifeSigns.closeLook)
        #expect(signs.look(silence: .zero, hasAddress: true, at: start) == .alive)
        #expect(signs.look(silence: .seconds(14), hasAddress: true, at: start) == .doubted)
        #expect(signs.look(silence: .seconds(15), hasAddress: true, at: start + .seconds(1)) == .silent)
    }

    @Test func `the first byte behind a long rest is not the end`() {
        var signs = LifeSigns(at: start)
        #expect(signs.look(silence: .seconds(60), hasAddress: true, at: start) == .doubted)
        let soon = start + .milliseconds(10)
        #expect(
            signs.look(silence: .seconds(60), hasAddress: true, networkChanged: true, at: soon) == .doubted
        )
        #expect(signs.look(silence: .zero, hasAddress: true, at: start + .seconds(1)) == .alive)
        #expect(signs.look(silence: .seconds(60), hasAddress: true, at: start + .seconds(2)) == .doubted)
        #expect(signs.look(silence: .seconds(61), hasAddress: true, at: start + .seconds(3)) == .silent)
    }

    @Test func `an address that comes back in time ends nothing, one that stays away does`() {
        var signs = LifeSigns(at: start)
        #expect(signs.look(silence: .zero, hasAddress: false, networkChanged: true, at: start) == .doubted)
        #expect(signs.look(silence: .zero, hasAddress: false, at: start + .seconds(4)) == .doubted)
        #expect(signs.look(silence: .zero, hasAddress: true, at: start + .seconds(5)) == .alive)
        let second = start + .seconds(10)
        #expect(signs.look(silence: .zero, hasAddress: false, at: second) == .doubted)
        #expect(signs.look(silence: .zero, hasAddress: false, at: second + .seconds(5)) == .addressGone)
    }

    @Test func `after a change of the network the next look is soon`() {
        var signs = LifeSigns(at: start)
        #expect(signs.look(silence: .zero, hasAddress: true, networkChanged: true, at: start) == .alive)
        #expect(signs.nextLook == start + LifeSigns.closeLook)
        #expect(signs.look(silence: .zero, hasAddress: true, at: start) == .alive)
        #expect(signs.nextLook == start + LifeSigns.look)
    }
}

import Testing

@testable import FastForward

@Suite struct `Watching the network` {
    @Test func `sleep is what one clock has counted and the other has not`() {
        var gauge = SleepGauge(sleptMilliseconds: 7000)
        #expect(gauge.hasSlept(sleptMilliseconds: 7000) == false)
        // Two clocks are not read at the same moment.
        #expect(gauge.hasSlept(sleptMilliseconds: 7003) == false)
        #expect(gauge.hasSlept(sleptMilliseconds: 6999) == false)
        #expect(gauge.hasSlept(sleptMilliseconds: 67_000) == true)
        #expect(gauge.hasSlept(sleptMilliseconds: 67_000) == false)
    }

    @Test func `an address is this host's own, or not`() throws {
        #expect(try #require(SocketAddress(ip: "127.0.0.1", port: 80)).isOwn)
        // Documentation addresses are nobody's (RFC 5737, RFC 3849).
        #expect(try !#require(SocketAddress(ip: "192.0.2.1", port: 80)).isOwn)
        #expect(try !#require(SocketAddress(ip: "2001:db8::1", port: 80)).isOwn)
    }

    @Test func `it leaves nothing behind and does not keep the loop running`() throws {
        let loop = try EventLoop()
        let watch = try NetworkWatch(loop: loop) {}
        loop.run()
        watch.close()
        try loop.close()
    }
}

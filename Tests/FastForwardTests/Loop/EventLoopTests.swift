import Foundation
import Testing

@testable import FastForward

@Suite struct `Running a loop` {
    @Test func `an open handle makes the end of the loop fail, not hang`() throws {
        let loop = try EventLoop()
        let listener = try Listener(loop: loop, address: .loopback()) { _ in }
        let error = #expect(throws: LoopError.self) { try loop.close() }
        #expect(error?.attempt == "close the event loop with all its handles")
        listener.close()
        try loop.close()
    }

    @Test func `a look-up on its way does not make the end of the loop fail`() throws {
        let scene = try LoopScene()
        _ = try NameLookup(loop: scene.loop, host: "localhost", port: 1) { _ in }
        try scene.finish()
    }

    private final class Work: TurnWork {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
        func endTurn() { body() }
    }

    @Test func `what is put off to the end of the turn is done once, in order, with what it puts off itself`()
        throws
    {
        let scene = try LoopScene()
        var done: [String] = []
        let later = Work { done.append("later") }
        let first = Work {
            done.append("first")
            scene.loop.atEndOfTurn(later)
        }
        scene.loop.atEndOfTurn(first)
        scene.loop.atEndOfTurn(Work { done.append("second") })
        #expect(done.isEmpty)
        scene.runTurns(1)
        #expect(done == ["first", "second", "later"])
        scene.runTurns(3)
        #expect(done.count == 3)
        try scene.finish()
    }

    @Test func `a timer fires once, not early, at the last instant that it was told`() throws {
        let scene = try LoopScene()
        var firedAt: [Instant] = []
        let timer = LoopTimer(loop: scene.loop) { firedAt.append(scene.loop.now) }
        let start = scene.loop.now
        timer.schedule(at: start + .seconds(3600))
        timer.schedule(at: start + TimeSpan(nanoseconds: 3_000_001))
        let cancelled = LoopTimer(loop: scene.loop) { Issue.record("a cancelled timer fired") }
        cancelled.schedule(at: start + .milliseconds(1))
        cancelled.cancel()
        try scene.run { !firedAt.isEmpty }
        scene.runTurns(3)
        #expect(firedAt.count == 1)
        #expect(firedAt[0] - start >= TimeSpan(nanoseconds: 3_000_001))
        #expect(timer.deadline == nil)
        timer.schedule(at: start)
        scene.runTurns(1)
        #expect(firedAt.count == 2)
        timer.close()
        cancelled.close()
        try scene.finish()
    }

    /// As when the process was stopped: a blocked thread is the same to the loop.
    @Test func `behind a pause of this process, what has come is looked at before a timer fires`() throws {
        let scene = try LoopScene()
        do {
            let (near, far) = try scene.connectedPair()
            var order: [String] = []
            near.afterReceive = { _ in order.append("bytes") }
            near.startReading()
            let timer = LoopTimer(loop: scene.loop) { order.append("timer") }
            timer.schedule(at: scene.loop.now + .milliseconds(10))
            far.send([1])
            #expect(poll(nil, 0, 1_500) == 0)
            try scene.run { order.count == 2 }
            #expect(order == ["bytes", "timer"])
            #expect(timer.ownPause >= .seconds(1))
            timer.schedule(at: scene.loop.now + .milliseconds(1))
            try scene.run { order.count == 3 }
            #expect(timer.ownPause == .zero)
            timer.close()
            near.close()
            far.close()
        }
        try scene.finish()
    }

    /// What has come may set the timer anew before it fires.
    @Test func `a timer that is set anew behind a pause of this process still tells of it`() throws {
        let scene = try LoopScene()
        do {
            let (near, far) = try scene.connectedPair()
            var pauses: [TimeSpan] = []
            var timer: LoopTimer?
            timer = LoopTimer(loop: scene.loop) { pauses.append(timer?.ownPause ?? .zero) }
            near.afterReceive = { _ in timer?.schedule(at: scene.loop.now) }
            near.startReading()
            timer?.schedule(at: scene.loop.now + .milliseconds(10))
            far.send([1])
            #expect(poll(nil, 0, 1_500) == 0)
            try scene.run { pauses.count == 1 }
            #expect(pauses[0] >= .seconds(1))
            timer?.close()
            timer = nil
            near.close()
            far.close()
        }
        try scene.finish()
    }

    @Test func `an address in use is said to be in use`() throws {
        let scene = try LoopScene()
        let first = try Listener(loop: scene.loop, address: .loopback()) { _ in }
        let address = first.address
        #expect(address.port != 0)
        let error = #expect(throws: LoopError.self) {
            _ = try Listener(loop: scene.loop, address: address) { _ in }
        }
        #expect(error?.code == LoopError.addressInUse)
        #expect(error?.description == "cannot listen on \(address): address already in use")
        first.close()
        try scene.finish()
    }

    @Test func `both families listen on one port`() throws {
        let scene = try LoopScene()
        let first = try Listener(loop: scene.loop, address: .loopback()) { _ in }
        let address = try #require(SocketAddress(ip: "::1", port: first.address.port))
        let second = try Listener(loop: scene.loop, address: address) { _ in }
        #expect(second.address.description == "[::1]:\(first.address.port)")
        first.close()
        second.close()
        try scene.finish()
    }

    @Test func `a signal that cannot be watched leaves no handle behind`() throws {
        let scene = try LoopScene()
        let signalThatNobodyCatches: Int32 = 9
        #expect(throws: LoopError.self) {
            _ = try SignalWatcher(loop: scene.loop, signal: signalThatNobodyCatches) {}
        }
        try scene.finish()
    }

    @Test(arguments: [
        (["/bin/sh", "-c", "exit 3"], ChildProcess.End.exited(3)),
        (["/bin/sh", "-c", "kill -9 $$"], ChildProcess.End.killed(signal: 9)),
    ])
    func `a child's end is told as it was`(arguments: [String], expected: ChildProcess.End) throws {
        let scene = try LoopScene()
        var end: ChildProcess.End?
        let child = try ChildProcess(
            loop: scene.loop,
            arguments: arguments,
            standardInput: 0,
            standardOutput: 1
        ) { end = $0 }
        #expect(child.processID > 0)
        try scene.run { end != nil }
        #expect(end == expected)
        try scene.finish()
    }

    @Test func `a program that is not there is an error that names it`() throws {
        let scene = try LoopScene()
        let error = #expect(throws: LoopError.self) {
            _ = try ChildProcess(
                loop: scene.loop,
                arguments: ["/no/such/program"],
                standardInput: 0,
                standardOutput: 1
            ) { _ in Issue.record("a child that was never there has ended") }
        }
        #expect(error?.description == "cannot start /no/such/program: no such file or directory")
        try scene.finish()
    }
}

@Suite struct `Looking up names` {
    private func lookUp(_ host: String) throws -> Result<[SocketAddress], LoopError> {
        let scene = try LoopScene()
        var result: Result<[SocketAddress], LoopError>?
        _ = try NameLookup(loop: scene.loop, host: host, port: 6443) { result = $0 }
        try scene.run { result != nil }
        try scene.finish()
        return try #require(result)
    }

    @Test(arguments: ["127.0.0.1", "::1"])
    func `a numeric address is itself, whatever interfaces there are`(ip: String) throws {
        let addresses = try lookUp(ip).get()
        #expect(addresses == [SocketAddress(ip: ip, port: 6443)])
    }

    @Test func `localhost is this host, each address once`() throws {
        let addresses = try lookUp("localhost").get().map(\.description)
        #expect(!addresses.isEmpty)
        #expect(Set(addresses).isSubset(of: ["127.0.0.1:6443", "[::1]:6443"]))
        #expect(Set(addresses).count == addresses.count)
    }

    @Test func `a name that is not there is an error that names it`() throws {
        // RFC 6761 §6.4: no name under invalid exists.
        guard case .failure(let error) = try lookUp("no-such-host.invalid") else {
            Issue.record("a name under invalid was found")
            return
        }
        #expect(error.description.hasPrefix("cannot look up no-such-host.invalid: "))
    }

    @Test func `a cancelled look-up is not answered`() throws {
        let scene = try LoopScene()
        let lookup = try NameLookup(loop: scene.loop, host: "localhost", port: 1) { _ in
            Issue.record("answered after the end")
        }
        lookup.cancel()
        try scene.finish()
    }

    @Test(arguments: ["localhost", "127.0.0", "[::1]", "", "1.2.3.4.5"])
    func `a name is no numeric address`(text: String) {
        #expect(SocketAddress(ip: text, port: 1) == nil)
    }
}

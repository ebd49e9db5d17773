package import FastForward

/// What ties a pod's process to the one that started it: a loopback connection.
///
/// The pod says `ready ADDRESS` on it and ends when it ends, which the kernel brings about however the parent goes,
/// so no orphan survives. (Standard input would do as well, but a loop reads sockets only.)
package final class LeashHolder: TransportOwner {
    private let transport: OwnedTransport
    private let line: String
    private let whenCut: () -> Void

    /// Ties this process to a parent that listens on `parent`.
    ///
    /// - Parameter whenCut: called once, when the parent is gone.
    package init(
        loop: EventLoop,
        parent: SocketAddress,
        podAddress: String,
        whenCut: @escaping () -> Void
    ) throws(LoopError) {
        transport = OwnedTransport(loop: loop)
        line = "ready \(podAddress)\n"
        self.whenCut = whenCut
        transport.owner = self
        try transport.connect(to: parent)
    }

    package func connected(_ error: LoopError?) {
        guard error == nil else { return whenCut() }
        var buffer = transport.loop.pool.take(2048)
        buffer.append(line)
        transport.output.append(buffer)
        transport.flush()
        transport.startReading()
    }

    package func prepareRead() -> BufferBox? {
        transport.loop.receiveBox.buffer.clear()
        return transport.loop.receiveBox
    }

    package func received(_ count: Int) {}

    package func receivedEnd(_ error: LoopError?) { whenCut() }
}

/// The parent's end of a leash: waits for the pod's word.
final class Leash: TransportOwner {
    /// A pod says one short line.
    private static let lineBytesMax = 64

    let transport: OwnedTransport
    private var line: [UInt8] = []
    private let whenReady: (_ address: String) -> Void

    init(loop: EventLoop, whenReady: @escaping (_ address: String) -> Void) {
        transport = OwnedTransport(loop: loop)
        self.whenReady = whenReady
        transport.owner = self
    }

    func prepareRead() -> BufferBox? {
        transport.loop.receiveBox.buffer.clear()
        return transport.loop.receiveBox
    }

    func received(_ count: Int) {
        let box = transport.loop.receiveBox
        box.buffer.commit(count)
        line.append(contentsOf: [UInt8](copying: box.buffer))
        box.buffer.clear()
        guard line.count <= Self.lineBytesMax else { return transport.close() }
        guard line.last == UInt8(ascii: "\n") else { return }
        let words = String(decoding: line.dropLast(), as: UTF8.self).split(separator: " ")
        line = []
        if words.count == 2, words[0] == "ready" { whenReady(String(words[1])) }
    }

    func receivedEnd(_ error: LoopError?) { transport.close() }
}

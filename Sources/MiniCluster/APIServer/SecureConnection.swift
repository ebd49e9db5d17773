import FastForward

/// What a connection is used for: requests first, a tunnel later perhaps.
protocol SecureConnectionUser: AnyObject {
    /// Plaintext stands in `box`; what is not needed when this returns is lost.
    ///
    /// Whoever needs it longer puts another buffer of the same size in its place.
    func receivedPlaintext(in box: BufferBox)
    /// The client sends no more.
    func receivedEnd()
    /// The kernel has taken bytes that it had refused before.
    func outputProgressed()
    /// The connection is gone; comes once.
    func connectionClosed()
}

/// One connection of a client, with TLS unless the cluster is plain.
///
/// Theory of operation. Ciphertext is read into the loop's one receive buffer and decrypted at once into the
/// cluster's one plaintext buffer, up to 256 KiB in a batch, which the user of the connection works through before
/// the next batch. So an idle connection holds no buffer.
final class SecureConnection: TransportOwner {
    unowned let cluster: Cluster
    let transport: OwnedTransport
    private let session: TLSSession?
    private var user: (any SecureConnectionUser)?
    private var isOpen = false
    private var closesWhenSent = false
    /// The common name in the client's certificate; nil: it showed none.
    private(set) var commonName: String?

    init(cluster: Cluster) throws(TLSError) {
        self.cluster = cluster
        transport = OwnedTransport(loop: cluster.loop)
        do throws(TLSError) {
            session = try cluster.tlsContext.map { context throws(TLSError) in
                try TLSSession(server: context, input: cluster.loop.receiveBox, pool: cluster.loop.pool)
            }
        } catch {
            transport.close()
            throw error
        }
        isOpen = session == nil
        if cluster.authority == nil { commonName = "kubernetes-admin" }
        transport.owner = self
        user = APIExchange(connection: self)
    }

    /// Has everything from now on, beginning with what is left in `box`, handled by `user`.
    func handOver(to user: any SecureConnectionUser, rest box: BufferBox) {
        self.user = user
        if !box.buffer.isEmpty { user.receivedPlaintext(in: box) }
    }

    /// The TLS version and cipher that were agreed on.
    var negotiatedTLS: String { session?.negotiated ?? "none" }

    // MARK: Sending

    /// The ciphertext that the kernel has not taken yet, in bytes.
    var backlogBytes: Int { transport.output.byteCount }

    /// Encrypts and sends the readable bytes of `buffer`.
    func send(_ buffer: borrowing ByteBuffer) {
        guard isOpen, !transport.isClosing, !closesWhenSent else { return }
        if let session {
            do throws(TLSError) {
                try session.write(contentsOf: buffer)
            } catch {
                transport.close()
                return
            }
        } else {
            transport.output.append(copying: 0..<buffer.readableBytes, of: buffer)
        }
        flush()
    }

    private func flush() {
        session?.output.moveAll(to: &transport.output)
        transport.flush()
    }

    /// Ends TLS in order and closes when all has been sent.
    func closeWhenSent() {
        guard !closesWhenSent, !transport.isClosing else { return }
        session?.closeNotify()
        flush()
        closesWhenSent = true
        transport.stopReading()
        if transport.output.isEmpty { transport.close() }
    }

    // MARK: TransportOwner

    func prepareRead() -> BufferBox? {
        cluster.loop.receiveBox.buffer.clear()
        return cluster.loop.receiveBox
    }

    func received(_ count: Int) {
        cluster.loop.receiveBox.buffer.commit(count)
        cluster.statistics.bytesReceived += count
        guard let session else {
            cluster.plaintext.buffer.clear()
            swap(&cluster.plaintext.buffer, &cluster.loop.receiveBox.buffer)
            user?.receivedPlaintext(in: cluster.plaintext)
            return
        }
        do throws(TLSError) {
            if !isOpen {
                isOpen = try session.handshake()
                flush()
                guard isOpen else { return }
                commonName = commonName ?? session.peerCommonName
            }
            try decrypt(session)
        } catch {
            // What TLS has to say to the client, an alert, is in its output.
            flush()
            transport.close()
        }
    }

    private func decrypt(_ session: TLSSession) throws(TLSError) {
        let plaintext = cluster.plaintext
        while !transport.isClosing {
            plaintext.buffer.clear()
            let outcome = try session.read(into: &plaintext.buffer)
            if !plaintext.buffer.isEmpty { user?.receivedPlaintext(in: plaintext) }
            switch outcome {
            case .filled: continue
            case .drained: return
            case .ended:
                user?.receivedEnd()
                return
            }
        }
    }

    func receivedEnd(_ error: LoopError?) { transport.close() }

    func outputProgressed() {
        if closesWhenSent {
            if transport.output.isEmpty { transport.close() }
        } else {
            user?.outputProgressed()
        }
    }

    func outputFailed(_ error: LoopError) { transport.close() }

    func transportClosed() {
        session?.output.removeAll()
        user?.connectionClosed()
        user = nil
        cluster.connectionClosed(self)
    }
}

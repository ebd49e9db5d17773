internal import CUV

/// Asks the kernel about the other end of a connection, where that is on this host: whether it still belongs to a
/// process, and whether that reads.
///
/// A FIN tells only that a client sends no more; it may have closed altogether or wait for its answer. The kernel
/// knows: a socket that was closed has no inode any more (sock_diag(7), exact look-up, no privilege needed). A
/// question costs two system calls.
package final class SocketOwners {
    package enum Answer: Equatable {
        /// A process can still read from it.
        case owned
        /// It was closed, or is gone.
        case closed
        /// It is on another host, or in another network namespace that we cannot tell from none, or the kernel does
        /// not answer such questions.
        case unknown
    }

    private var descriptor: Int32 = -1
    private var isAvailable = true

    package init() {}

    deinit {
        if descriptor >= 0 { _ = CUV.close(descriptor) }
    }

    /// Asks about the socket at the other end of `transport`.
    package func answer(for transport: Transport) -> Answer {
        switch ask(about: transport)?.code {
        case 1: .owned
        case 0: .closed
        default: .unknown
        }
    }

    /// How many bytes the other end of `transport` has received that its process has not read; nil: nobody can tell.
    package func unreadBytes(atTheEndOf transport: Transport) -> Int? {
        guard let answer = ask(about: transport), answer.code == 1 else { return nil }
        return answer.unreadBytes
    }

    private func ask(about transport: Transport) -> (code: Int32, unreadBytes: Int)? {
        guard let peer = transport.peerAddress, let local = transport.localAddress,
            peer.isOnThisHost(with: local)
        else { return nil }
        if descriptor < 0, isAvailable {
            descriptor = ffwd_diag_open()
            // Where the kernel lacks the module it says of every socket that there is none: our own end tells.
            isAvailable = descriptor >= 0 && ask(about: local, connectedTo: peer).code == 1
        }
        return isAvailable ? ask(about: peer, connectedTo: local) : nil
    }

    private func ask(
        about source: SocketAddress,
        connectedTo target: SocketAddress
    ) -> (code: Int32, unreadBytes: Int) {
        var unread: UInt32 = 0
        let code = unsafe source.withPointer { source in
            unsafe target.withPointer { target in
                unsafe ffwd_diag_is_owned(descriptor, source, target, &unread)
            }
        }
        return (code, Int(unread))
    }
}

extension SocketAddress {
    /// Whether a connection between the two addresses never leaves this host: loopback, or one address twice.
    fileprivate func isOnThisHost(with other: SocketAddress) -> Bool {
        let ip = self.ip
        return ip == other.ip || ip.hasPrefix("127.") || ip == "::1"
    }
}

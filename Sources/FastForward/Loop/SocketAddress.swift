internal import CUV

/// An IP address and a port.
@safe package struct SocketAddress: Equatable, CustomStringConvertible {
    private(set) var storage: sockaddr_storage

    /// An address from its numeric text.
    ///
    /// - Parameter ip: `127.0.0.1`, `::1`; no brackets, no name. Nil where it is neither.
    package init?(ip: String, port: UInt16) {
        storage = sockaddr_storage()
        let isIPv6 = ip.utf8.contains(UInt8(ascii: ":"))
        let code: Int32 = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            let raw = UnsafeMutableRawPointer(pointer)
            if isIPv6 {
                return unsafe uv_ip6_addr(ip, Int32(port), raw.assumingMemoryBound(to: sockaddr_in6.self))
            }
            return unsafe uv_ip4_addr(ip, Int32(port), raw.assumingMemoryBound(to: sockaddr_in.self))
        }
        guard code == 0 else { return nil }
    }

    init(copying address: UnsafePointer<sockaddr>) {
        storage = sockaddr_storage()
        let isIPv6 = unsafe Int32(address.pointee.sa_family) == AF_INET6
        let size = isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        unsafe withUnsafeMutableBytes(of: &storage) { target in
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: address, count: size))
        }
    }

    init(storage: sockaddr_storage) {
        self.storage = storage
    }

    package var isIPv6: Bool { Int32(storage.ss_family) == AF_INET6 }

    package var port: UInt16 {
        unsafe withUnsafeBytes(of: storage) { bytes in
            // The port stands at the same place in both families.
            unsafe UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        }
    }

    /// The numeric address without the port.
    package var ip: String {
        unsafe withPointer { address in
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
                let code = unsafe uv_ip_name(address, text.baseAddress, 64)
                return unsafe code == 0 ? String(cString: text.baseAddress.unsafelyUnwrapped) : "?"
            }
        }
    }

    package var description: String { isIPv6 ? "[\(ip)]:\(port)" : "\(ip):\(port)" }

    package static func == (left: SocketAddress, right: SocketAddress) -> Bool {
        left.description == right.description
    }

    @unsafe func withPointer<Result>(_ body: (UnsafePointer<sockaddr>) -> Result) -> Result {
        unsafe withUnsafePointer(to: storage) { pointer in
            unsafe body(UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self))
        }
    }
}

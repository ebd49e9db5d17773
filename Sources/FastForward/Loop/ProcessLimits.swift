internal import CUV

/// What the operating system lets this process have.
package enum ProcessLimits {
    /// Raises the limit of open descriptors to the hard one.
    ///
    /// - Returns: the limit in force.
    @discardableResult package static func raiseOpenFiles() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }
}

extension ProcessLimits {
    /// How many descriptors are open now.
    ///
    /// - Returns: 3 where the system does not tell; the limit where there is not even one left to ask with.
    package static func openFileCount() -> Int {
        guard let directory = unsafe opendir("/proc/self/fd") else {
            return ffwd_last_error() == EMFILE ? raiseOpenFiles() : 3
        }
        // The two that every directory has, and the one that reads it.
        var count = -3
        while unsafe readdir(directory) != nil { count += 1 }
        unsafe closedir(directory)
        return max(3, count)
    }
}

extension ProcessLimits {
    /// Gives back the memory that only the start of the program has needed.
    ///
    /// Most of an idle `ffwd` is its own code, of which the start runs through a good deal once (arguments, JSON,
    /// certificates), and the kernel maps sixteen pages around each that is touched. What is needed again comes back
    /// from the page cache, in some microseconds each.
    package static func dropStartMemory() { ffwd_drop_code_pages() }
}

/// Signals by which a forward is ended.
package enum ProcessSignal {
    package static let interrupt = SIGINT
    package static let terminate = SIGTERM
    package static let hangUp = SIGHUP
    package static let quit = SIGQUIT
    package static let report = SIGUSR1

    /// Whether the process was started with this signal ignored (as `nohup` does with SIGHUP).
    package static func isIgnored(_ number: Int32) -> Bool { ffwd_is_ignored(number) != 0 }

    /// Ends this process by the signal's own default action, so that a shell sees the signal.
    package static func end(by number: Int32) -> Never {
        ffwd_die_by_signal(number)
        // Not reached unless the signal is blocked.
        exit(128 + number)
    }
}

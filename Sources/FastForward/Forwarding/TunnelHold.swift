/// Clients that do not read: they hold up their tunnel, and are reset once others have waited for them long enough.
extension Tunnel {
    /// How long a client that does not read may keep others waiting.
    package static let culpritPatience = TimeSpan.seconds(5)
    /// How often it is looked whether others have begun to wait.
    private static let culpritLook = TimeSpan.seconds(1)

    /// Stops or goes on reading, as the clients' backlogs want it.
    func updateHold() {
        let marks = budget.isScarce ? TunnelLimits.scarceMarks : limits.fromPodMarks
        _ = fromPodGate.update(backlogBytes: clientBacklogBytes, marks: marks)
        if fromPodGate.isPaused, clientBacklogBytes <= limits.fromPodMarks.lowBytes { watchScarcity() }
        let isHeldNow = holdingCount > 0 || fromPodGate.isPaused
        guard isHeldNow != isHeldUp else { return }
        isHeldUp = isHeldNow
        core.readingChanged(to: !isHeldNow, at: loop.now)
        if isHeldNow {
            pauseUpstream()
            heldUpSince = loop.now
            watchCulprits(from: loop.now + Self.culpritPatience)
        } else {
            culpritTimer?.cancel()
            resumeUpstream()
        }
    }

    /// Looks again whether the tunnel must be held up: what made memory scarce may have been elsewhere.
    private func watchScarcity() {
        guard scarcityTimer?.deadline == nil, !isUpstreamClosed else { return }
        if scarcityTimer == nil { scarcityTimer = LoopTimer(loop: loop) { self.updateHold() } }
        scarcityTimer?.schedule(at: loop.now + MemoryBudget.scarcityLook)
    }

    private func watchCulprits(from instant: Instant) {
        if culpritTimer == nil {
            culpritTimer = LoopTimer(loop: loop) { self.lookForCulprits() }
        }
        culpritTimer?.schedule(at: instant)
    }

    /// Resets the clients that do not read, where others have waited for them long enough.
    private func lookForCulprits() {
        guard isHeldUp, !isUpstreamClosed else { return }
        let waitingCount = locals.count { $0.map(isWaiting) ?? false }
        guard waitingCount > 0 else {
            watchCulprits(from: loop.now + Self.culpritLook)
            return
        }
        // Where no single one is above its mark, together they are above the tunnel's: the largest backlogs first.
        let culprits = locals.compactMap { $0 }
            .filter { $0.isHolding || holdingCount == 0 && $0.countedBacklogBytes > 0 }
            .sorted { $0.countedBacklogBytes > $1.countedBacklogBytes }
        for culprit in culprits where isHeldUp && !culprit.isClosing {
            if let port = culprit.port {
                owner?.connectionFailed(
                    local: port.local,
                    remote: culprit.remotePort,
                    .heldUpOthers(count: waitingCount)
                )
            }
            culprit.close()
        }
    }

    /// Whether somebody who reads is kept waiting.
    private func isWaiting(_ local: LocalConnection) -> Bool {
        guard !local.isHolding, !local.isClosing, local.isFromPodOpen, local.output.isEmpty,
            local.pace.expectsMore(since: heldUpSince)
        else { return false }
        // Who has something to read already waits for nobody.
        return (local.port?.heldEnds.owners.unreadBytes(atTheEndOf: local) ?? 0) == 0
    }
}

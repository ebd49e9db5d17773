/// Clients that do not read: they hold up their tunnel, and are reset once others have waited for them long enough.
///
/// A client above its mark stops the tunnel, so that a slow one is waited for and not buffered for. Where that lasts and
/// others share the tunnel, it is read on for them, and what comes for those who do not read is kept, up to the tunnel's
/// own marks.
extension Tunnel {
    /// How long a tunnel waits for a client above its mark before it is read on for the others.
    package static let holdPatience = TimeSpan.milliseconds(100)
    /// How long clients that do not read may keep others waiting.
    package static let culpritPatience = TimeSpan.seconds(5)
    /// How often it is looked whether others have begun to wait.
    private static let culpritLook = TimeSpan.seconds(1)

    /// Stops or goes on reading, as the clients' backlogs want it.
    func updateHold() {
        let marks = budget.isScarce ? TunnelLimits.scarceMarks : limits.fromPodMarks
        _ = fromPodGate.update(backlogBytes: clientBacklogBytes, marks: marks)
        if fromPodGate.isPaused, clientBacklogBytes <= limits.fromPodMarks.lowBytes { watchScarcity() }
        if holdingCount == 0 { isReadOn = false }
        let isHeldNow = fromPodGate.isPaused || holdingCount > 0 && !isReadOn
        guard isHeldNow != isHeldUp else { return }
        isHeldUp = isHeldNow
        core.readingChanged(to: !isHeldNow, at: loop.now)
        if isHeldNow {
            pauseUpstream()
            heldUpSince = loop.now
            patienceEnd = heldUpSince + Self.culpritPatience
            lookAtHold(at: loop.now + Self.holdPatience)
        } else {
            holdTimer?.cancel()
            resumeUpstream()
        }
    }

    /// Looks again whether the tunnel must be held up: what made memory scarce may have been elsewhere.
    private func watchScarcity() {
        guard scarcityTimer?.deadline == nil, !isUpstreamClosed else { return }
        if scarcityTimer == nil { scarcityTimer = LoopTimer(loop: loop) { self.updateHold() } }
        scarcityTimer?.schedule(at: loop.now + MemoryBudget.scarcityLook)
    }

    private func lookAtHold(at instant: Instant) {
        if holdTimer == nil {
            holdTimer = LoopTimer(loop: loop) { self.lookAtHold() }
        }
        holdTimer?.schedule(at: instant)
    }

    private func lookAtHold() {
        guard isHeldUp, !isUpstreamClosed else { return }
        if !fromPodGate.isPaused, liveCount > holdingCount {
            isReadOn = true
            updateHold()
            return
        }
        // Nobody could read on while this process stood still.
        patienceEnd = patienceEnd + (holdTimer?.ownPause ?? .zero)
        guard loop.now >= patienceEnd else {
            lookAtHold(at: min(loop.now + Self.culpritLook, patienceEnd))
            return
        }
        resetCulprits()
        if isHeldUp, !isUpstreamClosed { lookAtHold(at: loop.now + Self.culpritLook) }
    }

    /// Resets the clients that do not read, where others wait for them.
    private func resetCulprits() {
        let waitingCount = locals.count { $0.map(isWaiting) ?? false }
        guard waitingCount > 0 else { return }
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

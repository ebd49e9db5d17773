import FastForward
import MiniCluster
import SimulatedKernel

/// Something that goes wrong at some time.
struct Fault {
    enum Kind: String, CaseIterable {
        case cutAnywhere = "tunnel cut anywhere"
        case cutInFrame = "tunnel cut in a frame"
        case goAway = "GOAWAY"
        case hole = "black hole"
        case blink = "network stall"
        case deaf = "connects unanswered"
        case refusedRequests = "requests refused"
        case stalledTunnels = "tunnels not read"
        case withheldPings = "pings withheld"
        case podCrash = "pod crash"
        case podCut = "connections to pods cut"
        case rolling = "pods rolling"
        case unready = "pod unready"
        case recreated = "pod recreated"
        case watchEnd = "watch ended"
        case watchForgotten = "watch too old"
        case sleep = "forwarder asleep"
        case resetAsleep = "tunnels reset while the forwarder sleeps"
        case serverSleep = "server asleep"
    }

    let kind: Kind
    let at: UInt64
    let span: UInt64
    let share: Int32
    let number: Int
    let isReset: Bool
}

/// Makes the faults of a plan happen, and ends them.
final class FaultMaker: Actor {
    private static let resetAsleepMax: UInt64 = 3_000_000
    private let startedAt: UInt64
    private var next = 0
    /// What is to be done at what time, to end a fault.
    private var ends: [(at: UInt64, end: () -> Void)] = []
    private(set) var isOver = false
    private var podNumber = 0

    override init(world: World) {
        startedAt = sim_now()
        super.init(world: world)
        for fault in world.plan.faults { wakeLater(fault.at) }
        wakeLater(world.plan.faultSpan)
    }

    override func wake() {
        guard !isOver else { return }
        let now = sim_now()
        let due = ends.filter { $0.at <= now }
        ends.removeAll { $0.at <= now }
        for item in due { item.end() }
        while next < world.plan.faults.count, startedAt + world.plan.faults[next].at <= now {
            let fault = world.plan.faults[next]
            next += 1
            begin(fault)
        }
        if now >= startedAt + world.plan.faultSpan { heal() }
    }

    private func later(_ span: UInt64, _ end: @escaping () -> Void) {
        ends.append((sim_now() + span, end))
        wakeLater(span)
    }

    private var end: UInt64 { startedAt + world.plan.faultSpan }

    private func begin(_ fault: Fault) {
        let cluster = world.cluster
        let until = min(sim_now() + fault.span, end)
        var hasHappened = true
        world.say(
            "fault: \(fault.kind.rawValue) (\(fault.share), \(fault.number), \(fault.isReset)) "
                + "until \(Double(until) / 1e6)"
        )
        switch fault.kind {
        case .cutAnywhere:
            hasHappened =
                sim_cut(Int32(SIM_UPSTREAM), fault.share, fault.span / 40 + 1, fault.isReset ? 1 : 0) > 0
        case .cutInFrame:
            hasHappened = cluster.tunnelCount > 0
            cluster.cutTunnels(byReset: fault.isReset)
        case .goAway: cluster.sendGoAway()
        case .hole: sim_hole(Int32(SIM_UPSTREAM), until, fault.share)
        case .blink: sim_hole(Int32(SIM_UPSTREAM), min(until, sim_now() + 3_000_000), 256)
        case .deaf: sim_deaf(Int32(SIM_UPSTREAM), until)
        case .refusedRequests:
            let words = ["500", "401", "429", "hang", "garbage"]
            cluster.answerRequests(words[fault.number % words.count])
            later(fault.span) { cluster.answerRequests("normal") }
        case .stalledTunnels:
            cluster.stallTunnels(true)
            later(fault.span) { cluster.stallTunnels(false) }
        case .withheldPings:
            cluster.withholdPings(true)
            later(fault.span) { cluster.withholdPings(false) }
        case .podCrash:
            if let ip = world.pods.crash(fault.number) {
                later(fault.span) { [world] in world.pods.restart(ip) }
            }
        case .podCut: hasHappened = sim_cut(Int32(SIM_POD), fault.share, fault.span / 40 + 1, 1) > 0
        case .rolling: roll(fault)
        case .unready:
            guard let name = pod(fault.number) else { return }
            cluster.setPodReady(name, false)
            later(fault.span) { cluster.setPodReady(name, true) }
        case .recreated:
            guard let name = pod(fault.number) else { return }
            cluster.deletePod(name, grace: .zero)
            later(fault.span) { cluster.createPod(name) }
        case .watchEnd: cluster.endWatches()
        case .watchForgotten:
            cluster.forgetChanges()
            cluster.endWatches()
        case .sleep: sim_loop_stop(0, until)
        case .resetAsleep:
            // Clients go on sending, so that it finds full buffers beside the resets when it wakes.
            sim_loop_stop(0, min(until, sim_now() + Self.resetAsleepMax))
            later(min(fault.span, Self.resetAsleepMax) / 2) { cluster.cutTunnels(byReset: true) }
        case .serverSleep: sim_loop_stop(1, until)
        }
        sim_loop_kick(1)
        if hasHappened { world.coverage.count(fault.kind.rawValue) }
    }

    private func pod(_ number: Int) -> String? {
        let names = world.cluster.podNames
        return names.isEmpty ? nil : names[number % names.count]
    }

    /// Another pod comes, and one goes.
    private func roll(_ fault: Fault) {
        guard let name = pod(fault.number) else { return }
        let cluster = world.cluster
        if world.plan.target == .pod {
            cluster.deletePod(name, grace: .milliseconds(fault.span / 4000))
            later(fault.span) {
                // Its grace is longer where the faults end early.
                cluster.deletePod(name, grace: .zero)
                cluster.createPod(name)
            }
        } else {
            podNumber += 1
            cluster.createPod("demo-next-\(podNumber)")
            cluster.deletePod(name, grace: .milliseconds(fault.span / 1000))
        }
    }

    /// Ends all that goes wrong.
    private func heal() {
        isOver = true
        world.say("the faults are over")
        for item in ends.sorted(by: { $0.at < $1.at }) { item.end() }
        ends = []
        sim_uncut()
        sim_loop_stop(0, 0)
        sim_loop_stop(1, 0)
        world.heal()
        leave()
    }
}

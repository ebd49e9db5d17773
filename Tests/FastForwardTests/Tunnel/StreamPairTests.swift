import FastForward
import Testing

/// What can happen to a pair of streams.
private enum PairEvent: Equatable, CustomStringConvertible, Sendable, CaseIterable {
    case dataFin, dataReset, text, errorFin, errorReset, grace, localGone

    var description: String {
        switch self {
        case .dataFin: "data FIN"
        case .dataReset: "data RST"
        case .text: "text"
        case .errorFin: "error FIN"
        case .errorReset: "error RST"
        case .grace: "grace over"
        case .localGone: "client gone"
        }
    }

    func apply(to pair: inout StreamPair, text: String = "refused") -> [StreamPair.Action] {
        switch self {
        case .dataFin: return pair.dataFinished()
        case .dataReset: return pair.dataReset(status: SPDYResetStatus.cancel)
        case .text:
            let bytes = Array(text.utf8)
            return pair.errorTextReceived(bytes.span.bytes)
        case .errorFin: return pair.errorFinished()
        case .errorReset: return pair.errorReset(status: SPDYResetStatus.cancel)
        case .grace: return pair.graceExpired()
        case .localGone: return pair.localGone()
        }
    }
}

/// Events, each with the actions that have to follow.
private struct PairScript: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let steps: [(PairEvent, [StreamPair.Action])]

    init(_ name: String, _ steps: [(PairEvent, [StreamPair.Action])]) {
        testDescription = name
        self.steps = steps
    }
}

private let reported = StreamPair.Action.fail(.reported("refused"))
private let reset = StreamPair.Action.fail(.reset(status: SPDYResetStatus.cancel))

@Suite struct `Ending a pair of streams` {
    private static let scripts = [
        PairScript(
            "both FIN: complete",
            [
                (.dataFin, [.awaitErrorEnd]),
                (.errorFin, [.finish(isComplete: true), .finishData, .release]),
            ]
        ),
        PairScript(
            "the error stream ends first: complete without a wait",
            [(.errorFin, []), (.dataFin, [.finish(isComplete: true), .finishData, .release])]
        ),
        PairScript(
            "containerd 1.6 refuses: data FIN, text, error FIN",
            [(.dataFin, [.awaitErrorEnd]), (.text, []), (.errorFin, [reported, .cancelData, .release])]
        ),
        PairScript(
            "since 1.32: text, RST on both",
            [(.text, [.awaitErrorEnd]), (.dataReset, [reported, .release])]
        ),
        PairScript(
            "since 1.32: text, RST on error first",
            [(.text, [.awaitErrorEnd]), (.errorReset, [reported, .cancelData, .release])]
        ),
        PairScript(
            "since 1.32: text, data FIN, error RST",
            [
                (.text, [.awaitErrorEnd]), (.dataFin, []),
                (.errorReset, [reported, .cancelData, .release]),
            ]
        ),
        PairScript(
            "data FIN, error RST without text: failed",
            [(.dataFin, [.awaitErrorEnd]), (.errorReset, [reset, .cancelData, .release])]
        ),
        PairScript("port 0: RST without a word", [(.dataReset, [reset, .release])]),
        PairScript(
            "port 0: RST of the error stream first",
            [(.errorReset, [reset, .cancelData, .release])]
        ),
        PairScript(
            "the pod half-closes: the FIN is passed on after the grace",
            [
                (.dataFin, [.awaitErrorEnd]),
                (.grace, [.finish(isComplete: false)]),
                (.errorFin, [.finishData, .release]),
            ]
        ),
        PairScript(
            "RST behind a passed-on FIN",
            [
                (.dataFin, [.awaitErrorEnd]),
                (.grace, [.finish(isComplete: false)]),
                (.dataReset, [reset, .release]),
            ]
        ),
        PairScript(
            "text behind a passed-on FIN",
            [
                (.dataFin, [.awaitErrorEnd]),
                (.grace, [.finish(isComplete: false)]),
                (.text, [.awaitErrorEnd]),
                (.errorFin, [reported, .cancelData, .release]),
            ]
        ),
        PairScript(
            "text behind a passed-on FIN, and no end",
            [
                (.dataFin, [.awaitErrorEnd]),
                (.grace, [.finish(isComplete: false)]),
                (.text, [.awaitErrorEnd]),
                (.grace, [reported, .cancelData]),
                (.errorReset, [.release]),
            ]
        ),
        PairScript(
            "text without an end",
            [(.text, [.awaitErrorEnd]), (.grace, [reported, .cancelData]), (.errorFin, [.release])]
        ),
        PairScript(
            "data FIN and text without an end: failed, and given up in the end",
            [
                (.dataFin, [.awaitErrorEnd]), (.text, []), (.grace, [reported, .cancelData]),
                (.errorFin, [.release]),
            ]
        ),
        PairScript(
            "the client goes; the error stream ends",
            [(.localGone, [.cancelData]), (.localGone, []), (.errorFin, [.release])]
        ),
        PairScript(
            "the client goes; text and RST come",
            [(.localGone, [.cancelData]), (.text, []), (.errorReset, [.release])]
        ),
        PairScript(
            "the client goes; the data stream is reset",
            [(.localGone, [.cancelData]), (.dataFin, []), (.dataReset, [.release])]
        ),
        PairScript(
            "the client goes while the end of its data waits",
            [
                (.dataFin, [.awaitErrorEnd]), (.localGone, [.cancelData]), (.grace, []),
                (.errorFin, [.release]),
            ]
        ),
        PairScript(
            "the client goes behind its clean end",
            [
                (.dataFin, [.awaitErrorEnd]),
                (.grace, [.finish(isComplete: false)]),
                (.localGone, [.cancelData]),
                (.errorFin, [.release]),
            ]
        ),
        PairScript(
            "the client goes behind the end of the error stream",
            [(.errorFin, []), (.localGone, [.cancelData, .release])]
        ),
        PairScript(
            "the client goes while a text waits for its end",
            [(.text, [.awaitErrorEnd]), (.localGone, [.cancelData]), (.grace, []), (.errorFin, [.release])]
        ),
    ]

    @Test(arguments: scripts)
    private func `each event has exactly its actions`(_ script: PairScript) {
        var pair = StreamPair()
        for (index, (event, expected)) in script.steps.enumerated() {
            #expect(event.apply(to: &pair) == expected, "step \(index): \(event)")
        }
    }

    @Test func `a text in parts is put together, up to its bound`() {
        var pair = StreamPair()
        _ = PairEvent.text.apply(to: &pair, text: "failed to ")
        _ = PairEvent.text.apply(to: &pair, text: "connect")
        #expect(pair.errorFinished().first == .fail(.reported("failed to connect")))

        pair = StreamPair()
        let part = String(repeating: "x", count: 1500)
        for _ in 0..<100 { _ = PairEvent.text.apply(to: &pair, text: part) }
        let kept = String(repeating: "x", count: StreamPair.errorTextBytesMax)
        #expect(pair.dataReset(status: 1).first == .fail(.reported(kept)))
    }

    @Test func `every order of events keeps the promises of a pair`() {
        var walked = 0
        var problems: [String] = []
        func walk(_ checker: PairChecker) {
            walked += 1
            guard checker.path.count < 7 else { return }
            for event in checker.possibleEvents {
                var next = checker
                next.take(event)
                if next.isReleased || next.problem != nil {
                    if let problem = next.problem { problems.append("\(problem) after \(next.path)") }
                    continue
                }
                walk(next)
            }
        }
        walk(PairChecker())
        let shortest = problems.min { $0.count < $1.count }
        #expect(shortest == nil, "and \(problems.count) longer ones")
        #expect(walked > 1000)
    }
}

/// One pair, what it has been told and what it has answered, against what must hold for every order of events.
private struct PairChecker {
    private var pair = StreamPair()
    private(set) var path: [PairEvent] = []
    private(set) var isReleased = false
    private(set) var problem: String?
    private var isGraceRunning = false
    private var hasCancelled = false
    private var hasFinished = false
    private var isComplete = false
    private var hasFailed = false

    private func has(_ event: PairEvent) -> Bool { path.contains(event) }

    /// The grace expires only where it runs; everything else can come, again too, from a server that is out of order.
    var possibleEvents: [PairEvent] {
        PairEvent.allCases.filter { $0 != .grace || isGraceRunning }
    }

    mutating func take(_ event: PairEvent) {
        let wasGone = has(.localGone) || hasFailed
        path.append(event)
        if event == .grace { isGraceRunning = false }
        let actions = event.apply(to: &pair)
        for action in actions {
            if isReleased { problem = "\(action) behind the release" }
            switch action {
            case .awaitErrorEnd:
                if isGraceRunning { problem = "two graces" }
                isGraceRunning = true
            case .finish(let complete):
                if hasFinished || hasFailed || has(.localGone) {
                    problem = "an end for a client without use for it"
                }
                if !has(.dataFin) { problem = "an end that the pod did not send" }
                if has(.text) || has(.dataReset) || has(.errorReset) {
                    problem = "a failure that looks complete"
                }
                if complete != has(.errorFin) {
                    problem = "complete without the error stream's end, or not with it"
                }
                hasFinished = true
                isComplete = complete
            case .fail(let failure):
                if hasFailed || has(.localGone) { problem = "a failure for a client that has gone" }
                if isComplete { problem = "a failure of what was complete" }
                if !has(.text) && !has(.dataReset) && !has(.errorReset) {
                    problem = "a failure without a reason"
                }
                if has(.text) != (failure == .reported(Self.text(in: path))) { problem = "the wrong reason" }
                hasFailed = true
            case .cancelData:
                if hasCancelled { problem = "cancelled twice" }
                if has(.dataReset) { problem = "a reset stream was cancelled" }
                hasCancelled = true
            case .finishData:
                if hasFailed || has(.localGone) { problem = "a clean end for the pod of a failed connection" }
            case .release: isReleased = true
            }
        }
        if wasGone, actions.contains(where: { $0 != .release }) { problem = problem ?? "more than a release" }
        checkState()
    }

    private static func text(in path: [PairEvent]) -> String {
        String(repeating: "refused", count: path.count { $0 == .text })
    }

    private mutating func checkState() {
        let isErrorOver = has(.errorFin) || has(.errorReset)
        let isDataOver = has(.dataFin) || has(.dataReset)
        let isGone = has(.localGone) || hasFailed
        if isDataOver && isErrorOver && !isReleased {
            problem = "both streams are over but the slot is taken"
        }
        if has(.dataReset) && !isReleased { problem = "a reset of the data stream was waited behind" }
        if isReleased && !(isErrorOver || has(.dataReset)) { problem = "released before the streams' end" }
        if isReleased && !hasFailed && !has(.localGone) && !hasFinished {
            problem = "released without an end"
        }
        if isGone && !isReleased && !hasCancelled { problem = "a slot that nothing but the server can free" }
        if has(.text) && !isGone && !isGraceRunning { problem = "a text that nobody asks about again" }
        if has(.dataFin) && !isGone && !hasFinished && !isGraceRunning {
            problem = "an end held back for ever"
        }
        if pair.isDelivering != !(isGone || hasFinished) { problem = "isDelivering is wrong" }
    }
}

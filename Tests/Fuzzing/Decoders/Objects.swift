// Any body gives an object of each kind, or an error whose text cannot steer a terminal; of what it names a path can be
// made. The first byte chooses what was asked for.

import FastForward

func objectsViolation(by bytes: [UInt8]) -> String? {
    let body = Array(bytes.dropFirst())
    var texts: [String] = []
    switch (bytes.first ?? 0) % 8 {
    case 0:
        if let pod = decoded(Pod.self, body, &texts) { use(pod, &texts) }
    case 1:
        guard let list = decoded(PodList.self, body, &texts) else { break }
        var tracker = PodTracker()
        _ = tracker.listed(list)
        for pod in TargetPods(tracker, slices: nil, areNamedBySlices: false).serving { use(pod, &texts) }
        if let best = PodChoice.best(of: list.items) { use(best, &texts) }
    case 2: useService(body, &texts)
    case 3: useFailure(body, &texts)
    case 4: search("widgets", body)
    case 5: search("w", body)
    case 6: _ = decoded(PodTracker.Change.self, body, &texts)
    case _:
        for kind in TargetKind.allCases where kind != .pod { select(kind, body, &texts) }
    }
    return texts.first { !$0.isPlain }.map { "control characters in \($0.debugDescription)" }
}

private func decoded<Object: Decodable>(
    _ type: Object.Type,
    _ body: [UInt8],
    _ texts: inout [String]
) -> Object? {
    do throws(APIObjectError) { return try APIObjects.decode(type, from: body) } catch {
        texts.append("\(error)")
        return nil
    }
}

private func use(_ pod: Pod, _ texts: inout [String]) {
    makePath(of: pod)
    if let problem = PodNotRunning(pod) { texts.append("\(problem)") }
    _ = pod.runtime
    for text in ["80", "5:http", ":x"] {
        do throws(PortArgumentError) { _ = try PortArgument(text).resolve(against: pod) } catch {
            texts.append("\(error)")
        }
    }
}

private func useService(_ body: [UInt8], _ texts: inout [String]) {
    guard let service = decoded(Service.self, body, &texts) else { return }
    for text in ["80", "5:http", ":x"] {
        do throws(PortArgumentError) { _ = try PortArgument(text).resolve(against: service) } catch {
            texts.append("\(error)")
        }
    }
}

private func useFailure(_ body: [UInt8], _ texts: inout [String]) {
    for status in [401, 403, 404, 500] {
        let failure = APIFailure(httpStatus: status, body: body, request: .portForward("p"))
        texts += ["\(failure)", failure.terminalText, failure.upgradeText]
    }
}

private func search(_ type: String, _ body: [UInt8]) {
    guard let server = try? ServerURL("https://s") else { return }
    var search = TypeSearch(for: type)
    var action = search.start()
    // Every answer is the same, and each names more to ask for.
    for _ in 0..<20 {
        switch action {
        case .get(let segments):
            _ = APIPath.discovery(segments, at: server)
            action = search.answered(body)
        case .found(let found):
            _ = APIPath.object(found, "x", namespace: "n", at: server)
            return
        case .failed: return
        }
    }
}

private func select(_ kind: TargetKind, _ body: [UInt8], _ texts: inout [String]) {
    guard let server = try? ServerURL("https://s") else { return }
    do throws(PodSelectorError) {
        let selector = try PodSelector(of: kind, body: body, namespace: "n")
        _ = APIPath.pods(
            namespace: selector.namespace,
            labelSelector: selector.labelSelector,
            fieldSelector: selector.fieldSelector,
            .list,
            at: server
        )
    } catch {
        texts.append("\(error)")
    }
}

extension String {
    /// Whether a terminal shows this on a line as it is.
    var isPlain: Bool { unicodeScalars.allSatisfy { $0.properties.generalCategory != .control } }
}

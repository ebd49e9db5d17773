// Any text gives a port, a target, a duration, a URL, a time, or an error that cannot steer a terminal.

import FastForward

func argumentsViolation(by bytes: [UInt8]) -> String? {
    let text = String(decoding: bytes, as: UTF8.self)
    var texts: [String] = []
    do throws(PortArgumentError) { _ = try PortArgument(text) } catch { texts.append("\(error)") }
    do throws(TargetArgumentError) {
        let target = try TargetArgument(text)
        if let kind = target.kind, let server = try? ServerURL("https://s") {
            _ = APIPath.object(kind.type, target.name, namespace: "n", at: server)
        }
    } catch {
        texts.append("\(error)")
    }
    do throws(GoDurationError) { _ = try GoDuration(text).timeSpan } catch { texts.append("\(error)") }
    do throws(ServerURLError) {
        let server = try ServerURL(text)
        let path = "\(APIPath.pod("p", namespace: "n", at: server))"
        if !path.isPlain || path.contains(" ") { return "no target of a request: \(path.debugDescription)" }
    } catch {
        texts.append("\(error)")
    }
    do throws(ProxyURLError) { texts.append("\(try ProxyURL.parse(text))") } catch {
        texts.append("\(error)")
    }
    _ = UnixTime(rfc3339: text)
    texts.append(text.escapedForTerminal())
    return texts.first { !$0.isPlain }.map { "control characters in \($0.debugDescription)" }
}

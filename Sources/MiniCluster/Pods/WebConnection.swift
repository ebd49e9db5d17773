import FastForward

/// Port 8080: a small HTTP/1.1 server: `/`, `/bytes?n=N` and `/upload`, kept alive.
final class WebConnection: PodConnection {
    private enum Phase {
        case head
        case body(HTTPRequestHead, HTTPBodyReader, bytes: Int)
        case answering
    }

    private var phase = Phase.head
    private var headReader = HTTPRequestHeadReader()
    /// What came while an answer was under way, at most one scratch buffer.
    private var waiting: BufferBox?
    private var sender: PatternSender?
    private var isLast = false
    private var clientEnded = false

    override func receivedBytes() { read(pod.scratch) }

    override func receivedLast() {
        clientEnded = true
        if case .answering = phase { return }
        closeWhenSent()
    }

    override func sent() {
        guard case .answering = phase else { return }
        sender?.send(pod.pattern, on: transport)
        if transport.output.isEmpty, (sender?.leftBytes ?? 0) == 0 { answered() }
    }

    /// Reads requests until one has to be answered first.
    private func read(_ box: BufferBox) {
        var cursor = 0
        do throws(HTTPError) {
            while true {
                switch phase {
                case .head:
                    guard let head = try headReader.next(in: box.buffer, from: &cursor) else { return }
                    phase = .body(head, try HTTPBodyReader(of: head), bytes: 0)
                    if head.fields.contains("100-continue", in: "Expect") {
                        send { $0.append("HTTP/1.1 100 Continue\r\n\r\n") }
                    }
                case .body(let head, var reader, var bytes):
                    guard let event = try reader.next(in: box.buffer, from: &cursor) else {
                        phase = .body(head, reader, bytes: bytes)
                        return
                    }
                    switch event {
                    case .bytes(let range):
                        bytes += range.count
                        phase = .body(head, reader, bytes: bytes)
                    case .end:
                        phase = .answering
                        answer(head, uploadedBytes: bytes)
                    }
                case .answering:
                    keep(box, from: cursor)
                    return
                }
            }
        } catch {
            isLast = true
            phase = .answering
            respond(400, "Bad Request", text: "\(error)\n", isHead: false)
        }
    }

    private func keep(_ box: BufferBox, from cursor: Int) {
        transport.stopReading()
        guard box === pod.scratch else { return box.buffer.consume(cursor) }
        guard cursor < box.buffer.readableBytes else { return }
        var rest = pod.loop.pool.take(box.buffer.readableBytes - cursor)
        rest.append(cursor..<box.buffer.readableBytes, of: box.buffer)
        waiting = BufferBox(rest)
    }

    private func answer(_ head: HTTPRequestHead, uploadedBytes: Int) {
        isLast = !head.isPersistent
        let isHead = head.method == "HEAD"
        let (path, query) = splitTarget(head.target)
        switch path {
        case "/": respond(200, "OK", text: "\(pod.greeting)\n", isHead: isHead)
        case "/upload": respond(200, "OK", text: "\(uploadedBytes)\n", isHead: isHead)
        case "/bytes":
            guard let count = query["n"].flatMap({ Int($0) }), count >= 0 else {
                return respond(400, "Bad Request", text: "n: how many bytes\n", isHead: isHead)
            }
            respondHead(200, "OK", type: "application/octet-stream", bytes: count)
            guard !isHead else { return finishIfSent() }
            sender = PatternSender(count: count)
            sender?.send(pod.pattern, on: transport)
            finishIfSent()
        default: respond(404, "Not Found", text: "404 page not found\n", isHead: isHead)
        }
    }

    private func respond(_ status: Int, _ reason: String, text: String, isHead: Bool) {
        respondHead(status, reason, type: "text/plain; charset=utf-8", bytes: text.utf8.count)
        if !isHead { send { $0.append(text) } }
        finishIfSent()
    }

    private func respondHead(_ status: Int, _ reason: String, type: String, bytes: Int) {
        var fields: HTTPFields = ["Content-Type": type, "Content-Length": String(bytes)]
        if isLast { fields.append("Connection", "close") }
        let head = HTTPResponseHead(status: status, reason: reason, fields: fields)
        send { buffer in
            // The parts are ours, so the head is valid and fits.
            try? head.append(to: &buffer)
        }
    }

    private func finishIfSent() {
        if transport.output.isEmpty, (sender?.leftBytes ?? 0) == 0 { answered() }
    }

    private func answered() {
        sender = nil
        guard !isLast, !clientEnded || waiting != nil else { return closeWhenSent() }
        phase = .head
        guard let box = waiting else { return transport.startReading() }
        waiting = nil
        read(box)
        if case .answering = phase {
            if !box.buffer.isEmpty { waiting = box }
        } else {
            transport.startReading()
        }
    }

    override func transportClosed() {
        waiting = nil
        super.transportClosed()
    }
}

import FastForward
import Testing

@Suite struct `Writing HTTP` {
    @Test func `what is written is read back`() throws {
        let request = HTTPRequestHead(
            method: "GET",
            target: "/api/v1/pods?watch=true",
            fields: ["Host": "127.0.0.1:6443", "X-Empty": "", "Accept": "a", "accept": "ä\tb"]
        )
        let requestBytes = try written { buffer in
            try request.append(to: &buffer)
        }
        #expect(requestBytes.count == request.encodedBytes)
        #expect(try readRequestHeads([requestBytes]) == [request])

        let response = HTTPResponseHead(
            status: 200,
            reason: "",
            fields: ["Transfer-Encoding": "chunked", "Connection": "close"]
        )
        let large = [UInt8](repeating: 7, count: 70_000)
        let responseBytes = try written { buffer in
            try response.append(to: &buffer)
            try HTTPChunkWriter.append("{}\n", to: &buffer)
            try HTTPChunkWriter.append("", to: &buffer)
            try HTTPChunkWriter.append(large.span.bytes, to: &buffer)
            try HTTPChunkWriter.appendEnd(to: &buffer)
        }
        let read = readResponse([responseBytes])
        #expect(read.head == response)
        #expect(read.body == Array("{}\n".utf8) + large)
        #expect(read.isComplete && read.error == nil && read.rest.isEmpty)
    }

    @Test(arguments: [
        (HTTPRequestHead(method: "", target: "/"), HTTPHeadPart.method),
        (HTTPRequestHead(method: "GET ", target: "/"), .method),
        (HTTPRequestHead(method: "GET", target: ""), .target),
        (HTTPRequestHead(method: "GET", target: "/ HTTP/1.1\r\nA: b"), .target),
        (HTTPRequestHead(method: "GET", target: "/ä"), .target),
        (HTTPRequestHead(method: "GET", target: "/", fields: ["A:b": "c"]), .fieldName("A:b")),
        (HTTPRequestHead(method: "GET", target: "/", fields: ["": "c"]), .fieldName("")),
        (HTTPRequestHead(method: "GET", target: "/", fields: ["A": "b\r\nC: d"]), .fieldValue(of: "A")),
        (HTTPRequestHead(method: "GET", target: "/", fields: ["A": "b\nC: d"]), .fieldValue(of: "A")),
        (HTTPRequestHead(method: "GET", target: "/", fields: ["A": "b\rc"]), .fieldValue(of: "A")),
        (HTTPRequestHead(method: "GET", target: "/", fields: ["A": "b\0"]), .fieldValue(of: "A")),
    ])
    func `nothing can be smuggled into a head`(_ head: HTTPRequestHead, _ part: HTTPHeadPart) {
        let left = written { buffer in
            do throws(HTTPError) {
                try head.append(to: &buffer)
                Issue.record("nothing was thrown")
            } catch {
                #expect(error == .invalidHead(part))
            }
        }
        #expect(left.isEmpty)
    }

    @Test func `a head that does not fit leaves the buffer as it was`() {
        let head = HTTPResponseHead(
            status: 200,
            reason: "OK",
            fields: ["A": String(repeating: "b", count: 2048)]
        )
        let left = written(capacityBytes: 2048) { buffer in
            do throws(HTTPError) {
                try head.append(to: &buffer)
                Issue.record("nothing was thrown")
            } catch {
                #expect(error == .noRoom(neededBytes: head.encodedBytes, tailroomBytes: 2048))
            }
        }
        #expect(left.isEmpty)
    }
}

@Suite struct `Looking up HTTP fields` {
    let fields: HTTPFields = [
        "Connection": "keep-alive, Upgrade", "A": "1", "connection": " ,\tX-B ,", "a": "2",
    ]

    @Test func `names compare without case and values keep their order`() {
        #expect(fields["a"] == "1")
        #expect(fields["b"] == nil)
        #expect(fields.values(of: "A") == ["1", "2"])
    }

    @Test func `a list may be spread over fields`() {
        #expect(fields.elements(of: "Connection") == ["keep-alive", "Upgrade", "X-B"])
        #expect(fields.contains("upgrade", in: "CONNECTION"))
        #expect(!fields.contains("up", in: "Connection"))
    }

    @Test func `a credential is not printed, with the head neither`() {
        let head = HTTPRequestHead(
            method: "GET",
            target: "/",
            fields: ["authorization": "Bearer t0ken", "Host": "a"]
        )
        #expect(head.fields.description == "authorization: …\nHost: a")
        #expect(!"\(head)".contains("t0ken"))
    }

    @Test func `setting a field leaves one of its name`() {
        var fields = fields
        fields.set("A", "3")
        #expect(fields.values(of: "a") == ["3"])
        fields.set("Connection", nil)
        #expect(fields.all == [HTTPFields.Field(name: "A", value: "3")])
    }
}

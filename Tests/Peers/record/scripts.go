package main

import (
	"fmt"
	"net/http"
)

// script is one conversation. What end does may close the connection: nothing is asked of it afterwards.
type script struct {
	name, what string
	run        func(*conversation)
	end        func(*conversation)
}

var scripts = []script{
	{
		name: "complete",
		what: "one forwarded connection from its two SYN_STREAMs to its ends by FIN, a PING each way, GOAWAY by the client",
		run: func(c *conversation) {
			near, far, nearError, farError := c.pair(0, 7000)
			say(near, far, []byte("hello"))
			say(far, near, []byte("hello"))
			must(near.Close())
			drain(far)
			must(far.Close())
			drain(near)
			must(farError.Close())
			drain(nearError)
		},
		end: func(c *conversation) { must(c.client.Close()) },
	},
	{
		name: "refused",
		what: "text on the error stream, then a reset of both streams by the server",
		run: func(c *conversation) {
			near, far, nearError, farError := c.pair(0, 81)
			say(farError, nearError, []byte("error forwarding port 81: connection refused"))
			must(farError.Reset())
			drain(nearError)
			must(far.Reset())
			drain(near)
		},
	},
	{
		name: "cancelled",
		what: "data of 100,000 bytes in one frame, then a reset of the data stream by the client",
		run: func(c *conversation) {
			near, far, _, farError := c.pair(7, 65535)
			large := make([]byte, 100000)
			for i := range large {
				large[i] = byte(7*i + i>>8)
			}
			say(near, far, large)
			must(near.Reset())
			drain(far)
			must(farError.Close())
		},
	},
	{
		name: "many",
		what: "40 forwarded connections, whose header blocks share one compression state",
		run: func(c *conversation) {
			for i := 0; i < 40; i++ {
				near, far, nearError, farError := c.pair(i, 7000+i%10)
				say(near, far, []byte(fmt.Sprintf("connection %d", i)))
				must(far.Close())
				drain(near)
				must(near.Close())
				drain(far)
				must(farError.Close())
				drain(nearError)
			}
		},
	},
	{
		name: "goaway",
		what: "a stream opened with FIN on its SYN_STREAM, a HEADERS frame with several values, GOAWAY by the server",
		run: func(c *conversation) {
			near, far := c.open(http.Header{"streamtype": {"error"}, "port": {"1"}, "requestid": {"0"}}, true)
			sent := make(chan error, 1)
			go func() { sent <- far.SendHeader(http.Header{"note": {"one", "two"}, "empty": {""}}, false) }()
			_, err := near.ReceiveHeader()
			must(err)
			must(<-sent)
			must(far.Close())
			drain(near)
		},
		end: func(c *conversation) { must(c.server.Close()) },
	},
}

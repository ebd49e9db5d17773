// Command record writes down what real spdystream says, as vectors for the tests of FastForward's SPDY codec.
//
// A client and a server of spdystream talk over a pipe, one step at a time, so that the frames come in the same order
// on every run. (The bytes of header blocks do not: Go orders the headers of a map by chance.) Each direction of
// each conversation becomes a file; the index says which frames are in it, as spdystream's own framer reads them.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/moby/spdystream"
	"github.com/moby/spdystream/spdy"
)

func main() {
	log.SetFlags(0)
	directory := flag.String("dir", "", "where the files go: Tests/FastForwardTests/Vectors")
	flag.Parse()
	if *directory == "" || flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	entries := []entry{}
	for _, script := range scripts {
		for _, side := range record(script) {
			must(os.WriteFile(filepath.Join(*directory, side.File), side.content, 0o644))
			entries = append(entries, side)
		}
	}
	text, err := json.MarshalIndent(entries, "", " ")
	must(err)
	must(os.WriteFile(filepath.Join(*directory, "spdystream-index.json"), append(text, '\n'), 0o644))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// entry describes one file, in the shape of index.json; the pieces are those in which spdystream wrote.
type entry struct {
	File    string  `json:"file"`
	Bytes   int     `json:"bytes"`
	Reads   []int   `json:"reads"`
	What    string  `json:"what"`
	Events  []event `json:"events"`
	content []byte
}

type event struct {
	Frame     string             `json:"frame"`
	Flags     *uint8             `json:"flags,omitempty"`
	FirstWord *uint32            `json:"first_word,omitempty"`
	Stream    *uint32            `json:"stream,omitempty"`
	Fin       *uint8             `json:"fin,omitempty"`
	Length    *int               `json:"length,omitempty"`
	Status    *uint32            `json:"status,omitempty"`
	Headers   *map[string]string `json:"headers,omitempty"` // empty for most replies, absent for other frames
	Hex       *string            `json:"hex,omitempty"`
	SHA256    *string            `json:"sha256,omitempty"`
}

// recorder is one end of the pipe; it keeps what is written to it.
type recorder struct {
	net.Conn
	mutex   sync.Mutex
	written bytes.Buffer
	writes  []int
}

func (r *recorder) Write(piece []byte) (int, error) {
	r.mutex.Lock()
	r.written.Write(piece)
	if len(piece) > 0 {
		r.writes = append(r.writes, len(piece))
	}
	r.mutex.Unlock()
	return r.Conn.Write(piece)
}

// conversation is a client and a server of spdystream, and the streams that the server has seen.
type conversation struct {
	client, server *spdystream.Connection
	arrived        chan *spdystream.Stream
}

// open creates a stream and replies to it; both have happened when it returns.
func (c *conversation) open(headers http.Header, fin bool) (near, far *spdystream.Stream) {
	near, err := c.client.CreateStream(headers, nil, fin)
	must(err)
	far = <-c.arrived
	must(far.SendReply(http.Header{}, false))
	must(near.Wait())
	return near, far
}

// pair opens the two streams of one forwarded connection, as Kubernetes' client does.
func (c *conversation) pair(request, port int) (near, far, nearError, farError *spdystream.Stream) {
	headers := func(kind string) http.Header {
		return http.Header{
			"streamtype": {kind}, "port": {fmt.Sprint(port)}, "requestid": {fmt.Sprint(request)},
		}
	}
	nearError, farError = c.open(headers("error"), false)
	must(nearError.Close())
	near, far = c.open(headers("data"), false)
	return near, far, nearError, farError
}

// say writes on one end and waits until the other end has read it.
func say(from, to *spdystream.Stream, text []byte) {
	must(from.WriteData(text, false))
	received := make([]byte, len(text))
	_, err := io.ReadFull(to, received)
	must(err)
}

// drain waits for the end of a stream.
func drain(stream *spdystream.Stream) {
	_, err := io.Copy(io.Discard, stream)
	must(err)
}

// record runs a script and returns both directions of it.
func record(s script) []entry {
	near, far := net.Pipe()
	clientEnd, serverEnd := &recorder{Conn: near}, &recorder{Conn: far}
	client, err := spdystream.NewConnection(clientEnd, false)
	must(err)
	server, err := spdystream.NewConnection(serverEnd, true)
	must(err)
	c := &conversation{client: client, server: server, arrived: make(chan *spdystream.Stream)}
	go client.Serve(func(*spdystream.Stream) {})
	go server.Serve(func(stream *spdystream.Stream) { c.arrived <- stream })
	s.run(c)

	// A last round trip each way: what was written before it has been read.
	_, err = client.Ping()
	must(err)
	_, err = server.Ping()
	must(err)
	if s.end != nil {
		s.end(c)
	}
	entries := []entry{describeEnd(s, "client", clientEnd), describeEnd(s, "server", serverEnd)}
	near.Close()
	far.Close()
	return entries
}

func describeEnd(s script, side string, end *recorder) entry {
	end.mutex.Lock()
	defer end.mutex.Unlock()
	content := append([]byte(nil), end.written.Bytes()...)
	return entry{
		File: "spdystream-" + s.name + "-" + side + ".bin", Bytes: len(content), Reads: end.writes,
		What: s.what + "; what the " + side + " wrote", Events: events(content), content: content,
	}
}

// events reads the frames back with spdystream's own framer.
func events(content []byte) []event {
	framer, err := spdy.NewFramer(io.Discard, bytes.NewReader(content))
	must(err)
	found := []event{}
	for {
		frame, err := framer.ReadFrame()
		if err == io.EOF {
			return found
		}
		must(err)
		found = append(found, describe(frame))
	}
}

func describe(frame spdy.Frame) event {
	control := func(name string, header spdy.ControlFrameHeader, word uint32) event {
		flags := uint8(header.Flags)
		return event{Frame: name, Flags: &flags, FirstWord: &word}
	}
	switch frame := frame.(type) {
	case *spdy.SynStreamFrame:
		e := control("SYN_STREAM", frame.CFHeader, uint32(frame.StreamId))
		e.Headers = plain(frame.Headers)
		return e
	case *spdy.SynReplyFrame:
		e := control("SYN_REPLY", frame.CFHeader, uint32(frame.StreamId))
		e.Headers = plain(frame.Headers)
		return e
	case *spdy.HeadersFrame:
		e := control("HEADERS", frame.CFHeader, uint32(frame.StreamId))
		e.Headers = plain(frame.Headers)
		return e
	case *spdy.RstStreamFrame:
		e := control("RST_STREAM", frame.CFHeader, uint32(frame.StreamId))
		status := uint32(frame.Status)
		e.Status = &status
		return e
	case *spdy.GoAwayFrame:
		e := control("GOAWAY", frame.CFHeader, uint32(frame.LastGoodStreamId))
		status := uint32(frame.Status)
		e.Status = &status
		return e
	case *spdy.PingFrame:
		return control("PING", frame.CFHeader, frame.Id)
	case *spdy.DataFrame:
		stream, fin, length := uint32(frame.StreamId), uint8(frame.Flags&spdy.DataFlagFin), len(frame.Data)
		e := event{Frame: "DATA", Stream: &stream, Fin: &fin, Length: &length}
		sum := sha256.Sum256(frame.Data)
		digest, short := hex.EncodeToString(sum[:]), hex.EncodeToString(frame.Data)
		if length > 64 {
			e.SHA256 = &digest
		} else if length > 0 {
			e.Hex = &short
		}
		return e
	}
	log.Fatalf("a frame of type %T", frame)
	return event{}
}

// plain has the names as they are on the wire, in lower case, and several values joined by NUL.
func plain(headers http.Header) *map[string]string {
	result := map[string]string{}
	for name, values := range headers {
		result[strings.ToLower(name)] = strings.Join(values, "\x00")
	}
	return &result
}

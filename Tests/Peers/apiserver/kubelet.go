package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/moby/spdystream"
)

const (
	// sessionIdleMax is after how long without a frame the kubelet closes a tunnel.
	sessionIdleMax = 4 * time.Hour
	// pairTimeMax is how long the first stream of a pair waits for the second.
	pairTimeMax = 30 * time.Second
)

// session is the far end of one tunnel: SPDY streams, which make a connection to the pod in pairs.
type session struct {
	connection *spdystream.Connection
	target     pod
	forward    portForwarder
	state      *state

	// arrived hands streams from spdystream's workers to the loop of the session. Like the kubelet's, it holds one:
	// a stream can be joined with its partner before it has been replied to.
	arrived chan *spdystream.Stream

	mutex sync.Mutex
	pairs map[string]*streamPair
	live  map[*spdystream.Stream]struct{}
}

// streamPair is one forwarded connection: bytes on one stream, the reason of a failure on the other.
type streamPair struct {
	data, failure *spdystream.Stream
	complete      chan struct{}
}

// serveSession speaks SPDY on a connection until it ends.
func serveSession(socket net.Conn, target pod, forward portForwarder, s *state) {
	s.sessionsOpen.Add(1)
	defer s.sessionsOpen.Add(-1)
	connection, err := spdystream.NewConnection(socket, true)
	if err != nil {
		log.Print(err)
		socket.Close()
		return
	}
	connection.SetIdleTimeout(sessionIdleMax)
	session := &session{
		connection: connection, target: target, forward: forward, state: s,
		arrived: make(chan *spdystream.Stream, 1),
		pairs:   map[string]*streamPair{}, live: map[*spdystream.Stream]struct{}{},
	}
	go connection.Serve(session.accept)
	session.run()
	session.end()
	socket.Close()
}

// accept is called by one of spdystream's five workers, which handles nothing else until it returns.
func (s *session) accept(stream *spdystream.Stream) {
	if err := checkHeaders(stream.Headers()); err != nil {
		log.Printf("stream %d rejected: %v", stream.Identifier(), err)
		stream.Reset()
		return
	}
	s.mutex.Lock()
	s.live[stream] = struct{}{}
	s.mutex.Unlock()

	select {
	case s.arrived <- stream:
	case <-s.connection.CloseChan():
	}
	stream.SendReply(http.Header{}, false)
}

// checkHeaders wants the headers by which a stream says what it is for.
func checkHeaders(headers http.Header) error {
	text := headers.Get("port")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("port %q", text)
	}
	if kind := headers.Get("streamtype"); kind != "data" && kind != "error" {
		return fmt.Errorf("stream type %q", kind)
	}
	return nil
}

// run joins streams to pairs until the connection ends.
func (s *session) run() {
	for {
		select {
		case <-s.connection.CloseChan():
			return
		case stream := <-s.arrived:
			s.join(stream)
		}
	}
}

func (s *session) join(stream *spdystream.Stream) {
	id := requestID(stream)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	pair, found := s.pairs[id]
	if !found {
		pair = &streamPair{complete: make(chan struct{})}
		s.pairs[id] = pair
		go s.expire(id, pair)
	}
	slot := &pair.data
	if stream.Headers().Get("streamtype") == "error" {
		slot = &pair.failure
	}
	if *slot != nil {
		log.Printf("request %s: a second %s stream", id, stream.Headers().Get("streamtype"))
		return
	}
	*slot = stream
	if pair.data == nil || pair.failure == nil {
		return
	}
	close(pair.complete)
	delete(s.pairs, id)
	s.state.pairsOpened.Add(1)
	s.state.pairsOpen.Add(1)
	go func() {
		defer s.state.pairsOpen.Add(-1)
		port, _ := strconv.Atoi(pair.data.Headers().Get("port"))
		s.forward(pair, s.target, port, s.state)
		s.mutex.Lock()
		defer s.mutex.Unlock()
		delete(s.live, pair.data)
		delete(s.live, pair.failure)
	}()
}

// requestID is what the two streams of a pair have in common; old clients name none and open the error stream first.
func requestID(stream *spdystream.Stream) string {
	if id := stream.Headers().Get("requestid"); id != "" {
		return id
	}
	if stream.Headers().Get("streamtype") == "error" {
		return fmt.Sprint("stream ", stream.Identifier())
	}
	return fmt.Sprint("stream ", stream.Identifier()-2)
}

// expire gives a lonely stream up.
func (s *session) expire(id string, pair *streamPair) {
	timer := time.NewTimer(pairTimeMax)
	defer timer.Stop()
	select {
	case <-pair.complete:
	case <-s.connection.CloseChan():
	case <-timer.C:
		s.mutex.Lock()
		failure := pair.failure
		delete(s.pairs, id)
		s.mutex.Unlock()
		if failure != nil {
			fmt.Fprintf(failure, "timed out waiting for the other stream of request %s", id)
		}
	}
}

// end resets the streams that are left, which frees whoever waits in one of them.
func (s *session) end() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for stream := range s.live {
		stream.Reset()
	}
}

package main

import (
	"fmt"
	"io"
	"net"
	"sort"
	"strconv"
	"time"

	"github.com/moby/spdystream"
)

// graceAfterFirstEnd is how long containerd lets one direction run after the other has ended.
const graceAfterFirstEnd = time.Second

// portForwarder forwards one pair of streams to a port of a pod, and ends both streams in its dialect.
type portForwarder func(pair *streamPair, target pod, port int, s *state)

// runtimes are the dialects of ending a connection.
var runtimes = map[string]portForwarder{
	// The data stream gets its FIN first; then comes the text, if any, and the FIN of the error stream.
	"containerd-1.6": func(pair *streamPair, target pod, port int, s *state) {
		err := forwardLikeContainerd(pair.data, target, port, s)
		pair.data.Close()
		if err != nil {
			reportFailure(pair, target, port, err, s)
		}
		pair.failure.Close()
	},

	// The text comes first, and a failure ends both streams by a reset.
	"streaming-1.32": func(pair *streamPair, target pod, port int, s *state) {
		if err := forwardLikeContainerd(pair.data, target, port, s); err != nil {
			reportFailure(pair, target, port, err, s)
			pair.failure.Reset()
			pair.data.Reset()
			return
		}
		pair.failure.Close()
		pair.data.Close()
	},

	// The same, under a runtime that has closed the data stream itself by then: no reset follows its FIN.
	"streaming-1.32-fin": func(pair *streamPair, target pod, port int, s *state) {
		err := forwardLikeContainerd(pair.data, target, port, s)
		pair.data.Close()
		if err != nil {
			reportFailure(pair, target, port, err, s)
			pair.failure.Reset()
			pair.data.Reset()
			return
		}
		pair.failure.Close()
	},

	"ideal": forwardIdeally,
}

func runtimeNames() []string {
	names := make([]string, 0, len(runtimes))
	for name := range runtimes {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func reportFailure(pair *streamPair, target pod, port int, err error, s *state) {
	s.pairsFailed.Add(1)
	io.WriteString(pair.failure, failureText(target, port, err))
}

// failureText words a failure as the kubelet does.
func failureText(target pod, port int, err error) string {
	return fmt.Sprintf("error forwarding port %d to pod %s, uid : %v", port, containerID(target.name), err)
}

// dialPod connects to the pod's process and words a refusal as containerd does.
func dialPod(target pod, port int, s *state) (*net.TCPConn, error) {
	connection, err := net.Dial("tcp4", net.JoinHostPort(target.address, strconv.Itoa(port)))
	if err != nil {
		s.dialsFailed.Add(1)
		id := containerID(target.name)
		return nil, fmt.Errorf("failed to execute portforward in network namespace %q: "+
			"failed to connect to localhost:%d inside namespace %q, "+
			"IPv4: %v IPv6 dial tcp6: address localhost: no suitable address found ",
			networkNamespace, port, id, err)
	}
	s.podConnectionsOpen.Add(1)
	return connection.(*net.TCPConn), nil
}

const networkNamespace = "/var/run/netns/cni-8e1e05bc-ef30-6ec2-56e9-cad3681e959e"

// forwardLikeContainerd copies both ways. The first end, of whichever direction, leaves the other one second;
// then the connection to the pod is closed. A half-close reaches nobody.
func forwardLikeContainerd(data *spdystream.Stream, target pod, port int, s *state) error {
	connection, err := dialPod(target, port, s)
	if err != nil {
		return err
	}
	defer s.podConnectionsOpen.Add(-1)
	defer connection.Close()

	ended := make(chan error, 2)
	go func() {
		_, err := io.Copy(data, connection)
		ended <- err
	}()
	go func() {
		_, err := io.Copy(connection, data)
		ended <- err
	}()

	err = <-ended
	select {
	case second := <-ended:
		if err == nil {
			err = second
		}
	case <-time.After(graceAfterFirstEnd):
	}
	if err != nil {
		return fmt.Errorf("failed to execute portforward in network namespace %q: %v", networkNamespace, err)
	}
	return nil
}

// wasReset tells whether the end that was read of a stream, which we have not finished ourselves, is its reset.
//
// spdystream lets go of the reader first and marks the stream right after that (connection.go, handleResetFrame), which
// on a busy machine is later than the reader asks.
func wasReset(stream *spdystream.Stream) bool {
	if !stream.IsFinished() {
		time.Sleep(5 * time.Millisecond)
	}
	return stream.IsFinished()
}

// forwardIdeally passes each end on to the other side when it comes, and a reset as a reset.
func forwardIdeally(pair *streamPair, target pod, port int, s *state) {
	connection, err := dialPod(target, port, s)
	if err != nil {
		reportFailure(pair, target, port, err, s)
		pair.failure.Close()
		pair.data.Reset()
		return
	}
	defer s.podConnectionsOpen.Add(-1)
	defer connection.Close()

	toPod := make(chan error, 1)
	go func() {
		_, err := io.Copy(connection, pair.data)
		if err == nil && wasReset(pair.data) {
			// Go on writing for nobody?
			connection.SetLinger(0)
			connection.Close()
			err = net.ErrClosed
		} else if err == nil {
			connection.CloseWrite()
		}
		toPod <- err
		// What still comes is for nobody; unread, it would block a worker of the tunnel.
		io.Copy(io.Discard, pair.data)
	}()

	_, err = io.Copy(pair.data, connection)
	if err != nil {
		select {
		case <-toPod: // the client's own reset comes back as an error of our reading
		default:
			reportFailure(pair, target, port, err, s)
		}
		pair.failure.Close()
		pair.data.Reset()
		return
	}
	pair.data.Close()
	<-toPod
	pair.failure.Close()
}

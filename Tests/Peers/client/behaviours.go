package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"ffwd/traffic"
)

// writeBuffers are kept over connections, for there are thousands.
var writeBuffers = sync.Pool{New: func() any { b := make([]byte, chunkBytesMax); return &b }}

// send writes the connection's own bytes from position from to position to, in chunks.
func (s *session) send(from, to int64) error {
	buffer := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(buffer)
	if s.number < s.load.oneByte {
		return s.sendBytewise(*buffer, from, to)
	}
	fixed, _ := strconv.Atoi(s.load.chunk) // 0: log-uniform
	for n := uint64(0); from < to; n++ {
		size := int64(fixed)
		if size == 0 {
			size = int64(chunkSize(s.bytes, n))
		}
		if size > to-from {
			size = to - from
		}
		s.bytes.Fill((*buffer)[:size], from)
		if _, err := s.Write((*buffer)[:size]); err != nil {
			return err
		}
		from += size
	}
	return nil
}

// sendBytewise makes bytes in batches, as making eight is as cheap as making one, and writes each by itself.
func (s *session) sendBytewise(buffer []byte, from, to int64) error {
	for from < to {
		batch := buffer
		if left := to - from; left < int64(len(batch)) {
			batch = batch[:left]
		}
		s.bytes.Fill(batch, from)
		for i := range batch {
			if _, err := s.Write(batch[i : i+1]); err != nil {
				return err
			}
		}
		from += int64(len(batch))
	}
	return nil
}

// receive reads positions from to to, and compares each byte with what check expects there.
func (s *session) receive(from, to int64, check func(received []byte, at int64) bool) error {
	return traffic.Receive(s, from, to, check)
}

// isOwn compares with the bytes that this connection sends.
func (s *session) isOwn(received []byte, at int64) bool { return s.bytes.IsOwn(received, at) }

// expectEnd wants the clean end, and nothing before it.
func (s *session) expectEnd() error { return traffic.ExpectEnd(s) }

func (s *session) sendCount(count int64) error {
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], uint64(count))
	_, err := s.Write(bytes[:])
	return err
}

func (s *session) expectCount(count int64) error {
	var answer [8]byte
	if _, err := io.ReadFull(s, answer[:]); err != nil {
		return fmt.Errorf("instead of the count: %w", err)
	}
	if got := binary.BigEndian.Uint64(answer[:]); got != uint64(count) {
		return fmt.Errorf("%w: the pod counted %d of %d bytes", traffic.ErrWrong, got, count)
	}
	return nil
}

// exchange sends and receives at the same time; the first error counts, and ends both.
//
// The kernel reports a reset once, to whichever of the two asks first: if that was the sender, the receiver sees
// what looks like an end. So the sender's reset counts before the receiver's end.
func (s *session) exchange(send, receive func() error) error {
	sent := make(chan error, 1)
	go func() { sent <- send() }()
	err := receive()
	if err == nil {
		return <-sent
	}
	s.SetWriteDeadline(time.Now()) // wake the sender
	if sending := <-sent; classify(err) == cut && classify(sending) == reset {
		return fmt.Errorf("%w (sending; receiving: %v)", sending, err)
	}
	return err
}

func echo(s *session) error {
	total := s.load.bytes
	return s.exchange(func() error {
		if err := s.send(0, total); err != nil || !s.load.halfClose {
			return err
		}
		return s.CloseWrite()
	}, func() error {
		if err := s.receive(0, total, s.isOwn); err != nil || !s.load.halfClose {
			return err
		}
		return s.expectEnd()
	})
}

func source(s *session) error {
	if err := s.sendCount(s.load.bytes); err != nil {
		return err
	}
	if s.load.halfClose {
		if err := s.CloseWrite(); err != nil {
			return err
		}
	}
	if err := s.receive(0, s.load.bytes, traffic.IsPattern); err != nil {
		return err
	}
	s.load.sample("lastByte", time.Since(s.opened))
	return s.expectEnd()
}

func sink(s *session) error {
	if err := s.send(0, s.load.bytes); err != nil {
		return err
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	if err := s.expectCount(s.load.bytes); err != nil {
		return err
	}
	return s.expectEnd()
}

// countedSink goes when it has the answer: the end behind it comes late on containerd and would be measured too.
func countedSink(s *session) error {
	if err := s.sendCount(s.load.bytes); err != nil {
		return err
	}
	if err := s.send(0, s.load.bytes); err != nil {
		return err
	}
	return s.expectCount(s.load.bytes)
}

func halfClose(s *session) error {
	return s.exchange(func() error {
		if err := s.send(0, s.load.bytes); err != nil {
			return err
		}
		return s.CloseWrite()
	}, func() error {
		if err := s.receive(0, s.load.bytes, s.isOwn); err != nil {
			return err
		}
		return s.expectEnd()
	})
}

func podReset(s *session) error {
	if err := s.receive(0, 64<<10, traffic.IsPattern); err != nil {
		return err
	}
	if err := s.expectEnd(); err != nil {
		return err
	}
	return fmt.Errorf("%w: the pod's reset arrived as an end", traffic.ErrCut)
}

func podHalfClose(s *session) error {
	if err := s.expectEnd(); err != nil {
		return err
	}
	const pieces = 16
	for i := int64(0); i < pieces; i++ {
		if err := s.send(s.load.bytes*i/pieces, s.load.bytes*(i+1)/pieces); err != nil {
			return fmt.Errorf("behind the pod's end: %w", err)
		}
		time.Sleep(s.load.over / pieces)
	}
	return s.CloseWrite()
}

func stallPod(s *session) error {
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-s.load.goOn:
			s.SetWriteDeadline(time.Now())
		case <-ended:
		}
	}()
	buffer := make([]byte, traffic.ReadBytesMax)
	s.bytes.Fill(buffer, 0)
	for sent := int64(0); sent < s.load.bytes; {
		patience := time.Now().Add(s.load.hold)
		if patience.Before(s.load.deadline) {
			s.SetWriteDeadline(patience)
		} else {
			s.SetWriteDeadline(s.load.deadline)
		}
		select {
		case <-s.load.goOn:
			s.SetWriteDeadline(time.Now())
		default:
		}
		n, err := s.Write(buffer)
		sent += int64(n)
		if classify(err) == timeout {
			return fmt.Errorf("%w after %d bytes", errBlocked, sent)
		}
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", sent, err)
		}
	}
	return nil
}

func wait(s *session) error {
	if _, err := s.Write(binary.BigEndian.AppendUint32(nil, uint32(s.load.wait))); err != nil {
		return err
	}
	if s.load.halfClose {
		if err := s.CloseWrite(); err != nil {
			return err
		}
	}
	done := func(received []byte, at int64) bool { return string(received) == "done"[at:at+int64(len(received))] }
	if err := s.receive(0, int64(len("done")), done); err != nil {
		return err
	}
	return s.expectEnd()
}

func greeting(s *session) error {
	line := []byte("hello from demo\n")
	greets := func(received []byte, at int64) bool { return bytes.Equal(received, line[at:at+int64(len(received))]) }
	if err := s.receive(0, int64(len(line)), greets); err != nil {
		return err
	}
	return echo(s)
}

// refusedPort never ends complete: a clean end is a cut, for there was nobody to end cleanly.
func refusedPort(s *session) error {
	sent := s.send(0, s.load.bytes)
	if err := s.expectEnd(); err != nil {
		return err
	}
	if sent != nil {
		return sent
	}
	return fmt.Errorf("%w: nobody listens, yet the end is clean", traffic.ErrCut)
}

func stallReader(s *session) error {
	if err := s.sendCount(s.load.bytes); err != nil {
		return err
	}
	// They all stop at the same time: who stopped earlier would hold up those that have had nothing yet.
	read := int64(0)
	for piece := s.load.read; piece > 0 && read+piece <= s.load.bytes; {
		if err := s.receive(read, read+piece, traffic.IsPattern); err != nil {
			return err
		}
		if read == 0 {
			s.load.began.Add(1)
		}
		read += piece
		if int(s.load.began.Load()) == s.load.connections {
			break
		}
	}
	s.load.standStill()
	if err := s.receive(read, s.load.bytes, traffic.IsPattern); err != nil {
		return err
	}
	return s.expectEnd()
}

// sendAndGo closes behind its last byte and waits for nothing: whether all arrived only the pod can tell.
func sendAndGo(s *session) error { return s.send(0, s.load.bytes) }

func sendAndReset(s *session) error {
	if err := s.send(0, s.load.bytes); err != nil {
		return err
	}
	return s.SetLinger(0)
}

func abandon(s *session) error {
	if err := s.sendCount(s.load.bytes); err != nil {
		return err
	}
	read := s.load.read
	if read < 0 {
		read = s.load.bytes / 2
	}
	if err := s.receive(0, read, traffic.IsPattern); err != nil {
		return err
	}
	if s.load.how == "rst" {
		return s.SetLinger(0)
	}
	return nil
}

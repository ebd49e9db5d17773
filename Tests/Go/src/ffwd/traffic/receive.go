package traffic

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

var (
	// ErrWrong is a byte that nobody has sent, or that came at another place.
	ErrWrong = errors.New("wrong bytes")
	// ErrCut is a clean end before all was there.
	ErrCut = errors.New("cut off by a clean end")
)

// ReadBytesMax is how much is read at once: with a thousand connections, larger buffers fall out of the caches.
const ReadBytesMax = 64 << 10

var buffers = sync.Pool{New: func() any { buffer := make([]byte, ReadBytesMax); return &buffer }}

// Receive reads positions from to to, and compares each byte with what check expects there.
func Receive(source io.Reader, from, to int64, check func(received []byte, at int64) bool) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	for from < to {
		room := *buffer
		if left := to - from; left < int64(len(room)) {
			room = room[:left]
		}
		n, err := source.Read(room)
		if n > 0 && !check(room[:n], from) {
			return fmt.Errorf("%w among bytes %d to %d", ErrWrong, from, from+int64(n))
		}
		from += int64(n)
		if err == io.EOF && from < to {
			return fmt.Errorf("%w: %d of %d bytes", ErrCut, from, to)
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("after %d of %d bytes: %w", from, to, err)
		}
	}
	return nil
}

// IsOwn says whether received are the bytes of the sequence from position at on; at most ReadBytesMax.
func (g Generator) IsOwn(received []byte, at int64) bool {
	expected := buffers.Get().(*[]byte)
	defer buffers.Put(expected)
	g.Fill((*expected)[:len(received)], at)
	return bytes.Equal(received, (*expected)[:len(received)])
}

// ExpectEnd wants the clean end, and nothing before it.
func ExpectEnd(source io.Reader) error {
	var extra [1]byte
	n, err := source.Read(extra[:])
	switch {
	case n > 0:
		return fmt.Errorf("%w: more than was due", ErrWrong)
	case err == io.EOF:
		return nil
	}
	return fmt.Errorf("instead of the end: %w", err)
}

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand"
	"net"
	"strconv"
	"sync"
	"time"

	"ffwd/traffic"
)

const (
	// hangMax is for how long a connection may stand still: a fault of 20 s, and as long as ffwd lets a client wait (--hold).
	hangMax = 75 * time.Second
	// sizeMax is the most that one connection carries in one direction.
	sizeMax = 64 << 20
	// pieceBytes is one write.
	pieceBytes = 64 << 10
)

var pieces = sync.Pool{New: func() any { b := make([]byte, pieceBytes); return &b }}

// client is one connection to a forwarded port. Each read and write has its own time limit, so a limit is a standstill.
type client struct {
	*net.TCPConn
	patience time.Duration
	own      traffic.Generator
	random   *rand.Rand
	tally    *tally
	got      int64
}

// connect opens a connection whose own bytes come from seed.
func connect(port int, seed uint64, patience time.Duration, t *tally) (*client, error) {
	connection, err := net.DialTimeout("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), patience)
	if err != nil {
		return nil, err
	}
	return &client{
		TCPConn: connection.(*net.TCPConn), patience: patience, own: traffic.Generator(traffic.Mix(seed)),
		random: rand.New(rand.NewSource(int64(traffic.Mix(seed + 1)))), tally: t,
	}, nil
}

func (c *client) Read(buffer []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(c.patience))
	n, err := c.TCPConn.Read(buffer)
	c.got += int64(n)
	c.tally.received.Add(int64(n))
	return n, err
}

func (c *client) Write(bytes []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(c.patience))
	n, err := c.TCPConn.Write(bytes)
	c.tally.sent.Add(int64(n))
	return n, err
}

// send writes the connection's own bytes from position from to position to, in pieces of many sizes.
func (c *client) send(from, to int64) error {
	buffer := pieces.Get().(*[]byte)
	defer pieces.Put(buffer)
	for n := uint64(0); from < to; n++ {
		size := int64(math.Exp2(c.own.Fraction(n^1<<63) * math.Log2(pieceBytes)))
		if to-from > 1<<20 {
			size = pieceBytes
		}
		if size > to-from {
			size = to - from
		}
		c.own.Fill((*buffer)[:size], from)
		if _, err := c.Write((*buffer)[:size]); err != nil {
			return fmt.Errorf("sending, after %d of %d bytes: %w", from, to, err)
		}
		from += size
	}
	return nil
}

// receive reads positions from to to, and compares each byte with what check expects there.
func (c *client) receive(from, to int64, check func(received []byte, at int64) bool) error {
	return traffic.Receive(c, from, to, check)
}

// isOwn compares with the bytes that this connection sends.
func (c *client) isOwn(received []byte, at int64) bool { return c.own.IsOwn(received, at) }

// expectEnd wants the clean end, and nothing before it.
func (c *client) expectEnd() error { return traffic.ExpectEnd(c) }

// exchange sends and receives at the same time; the first error counts, and ends both.
//
// The kernel reports a reset once, to whichever of the two asks first: if that was the sender, the receiver sees
// what looks like an end. So the sender's reset counts before the receiver's end.
func (c *client) exchange(send, receive func() error) error {
	sent := make(chan error, 1)
	go func() { sent <- send() }()
	err := receive()
	if err == nil {
		return <-sent
	}
	// A sender that waits is woken; what it has found by itself comes before.
	select {
	case sending := <-sent:
		if classify(err) == truncated && classify(sending) == reset {
			return fmt.Errorf("%w (sending; receiving: %v)", sending, err)
		}
		return err
	case <-time.After(100 * time.Millisecond):
	}
	c.TCPConn.SetWriteDeadline(time.Unix(1, 0))
	for {
		select {
		case sending := <-sent:
			if classify(err) == truncated && classify(sending) == reset {
				return fmt.Errorf("%w (sending; receiving: %v)", sending, err)
			}
			return err
		case <-time.After(10 * time.Millisecond):
			// Its next write has set a deadline of its own.
			c.TCPConn.SetWriteDeadline(time.Unix(1, 0))
		}
	}
}

// behaviour is one way in which clients use a forwarded port.
type behaviour struct {
	name string
	port int
	// weight is how often it is drawn.
	weight int
	run    func(c *client, size int64) error
	// passesEnds: it needs a runtime and a way in that tell the pod of a client's end.
	passesEnds bool
	// sizeMost bounds what it carries; 0: sizeMax.
	sizeMost int64
}

// behaviours are what the load consists of.
var behaviours = []behaviour{
	{name: "echo", port: 7000, weight: 8, run: (*client).echo},
	{name: "echo and end", port: 7000, weight: 3, run: (*client).echoAndEnd, passesEnds: true},
	{name: "echo after the end", port: 7004, weight: 2, run: (*client).echoAndEnd, passesEnds: true, sizeMost: 4 << 20},
	{name: "download", port: 7010, weight: 8, run: (*client).download},
	{name: "slow download", port: 7010, weight: 2, run: (*client).slowDownload},
	{name: "upload", port: 7003, weight: 4, run: (*client).upload},
	{name: "late answer", port: 7008, weight: 2, run: (*client).lateAnswer},
	{name: "greeting", port: 7009, weight: 2, run: (*client).greeting, sizeMost: 1 << 20},
	{name: "pauses", port: 7000, weight: 4, run: (*client).pauses, sizeMost: 1 << 16},
}

// drawSize gives nothing, one byte, the most, or each power of two below 4 MiB as often.
func drawSize(random *rand.Rand, most int64) int64 {
	size := int64(math.Exp2(random.Float64() * 22))
	switch random.Intn(150) {
	case 0:
		size = sizeMax
	case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
		size = 0
	case 11, 12, 13, 14, 15, 16, 17, 18, 19, 20:
		size = 1
	}
	if most > 0 && size > most {
		return most
	}
	return size
}

func (c *client) echo(size int64) error {
	return c.exchange(func() error { return c.send(0, size) }, func() error { return c.receive(0, size, c.isOwn) })
}

// echoAndEnd ends its direction behind the last byte and wants everything, and the end, back.
func (c *client) echoAndEnd(size int64) error {
	return c.exchange(func() error {
		if err := c.send(0, size); err != nil {
			return err
		}
		return c.CloseWrite()
	}, func() error {
		if err := c.receive(0, size, c.isOwn); err != nil {
			return err
		}
		return c.expectEnd()
	})
}

// ask tells the source where to begin and how much to send.
func (c *client) ask(size int64) (place int64, err error) {
	place = c.random.Int63n(traffic.PatternPeriodBytes)
	request := binary.BigEndian.AppendUint64(nil, uint64(place))
	_, err = c.Write(binary.BigEndian.AppendUint64(request, uint64(size)))
	return place, err
}

func (c *client) download(size int64) error {
	place, err := c.ask(size)
	if err == nil {
		err = c.receive(place, place+size, traffic.IsPattern)
	}
	if err != nil {
		return err
	}
	return c.expectEnd()
}

// slowDownload stops reading for a while in the middle, for less than others behind it may be made to wait.
func (c *client) slowDownload(size int64) error {
	c.SetReadBuffer(32 << 10)
	place, err := c.ask(size)
	if err != nil {
		return err
	}
	middle := place + c.random.Int63n(size+1)
	if err := c.receive(place, middle, traffic.IsPattern); err != nil {
		return err
	}
	time.Sleep(time.Duration(c.random.Intn(3000)) * time.Millisecond)
	if err := c.receive(middle, place+size, traffic.IsPattern); err != nil {
		return err
	}
	return c.expectEnd()
}

// upload has the pod count, and the answer's end comes behind the count.
func (c *client) upload(size int64) error {
	if _, err := c.Write(binary.BigEndian.AppendUint64(nil, uint64(size))); err != nil {
		return err
	}
	return c.exchange(func() error { return c.send(0, size) }, func() error {
		var answer [8]byte
		n, err := io.ReadFull(c, answer[:])
		if err != nil {
			return fmt.Errorf("instead of the count, after %d bytes of it: %w", n, err)
		}
		if counted := binary.BigEndian.Uint64(answer[:]); counted != uint64(size) {
			return fmt.Errorf("%w: the pod counted %d of %d bytes", traffic.ErrWrong, counted, size)
		}
		return c.expectEnd()
	})
}

// lateAnswer ends its direction, or not, and waits for an answer that begins later.
func (c *client) lateAnswer(int64) error {
	wait := uint32(c.random.Intn(3000))
	if _, err := c.Write(binary.BigEndian.AppendUint32(nil, wait)); err != nil {
		return err
	}
	if c.random.Intn(2) == 0 {
		if err := c.CloseWrite(); err != nil {
			return err
		}
	}
	if err := c.receive(0, 4, func(b []byte, at int64) bool { return string(b) == "done"[at:at+int64(len(b))] }); err != nil {
		return err
	}
	return c.expectEnd()
}

// greeting says nothing before the pod has spoken.
func (c *client) greeting(size int64) error {
	const first = "hello from "
	var letter [1]byte
	for i := 0; ; i++ {
		if _, err := io.ReadFull(c, letter[:]); err != nil {
			return fmt.Errorf("instead of the greeting: %w", err)
		}
		if i < len(first) && letter[0] != first[i] {
			return fmt.Errorf("%w in the greeting", traffic.ErrWrong)
		}
		if letter[0] == '\n' {
			return c.echo(size)
		}
	}
}

// pauses stays open, idle, between two echoes.
func (c *client) pauses(size int64) error {
	if err := c.exchange(func() error { return c.send(0, size+1) },
		func() error { return c.receive(0, size+1, c.isOwn) }); err != nil {
		return err
	}
	time.Sleep(time.Duration(c.random.Intn(8000)) * time.Millisecond)
	return c.exchange(func() error { return c.send(size+1, 2*size+2) },
		func() error { return c.receive(size+1, 2*size+2, c.isOwn) })
}

// refusedPort never ends cleanly: there was nobody to end it.
func (c *client) refusedPort(size int64) error {
	sent := c.send(0, size)
	err := c.expectEnd()
	if err == nil && sent == nil {
		return fmt.Errorf("%w: nobody listens, yet the end is clean", traffic.ErrCut)
	}
	if sent != nil && classify(sent) == reset {
		return sent
	}
	return err
}

// podReset reads what came before the pod's reset, which must not look like an end.
func (c *client) podReset(int64) error {
	if err := c.receive(0, 64<<10, traffic.IsPattern); err != nil {
		return err
	}
	if err := c.expectEnd(); err != nil {
		return err
	}
	return fmt.Errorf("%w: the pod's reset arrived as an end", traffic.ErrCut)
}

// abandon goes in the middle of a download, by a reset or not.
func (c *client) abandon(size int64) error {
	place, err := c.ask(size)
	if err != nil {
		return err
	}
	if err := c.receive(place, place+c.random.Int63n(size/2+1), traffic.IsPattern); err != nil {
		return err
	}
	if c.random.Intn(2) == 0 {
		c.SetLinger(0)
	}
	return errLeft
}

// standStill reads a little, then nothing for longer than others may be made to wait, then the rest.
func (c *client) standStill(size int64) error {
	c.SetReadBuffer(32 << 10)
	place, err := c.ask(size)
	if err != nil {
		return err
	}
	if err := c.receive(place, place+1000, traffic.IsPattern); err != nil {
		return err
	}
	time.Sleep(time.Duration(6000+c.random.Intn(2000)) * time.Millisecond)
	if err := c.receive(place+1000, place+size, traffic.IsPattern); err != nil {
		return err
	}
	return c.expectEnd()
}

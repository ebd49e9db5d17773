package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"ffwd/traffic"
)

// The ways in which a connection can end, as its client sees them.
const (
	complete  = "complete"  // all bytes, then the end that is due
	reset     = "reset"     // ECONNRESET or EPIPE
	wrong     = "wrong"     // bytes that nobody sent, more than were due, or a wrong count
	truncated = "truncated" // a clean end with less than everything: what looks like an answer
	hung      = "hung"      // nothing for hangMax
	refused   = "refused"   // the local port did not take the connection
	left      = "left"      // the client went, as it was to
	failed    = "failed"    // an error of this machine
)

var (
	errLeft = errors.New("the client went")
)

// classify names the ending behind an error.
func classify(err error) string {
	switch {
	case err == nil:
		return complete
	case errors.Is(err, errLeft):
		return left
	case errors.Is(err, traffic.ErrWrong):
		return wrong
	case errors.Is(err, traffic.ErrCut), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return truncated
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return reset
	case errors.Is(err, os.ErrDeadlineExceeded):
		return hung
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	}
	return failed
}

// isLie says whether an ending must never be, whatever fault there was.
func isLie(ending string) bool {
	return ending == wrong || ending == truncated || ending == hung || ending == refused || ending == failed
}

// counts are connections by how they ended.
type counts map[string]int

func (c counts) add(other counts) {
	for ending, count := range other {
		c[ending] += count
	}
}

func (c counts) total() (sum int) {
	for _, count := range c {
		sum += count
	}
	return sum
}

// text lists what there is, the most first.
func (c counts) text() string {
	var endings []string
	for ending, count := range c {
		if count > 0 {
			endings = append(endings, ending)
		}
	}
	sort.Slice(endings, func(i, j int) bool {
		a, b := endings[i], endings[j]
		return c[a] > c[b] || c[a] == c[b] && a < b
	})
	for i, ending := range endings {
		endings[i] = fmt.Sprintf("%d %s", c[ending], ending)
	}
	if len(endings) == 0 {
		return "none"
	}
	return strings.Join(endings, ", ")
}

// complaintsMax bounds the sentences that a forward's tally keeps.
const complaintsMax = 20

// tally gathers what all connections of one forward came to.
type tally struct {
	sent, received atomic.Int64
	begun          atomic.Int64

	mutex sync.Mutex
	// byBehaviour counts endings for each behaviour of clients.
	byBehaviour map[string]counts
	// byFault counts endings for what was going on.
	byFault    map[string]counts
	complaints []string
	// unexplained are resets of connections that no fault has touched.
	unexplained int
}

func newTally() *tally {
	return &tally{byBehaviour: map[string]counts{}, byFault: map[string]counts{}}
}

func (t *tally) ended(behaviour, fault, ending string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for key, table := range map[string]map[string]counts{behaviour: t.byBehaviour, fault: t.byFault} {
		if table[key] == nil {
			table[key] = counts{}
		}
		table[key][ending]++
	}
}

func (t *tally) complain(format string, arguments ...any) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if len(t.complaints) < complaintsMax {
		t.complaints = append(t.complaints, fmt.Sprintf(format, arguments...))
	}
}

// snapshot copies what is known now: clients that hang still write.
func (t *tally) snapshot(r *forwardResult) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	r.Endings, r.Behaviours, r.Faults = counts{}, map[string]counts{}, map[string]counts{}
	for name, c := range t.byBehaviour {
		r.Behaviours[name] = counts{}
		r.Behaviours[name].add(c)
		r.Endings.add(c)
	}
	for name, c := range t.byFault {
		r.Faults[name] = counts{}
		r.Faults[name].add(c)
	}
	r.Complaints = append([]string{}, t.complaints...)
	r.Unexplained = t.unexplained
	r.Begun, r.SentBytes, r.ReceivedBytes = t.begun.Load(), t.sent.Load(), t.received.Load()
}

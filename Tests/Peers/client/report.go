package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ffwd/traffic"
)

// Endings are the ways in which a connection can end, as its client sees them.
const (
	complete = "complete" // all bytes expected, then the end expected
	cut      = "cut"      // a clean end too early
	reset    = "reset"    // ECONNRESET or EPIPE
	timeout  = "timeout"  // nothing more before the deadline
	wrong    = "wrong"    // bytes that nobody sent, or more than were due
	refused  = "refused"  // no connection was made
	blocked  = "blocked"  // stall-pod: the far side takes nothing more, which is what it is for
	failed   = "failed"   // any other error, of this machine
)

var endings = []string{complete, cut, reset, timeout, wrong, refused, blocked, failed}

var (
	errBlocked = errors.New("the far side takes nothing more")
)

// classify names the ending behind an error.
func classify(err error) string {
	switch {
	case err == nil:
		return complete
	case errors.Is(err, traffic.ErrCut), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return cut
	case errors.Is(err, traffic.ErrWrong):
		return wrong
	case errors.Is(err, errBlocked):
		return blocked
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return reset
	case errors.Is(err, os.ErrDeadlineExceeded):
		return timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	}
	return failed
}

// errorsKeptMax bounds the errors that a report spells out.
const errorsKeptMax = 8

// tally gathers what all connections of a run saw.
type tally struct {
	started                  time.Time
	bytesSent, bytesReceived atomic.Int64
	lastReceived             atomic.Int64 // nanoseconds since started

	mutex   sync.Mutex
	endings map[string]int
	errors  []string
	samples map[string][]time.Duration
}

func newTally() *tally {
	return &tally{started: time.Now(), endings: map[string]int{}, samples: map[string][]time.Duration{}}
}

// received counts bytes that came, and notes when the last of them did.
func (t *tally) received(n int) {
	t.bytesReceived.Add(int64(n))
	now := int64(time.Since(t.started))
	for {
		last := t.lastReceived.Load()
		if last >= now || t.lastReceived.CompareAndSwap(last, now) {
			return
		}
	}
}

func (t *tally) ended(connection int, err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.endings[classify(err)]++
	if err != nil && len(t.errors) < errorsKeptMax {
		t.errors = append(t.errors, fmt.Sprintf("connection %d: %s: %v", connection, classify(err), err))
	}
}

func (t *tally) sample(kind string, durations ...time.Duration) {
	if len(durations) == 0 {
		return // of none there are no percentiles
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.samples[kind] = append(t.samples[kind], durations...)
}

// report is the one object that the program prints.
type report struct {
	Command     string         `json:"command"`
	Seed        uint64         `json:"seed"`
	Connections int            `json:"connections"`
	Endings     map[string]int `json:"endings"`
	// Unfinished connections had not even reported a timeout when time was up.
	Unfinished    int     `json:"unfinished"`
	BytesSent     int64   `json:"bytesSent"`
	BytesReceived int64   `json:"bytesReceived"`
	Seconds       float64 `json:"seconds"`
	// TransferSeconds is the time until the last byte came: runtimes pass an end on a second late.
	TransferSeconds float64                 `json:"transferSeconds"`
	MiBPerSecond    float64                 `json:"mebibytesPerSecond"`
	Latencies       map[string]*percentiles `json:"latencies"`
	Errors          []string                `json:"errors"`
	Details         map[string]any          `json:"details,omitempty"`
}

// percentiles of durations, in microseconds.
type percentiles struct {
	Count int     `json:"count"`
	Mean  float64 `json:"meanMicroseconds"`
	P50   float64 `json:"p50Microseconds"`
	P90   float64 `json:"p90Microseconds"`
	P99   float64 `json:"p99Microseconds"`
	P999  float64 `json:"p999Microseconds"`
	Max   float64 `json:"maxMicroseconds"`
}

func summarise(samples []time.Duration) *percentiles {
	sorted := append([]time.Duration(nil), samples...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	microseconds := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	// The nearest rank: the smallest sample that so many per mille do not exceed.
	rank := func(perMille int) float64 {
		at := (len(sorted)*perMille + 999) / 1000
		if at > 0 {
			at--
		}
		return microseconds(sorted[at])
	}
	sum := 0.0
	for _, d := range sorted {
		sum += microseconds(d)
	}
	return &percentiles{
		Count: len(sorted), Mean: sum / float64(len(sorted)),
		P50: rank(500), P90: rank(900), P99: rank(990), P999: rank(999), Max: rank(1000),
	}
}

// report sums up what is known now, also of a run that has not ended.
func (t *tally) report(command string, seed uint64, connections int, details map[string]any) report {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	r := report{
		Command: command, Seed: seed, Connections: connections,
		Endings: map[string]int{}, Unfinished: connections,
		BytesSent: t.bytesSent.Load(), BytesReceived: t.bytesReceived.Load(),
		Seconds:         time.Since(t.started).Seconds(),
		TransferSeconds: time.Duration(t.lastReceived.Load()).Seconds(),
		Latencies:       map[string]*percentiles{}, Errors: append([]string{}, t.errors...), Details: details,
	}
	for _, ending := range endings {
		r.Endings[ending] = t.endings[ending]
		r.Unfinished -= t.endings[ending]
	}
	moved := r.BytesSent
	if r.BytesReceived > moved {
		moved = r.BytesReceived
	}
	if r.TransferSeconds > 0 {
		r.MiBPerSecond = float64(moved) / (1 << 20) / r.TransferSeconds
	}
	for kind, samples := range t.samples {
		r.Latencies[kind] = summarise(samples)
	}
	return r
}

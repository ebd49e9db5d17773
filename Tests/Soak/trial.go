package main

import (
	"fmt"
	"math/rand"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"ffwd/traffic"
)

const (
	// standstillMax is after how long without a byte a user of a comparison has given up.
	standstillMax = 40 * time.Second
	// downloadBytes are what each download of a comparison asks for; it reads slowly enough to be in the middle of it.
	downloadBytes = 24 << 20
	downloadSpan  = 5 * time.Second
)

// trial is one fault met by one forwarder.
type trial struct {
	options
	// kubectl: it is not ffwd.
	isKubectl bool
	server    *server
	forward   *forward
	tally     *tally
	seeds     uint64

	mutex sync.Mutex
	seen  seen
	live  sync.WaitGroup
	// began are told by clients that are in the middle of it.
	began   sync.WaitGroup
	release chan struct{}
	heard   int
}

// seen is what the users of one forwarder have seen of one fault.
type seen struct {
	// Meanwhile are the connections that were there when the fault came, After those that were made later.
	Meanwhile counts `json:"meanwhile"`
	After     counts `json:"after"`
	// Exit is how the forwarder had ended by then; "": it runs.
	Exit string `json:"exit"`
	// Lines are what it has printed on stderr since, each kind once.
	Lines []string `json:"lines"`
	// Error: the comparison itself went wrong.
	Error string `json:"error,omitempty"`
}

func (o options) newTrial(isKubectl bool) *trial {
	return &trial{options: o, isKubectl: isKubectl, tally: newTally(), release: make(chan struct{}),
		seen: seen{Meanwhile: counts{}, After: counts{}}}
}

// start forwards to a target; descriptorsMax 0 is the usual limit.
func (t *trial) start(target, kubeconfig string, descriptorsMax int, ports ...int) (err error) {
	command := []string{t.program().ffwd}
	if t.isKubectl {
		command = []string{t.kubectl, "port-forward"}
	}
	p := plan{name: "the forwarder", target: target, kubeconfig: kubeconfig, descriptorsMax: descriptorsMax, ports: map[string]int{}}
	for _, port := range ports {
		p.ports[fmt.Sprint(port)] = port
	}
	t.forward, err = startForward(t.server, p, command...)
	return err
}

func (t *trial) end() {
	if t.forward != nil {
		t.forward.process.end(syscall.SIGKILL)
	}
	t.server.endAll()
}

func (t *trial) note(table counts, err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	table[classify(err)]++
}

// client runs a behaviour on a connection of its own and notes in table what comes of it.
func (t *trial) client(table counts, port int, run func(c *client) error) {
	t.live.Add(1)
	t.seeds++
	seed := t.seed + t.seeds
	go func() {
		defer t.live.Done()
		c, err := connect(t.forward.locals[port], seed, standstillMax, t.tally)
		if err == nil {
			defer c.Close()
			err = run(c)
		}
		t.note(table, err)
	}()
}

// bystanders are clients that the fault comes upon: some in the middle of a download, some between two echoes.
func (t *trial) bystanders(downloads, idlers int) {
	for i := 0; i < downloads; i++ {
		t.began.Add(1)
		t.client(t.seen.Meanwhile, 7010, func(c *client) error {
			begin := once(t.began.Done)
			defer begin()
			place, err := c.ask(downloadBytes)
			if err != nil {
				return err
			}
			const pieces = 50
			for piece := int64(0); piece < pieces; piece++ {
				from, to := place+downloadBytes*piece/pieces, place+downloadBytes*(piece+1)/pieces
				if err := c.receive(from, to, traffic.IsPattern); err != nil {
					return err
				}
				if piece == 0 {
					begin()
				}
				time.Sleep(downloadSpan / pieces)
			}
			return c.expectEnd()
		})
	}
	for i := 0; i < idlers; i++ {
		t.began.Add(1)
		t.client(t.seen.Meanwhile, 7000, func(c *client) error {
			begin := once(t.began.Done)
			defer begin()
			if err := c.echo(1000); err != nil {
				return err
			}
			begin()
			<-t.release
			return c.exchange(func() error { return c.send(1000, 2000) }, func() error { return c.receive(1000, 2000, c.isOwn) })
		})
	}
	t.began.Wait()
	t.heard = t.forward.Said.Length()
}

// afterwards lets the bystanders go on, then tries new connections.
func (t *trial) afterwards(count int) {
	close(t.release)
	time.Sleep(time.Second)
	for i := 0; i < count; i++ {
		t.client(t.seen.After, 7000, func(c *client) error { return c.echo(1000) })
		time.Sleep(50 * time.Millisecond)
	}
	t.live.Wait()
}

// klogHead is what kubectl's logger writes in front of a line.
var klogHead = regexp.MustCompile(`^[EWIF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [a-z_]+\.go:\d+\] `)

// numbers of ports, streams and containers make lines of one kind differ.
var numbers = regexp.MustCompile(`[0-9a-f]{16,}|\d+`)

// conclude gathers what the forwarder said, and whether it is still there.
func (t *trial) conclude() seen {
	// What it has to say of the last connection, and its end, may come a moment later.
	time.Sleep(500 * time.Millisecond)
	t.seen.Exit = t.forward.exit()
	kinds := map[string]bool{}
	for _, line := range strings.Split(t.forward.Said.Since(t.heard), "\n") {
		line = klogHead.ReplaceAllString(strings.TrimSpace(line), "")
		if kind := numbers.ReplaceAllString(line, ""); line != "" && !kinds[kind] {
			kinds[kind] = true
			t.seen.Lines = append(t.seen.Lines, line)
		}
	}
	return t.seen
}

// mini gives the trial a MiniCluster of its own.
func (t *trial) mini(runtime string, resets bool) (err error) {
	dir, err := t.directory(fmt.Sprintf("mini-%d", rand.Int63()))
	if err != nil {
		return err
	}
	t.server, err = miniCluster(t.program(), dir, runtime, "demo")
	if err == nil && !resets {
		t.server.end(syscall.SIGTERM)
		var kept []string
		for _, argument := range t.server.arguments {
			if argument != "--pods-reset-when-killed" {
				kept = append(kept, argument)
			}
		}
		t.server.arguments = kept
		err = t.server.start()
	}
	return err
}

// peer gives the trial a Go peer of its own, on the far side where this runs in a namespace.
func (t *trial) peer(runtime string) (err error) {
	dir, err := t.directory(fmt.Sprintf("peer-%d", rand.Int63()))
	if err != nil {
		return err
	}
	address, before := "127.0.0.1", []string(nil)
	if t.inside != "" {
		address, before = farAddress, t.net().onFarSide()
	}
	t.server, err = goPeer(t.program(), dir, runtime, address, before, "demo")
	return err
}

func (t *trial) net() network { return network{t.inside + "-near", t.inside + "-far"} }

// once makes a function that does something the first time only.
func once(do func()) func() {
	var first sync.Once
	return func() { first.Do(do) }
}

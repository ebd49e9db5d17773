package main

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// state is what the whole server counts and can be told to do.
type state struct {
	requests, tunnelsOpened, pairsOpened, dialsFailed, pairsFailed atomic.Int64
	tunnelsOpen, sessionsOpen, pairsOpen, podConnectionsOpen       atomic.Int64

	// upgradesAsked are the requests for an upgrade, by way in.
	upgradesAsked map[string]int

	// opening are the connections of clients that have got no answer yet, and openingMost the most there were at once.
	opening     map[net.Conn]struct{}
	openingMost int
	// held is how many of the next upgrades wait at heldGate.
	held     atomic.Int64
	heldGate gate

	apiGate    gate // requests wait here
	tunnelGate gate // bytes of tunnels wait here

	spoil atomic.Bool // the next text message of channels is no base64

	mutex   sync.Mutex
	tunnels map[cuttable]struct{}
}

// cuttable is an upgraded connection of a client that can be ended in the middle of a frame.
type cuttable interface {
	cut(reset bool)
	// blackhole makes it deaf, down to its acknowledgements.
	blackhole()
}

func newState() *state {
	return &state{tunnels: map[cuttable]struct{}{}, upgradesAsked: map[string]int{}, opening: map[net.Conn]struct{}{}}
}

func (s *state) add(t cuttable) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.tunnels[t] = struct{}{}
	s.tunnelsOpened.Add(1)
	s.tunnelsOpen.Add(1)
}

func (s *state) remove(t cuttable) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.tunnels, t)
	s.tunnelsOpen.Add(-1)
}

// open is a snapshot of the tunnels and WebSockets that are open.
func (s *state) open() []cuttable {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	tunnels := make([]cuttable, 0, len(s.tunnels))
	for t := range s.tunnels {
		tunnels = append(tunnels, t)
	}
	return tunnels
}

func (s *state) countUpgrade(way string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.upgradesAsked[way]++
}

// connectionChanged follows a client's connection until its first request has been answered or it is a tunnel.
func (s *state) connectionChanged(connection net.Conn, to http.ConnState) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch to {
	case http.StateNew:
		s.opening[connection] = struct{}{}
		if len(s.opening) > s.openingMost {
			s.openingMost = len(s.opening)
		}
	case http.StateIdle, http.StateHijacked, http.StateClosed:
		delete(s.opening, connection)
	}
}

// mostOpening is how many connections were on their way at once.
func (s *state) mostOpening() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.openingMost
}

// holdUpgrade lets a request wait if it is one of those to be held.
func (s *state) holdUpgrade() {
	if s.held.Load() > 0 && s.held.Add(-1) >= 0 {
		s.heldGate.wait()
	}
}

// upgrades says how often a way in was asked for.
func (s *state) upgrades(way string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.upgradesAsked[way]
}

// gate lets everybody pass until it is shut, and holds those who come then until it is opened again.
type gate struct {
	mutex  sync.Mutex
	opened chan struct{} // nil: the gate is open
	isShut atomic.Bool
}

func (g *gate) shut() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.opened == nil {
		g.opened = make(chan struct{})
		g.isShut.Store(true)
	}
}

func (g *gate) open() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
		g.isShut.Store(false)
	}
}

func (g *gate) wait() {
	if !g.isShut.Load() {
		return
	}
	g.mutex.Lock()
	opened := g.opened
	g.mutex.Unlock()
	if opened != nil {
		<-opened
	}
}

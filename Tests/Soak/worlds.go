package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"time"
)

// maker makes one world and runs it.
type maker struct {
	name string
	run  func(until time.Time) (result []worldResult, skipped string, err error)
}

// The worlds.
const (
	ofMiniCluster = "MiniCluster, runtime ideal"
	ofGoPeer      = "Go peer, runtime containerd-1.6"
	ofNetwork     = "network namespaces, Go peer, runtime streaming-1.32"
)

func (o options) worlds() []maker {
	if o.inside != "" {
		return []maker{{ofNetwork, o.networkWorld}}
	}
	return []maker{{ofMiniCluster, o.miniClusterWorld}, {ofGoPeer, o.goPeerWorld}, {ofNetwork, o.networkWorldElsewhere}}
}

// briefMinutes is below which only short faults are done.
const briefMinutes = 1

func (o options) chosen(faults ...[]fault) (list []fault) {
	for _, some := range faults {
		for _, f := range some {
			if matched, err := regexp.MatchString(o.fault, f.name); matched || err != nil {
				list = append(list, f)
			}
		}
	}
	if o.minutes < briefMinutes {
		return short(list)
	}
	return list
}

func sortWorlds(worlds []worldResult) {
	sort.Slice(worlds, func(i, j int) bool { return worlds[i].Name < worlds[j].Name })
}

func (o options) directory(name string) (string, error) {
	dir := filepath.Join(o.dir, name)
	return dir, os.Mkdir(dir, 0o700)
}

func (o options) miniClusterWorld(until time.Time) ([]worldResult, string, error) {
	dir, err := o.directory("mini")
	if err != nil {
		return nil, "", err
	}
	s, err := miniCluster(o.program(), dir, "ideal", podsOfDeployment...)
	defer s.endAll()
	if err != nil {
		return nil, "", err
	}
	plans := []plan{
		{name: "deploy/demo, a token file", kubeconfig: "-tokenfile", target: "deploy/demo", clients: 6},
		{name: "deploy/demo --balance least, 64 MiB", target: "deploy/demo",
			options: []string{"--balance", "least", "--tunnels", "1..4", "--memory-limit", "64MiB"}, memoryMiB: 64 * podsWanted, clients: 6},
		{name: "svc/demo --balance round-robin, SPDY", target: "svc/demo", ports: map[string]int{"7": 7000},
			options: []string{"--balance", "round-robin", "--transport", "spdy"}, clients: 4},
		{name: "deploy/demo --balance random, a plugin", kubeconfig: "-plugin", target: "deploy/demo",
			options: []string{"--balance", "random"}, memoryMiB: 256 * podsWanted, clients: 4},
		{name: "pod/solo, 96 descriptors", target: "pod/" + soloPod, descriptorsMax: 96, clients: 5},
	}
	plans[2].memoryMiB = 256 * podsWanted
	w := newWorld(ofMiniCluster, o.seed*3+1, s, plans, o.chosen(faultsOfMiniCluster, faultsOfClients),
		[]string{o.program().ffwd}, o.say)
	if err := w.refill(true); err != nil {
		return nil, "", err
	}
	err = w.run(until)
	return []worldResult{w.result}, "", err
}

func (o options) goPeerWorld(until time.Time) ([]worldResult, string, error) {
	dir, err := o.directory("peer")
	if err != nil {
		return nil, "", err
	}
	s, err := goPeer(o.program(), dir, "containerd-1.6", "127.0.0.1", nil, "demo", "other-1", "other-2")
	defer s.endAll()
	if err != nil {
		return nil, "", err
	}
	plans := []plan{
		{name: "pod/demo", target: "pod/demo", clients: 6, holdsEnds: true},
		{name: "svc/demo --balance least, a token", kubeconfig: "-token", target: "svc/demo", ports: map[string]int{"7": 7000},
			options: []string{"--balance", "least"}, memoryMiB: 256 * 3, clients: 4, holdsEnds: true},
		{name: "pod/demo, one tunnel", target: "pod/demo", options: []string{"--tunnels", "1"}, clients: 3, holdsEnds: true,
			// A refused port blocks workers of a tunnel for good on containerd 1.6, and this one may have no other.
			isLong: true},
		{name: "pod/demo, SPDY, at most 20 connections", target: "pod/demo",
			options: []string{"--transport", "spdy", "--max-connections", "20"}, clients: 4, holdsEnds: true},
		{name: "pod/demo, channels", target: "pod/demo", options: []string{"--transport", "channels"}, clients: 4, holdsEnds: true},
	}
	if o.minutes < briefMinutes {
		var brief []plan
		for _, p := range plans {
			if !p.isLong {
				brief = append(brief, p)
			}
		}
		plans = brief
	}
	w := newWorld(ofGoPeer, o.seed*3+2, s, plans, o.chosen(faultsOfGoPeer, faultsOfClients),
		[]string{o.program().ffwd}, o.say)
	err = w.run(until)
	return []worldResult{w.result}, "", err
}

// networkWorldElsewhere runs the network's world in a namespace of its own.
func (o options) networkWorldElsewhere(until time.Time) ([]worldResult, string, error) {
	if reason := networkMissing(); reason != nil {
		return nil, fmt.Sprintf("%s: %v", ofNetwork, reason), nil
	}
	n, err := openNetwork()
	defer n.close()
	if err != nil {
		return nil, "", err
	}
	text, err := o.again(n, "--seconds", fmt.Sprint(time.Until(until).Seconds()))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", ofNetwork, err)
	}
	var worlds []worldResult
	return worlds, "", json.Unmarshal(text, &worlds)
}

// networkWorld runs in the near namespace; the server and the pods are in the far one.
func (o options) networkWorld(until time.Time) ([]worldResult, string, error) {
	n := network{o.inside + "-near", o.inside + "-far"}
	dir, err := o.directory("network")
	if err != nil {
		return nil, "", err
	}
	s, err := goPeer(o.program(), dir, "streaming-1.32", farAddress, n.onFarSide(), "demo", "other-1", "other-2")
	defer s.endAll()
	if err != nil {
		return nil, "", err
	}
	plans := []plan{
		{name: "pod/demo across a link", target: "pod/demo", clients: 4, holdsEnds: true},
		{name: "svc/demo --balance least across a link", target: "svc/demo", ports: map[string]int{"7": 7000},
			options: []string{"--balance", "least"}, memoryMiB: 256 * 3, clients: 3, holdsEnds: true},
	}
	w := newWorld(ofNetwork, o.seed*3+3, s, plans, o.chosen(n.faults()), []string{o.program().ffwd}, o.say)
	err = w.run(until)
	return []worldResult{w.result}, "", err
}

package main

import (
	"fmt"
	"strings"
)

// values are what one sample has brought, by the names that questions.go knows.
type values map[string]float64

// procedure is what a sample does: from a forwarder to numbers.
type procedure func(*bench, subject) (values, error)

// experiment is something that is done with each subject in turn, several times over.
type experiment struct {
	id     string
	rounds int
	sample procedure
	// where it happens; "": MiniCluster as it is.
	place string
	// only for these subjects; nil: for all but the slow ones.
	subjects []string
	// roundsOf are the rounds of those that do it less often; 0: as often as the others.
	roundsOf map[string]int
}

func (e experiment) roundsFor(s subject) int {
	most := e.rounds
	if few := e.roundsOf[s.Name]; few > 0 {
		most = min(most, few)
	}
	if s.IsSlow {
		most = min(most, roundsOfSlow)
	}
	return most
}

// everyone is for experiments that the slow ones take part in.
var everyone = []string{"ffwd", "before", "yardstick", "kubectl", "portforward", "kr8s"}

func (e experiment) isFor(s subject) bool {
	for _, name := range e.subjects {
		if s.Name == name {
			return true
		}
	}
	return e.subjects == nil && !s.IsSlow
}

const (
	kibibyte = 1 << 10
	gibibyte = 1 << 30
)

// kubernetesFrameBytes is how much the servers of Kubernetes put into one message at most: io.Copy's buffer.
const kubernetesFrameBytes = 32 * kibibyte

// frameSizes are those for which the share of a forwarder's own code is looked at.
var frameSizes = []int{512, kibibyte, 32 * kibibyte, 256 * kibibyte}

// amounts are how much is done in one sample.
type amounts struct {
	transferBytes, trips, messages, sequential, parallel int
	// tripsBeside are round trips beside a download, which take a hundred times as long.
	tripsBeside int
	// held are the numbers of connections that are held open, standing the connections that all stop.
	held     []int
	standing int
	// stalled are the numbers of connections that stop beside others, which do so many round trips each.
	stalled        []int
	bystanderTrips int
	// isolatesAll has the others measured too, and connections that share tunnels with those that stop.
	isolatesAll bool
	// places are where the transfers are done, frameSizes those for which the share of the own program is looked at.
	places     []string
	frameSizes []int
}

var (
	whole = amounts{
		transferBytes: gibibyte / 2, trips: 3000, messages: 400, sequential: 1000, parallel: 4000,
		held: []int{10_000, 19_000}, standing: 1000, stalled: []int{1, 8, 200}, bystanderTrips: 200,
		tripsBeside: 300, isolatesAll: true,
		places: []string{aes128, aes256}, frameSizes: frameSizes,
	}
	brief = amounts{
		transferBytes: gibibyte / 8, trips: 1000, messages: 100, sequential: 200, parallel: 800,
		held: []int{1000}, standing: 200, stalled: []int{8}, bystanderTrips: 80,
		tripsBeside: 100,
		places:      []string{aes128}, frameSizes: []int{kibibyte},
	}
)

// experiments are all of them, in the order in which they are done.
func experiments(a amounts, rounds int) (list []experiment) {
	few := (rounds + 1) / 2 // for what hardly varies
	add := func(place, id string, sample procedure, subjects ...string) {
		list = append(list, experiment{id: id, rounds: rounds, sample: sample, place: place, subjects: subjects})
	}
	for _, place := range a.places {
		for _, connections := range []int{1, 64} {
			id := func(way string) string { return transferID(place, way, connections) }
			var subjects []string
			if place == aes128 {
				subjects = everyone
			}
			add(place, id("down"), framed(kubernetesFrameBytes, down(connections, a.transferBytes)), subjects...)
			add(place, id("up"), up(connections, a.transferBytes, 256*kibibyte), subjects...)
		}
	}
	add(aes128, "down-1-small", framed(kibibyte, down(1, a.transferBytes/8)))
	add(aes128, "down-1-large", framed(256*kibibyte, down(1, a.transferBytes)))
	add(aes128, "messages-64", messages(64, kibibyte, a.messages))
	for _, bytes := range []int{1, kibibyte} {
		add(aes128, fmt.Sprintf("echo-%d", bytes), latency(bytes, a.trips), everyone...)
	}
	for _, bytes := range []int{1, kibibyte} {
		add(aes128, fmt.Sprintf("beside-%d", bytes), beside(bytes, a.tripsBeside))
	}
	add(aes128, "fair", fair(a.bystanderTrips/20))
	add(aes128, "connections-1", connections(a.sequential, 1), everyone...)
	add(aes128, "connections-64", connections(a.parallel, 64), everyone...)
	add(farAway, "far", connections(50, 1))
	add(goPeer, "go-up-1", up(1, a.transferBytes/2, 256*kibibyte))
	add(goPeer, "go-up-64-small", up(64, a.transferBytes/16, kibibyte))
	add(goPeer, "go-messages-64", messages(64, kibibyte, a.messages))
	if hasPerf() {
		// A tool that writes the profile of each run takes its share of the machine: these give no other figures.
		for _, bytes := range a.frameSizes {
			id := fmt.Sprintf("share-down-%d", bytes)
			add(aes128, id, framed(bytes, share(down(1, shareBytes(bytes)))), "ffwd", "yardstick", "before")
		}
		add(aes128, "share-up", share(up(1, shareBytes(256*kibibyte), 256*kibibyte)), "ffwd", "yardstick", "before")
		add(aes128, "share-messages", share(messages(64, kibibyte, whole.messages)), "ffwd", "yardstick", "before")
		for i := range list {
			if strings.HasPrefix(list[i].id, "share-") {
				list[i].rounds = few
			}
		}
	}
	isolation(a, func(place, id string, sample procedure, subjects ...string) {
		roundsOf := map[string]int{"kubectl": 1} // its others stop for good, each time
		if strings.HasPrefix(id, "apart-") {
			roundsOf["yardstick"] = 1
		}
		list = append(list, experiment{
			id: id, rounds: few, sample: sample, place: place, subjects: subjects, roundsOf: roundsOf,
		})
	})
	list = append(list,
		experiment{id: "start", rounds: 2 * rounds, sample: startup, subjects: everyone},
		experiment{id: "end", rounds: few, sample: framed(kubernetesFrameBytes, ending)},
		experiment{id: "idle", rounds: few, sample: idle, subjects: everyone},
		experiment{id: "size", rounds: 1, sample: size})
	for i, count := range a.held {
		e := experiment{
			id: heldID(count), rounds: few, sample: holding(count), subjects: everyone[:len(everyone)-1], // kr8s has room for 100
			roundsOf: map[string]int{"kubectl": 1},
		}
		if i > 0 {
			e.rounds, e.subjects = 1, []string{"ffwd", "kubectl", "before"} // the yardstick's table ends at 16,384
			// First of all: later the ports of this host are used up by connections that have just ended (TIME_WAIT).
			list = append([]experiment{e}, list...)
			continue
		}
		list = append(list, e)
	}
	for i := range list {
		if list[i].place == "" {
			list[i].place = aes128
		}
	}
	return list
}

// shareBytes make some hundred samples of a profile, at the least: small frames take more time for each byte.
func shareBytes(frameBytes int) int {
	if frameBytes < kubernetesFrameBytes {
		return gibibyte / 8
	}
	return gibibyte / 2
}

func transferID(place, way string, connections int) string {
	id := fmt.Sprintf("%s-%d", way, connections)
	if place != aes128 {
		id += "-" + place
	}
	return id
}

func heldID(count int) string { return fmt.Sprintf("held-%d", count) }

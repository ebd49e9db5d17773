package main

import (
	"fmt"
	"strings"
)

// figure is one line of the report: a value of an experiment.
type figure struct {
	experiment, value string
	title, unit       string
	decimals          int
	moreIsBetter      bool
	bars              bars
}

// bars are what ffwd has to reach; 0: no bar.
type bars struct {
	// absolute is in the figure's unit.
	absolute float64
	// yardstick and kubectl are for ffwd's median over theirs.
	yardstick, kubectl float64
}

// question is one table.
type question struct {
	title   string
	figures []figure
	note    string
}

// questions are all tables; held are the experiments that have held connections open.
func questions(held []string) []question {
	return []question{
		{"Processor time for bytes", append(append(transfers("cpu", "s/GiB", 2, false, true), smallAndLarge("cpu", "s/GiB", 2, false)...),
			figure{experiment: "messages-64", value: "messages", title: "1 KiB there and back, 64 connections", unit: "thousands per s",
				decimals: 1, moreIsBetter: true, bars: bars{yardstick: 0.9}}),
			"The forwarder's own user and system time for each GiB of payload. Where nothing else is said, the cluster sends " +
				"messages of up to 32 KiB, as Kubernetes does; how an upload is cut is the forwarder's own choice. The last " +
				"line: messages for each second of processor time."},
		{"Share of the forwarder's own program", shares(),
			"What perf finds in the program itself: its code and the run time that is linked into it. The rest is the kernel, " +
				"OpenSSL, libc and libuv."},
		{"Rate", append(transfers("rate", "MiB/s", 0, true, false), smallAndLarge("rate", "MiB/s", 0, true)...),
			"Forwarder, cluster, pod and load generator share the machine, so this is what is left of it, not what a " +
				"forwarder could do alone."},
		{"Round trips", roundTrips(),
			"One open connection to an echo; and the same while another connection of the same forwarder downloads as fast as it can."},
		{"Connections", []figure{
			{experiment: "connections-1", value: "cpu", title: "one after another, processor time each", unit: "µs", bars: bars{60, 1.1, 0.1}},
			{experiment: "connections-1", value: "p50", title: "one after another, whole, median", unit: "µs"},
			{experiment: "connections-64", value: "cpu", title: "64 at a time, processor time each", unit: "µs", bars: bars{60, 1.1, 0}},
			{experiment: "connections-64", value: "p50", title: "64 at a time, whole, median", unit: "µs"},
			{experiment: "connections-64", value: "p99", title: "64 at a time, whole, 99th percentile", unit: "µs"},
			{experiment: "far", value: "first", title: "20 ms away, first byte, median", unit: "ms", decimals: 1, bars: bars{absolute: 1.5 * float64(farSpan.Milliseconds())}},
			{experiment: "end", value: "end", title: "a download's end, after its last byte", unit: "ms", decimals: 1},
		}, "Each is opened, echoes 64 bytes and is closed. 20 ms away: through a relay that holds each byte for 10 ms, so that round trips " +
			"of the tunnel can be counted. The last line: how long a client waits for the end of a download on " +
			"MiniCluster's runtime `ideal`, which does not say whether a pod's end is a clean one before the client ends too; " +
			"ffwd waits for that, kubectl and the yardstick pass the end on unproved. Container runtimes do say it, a second late."},
		{"Memory", append([]figure{
			{experiment: "idle", value: "resident", title: "idle, resident", unit: "MiB", decimals: 1, bars: bars{absolute: 16}},
			{experiment: "idle", value: "own", title: "idle, of it not backed by files", unit: "MiB", decimals: 1},
		}, append(holdings(held), standings()...)...),
			"Each held connection has echoed a byte, and echoes another one before it is closed; a slow forwarder gets a sixteenth of " +
				"them, and the yardstick has no room for the most. Those that stand still: clients that ask for 2 MiB each and stop " +
				"reading, and then read on and compare all; and connections to a pod that never reads, which write until nothing is " +
				"taken. The most memory that the forwarder has had at any time; ffwd's bar is its `--memory-limit` of 256 MiB and " +
				"what it needs idle."},
		{"Keeping connections apart", separations(),
			fmt.Sprintf("%d connections echo %d bytes each, over and over, alone and then beside others of the same forwarder that stand "+
				"still: clients that stop reading a download of 8 MiB (MiniCluster), or a pod that reads nothing of an upload (the "+
				"server on Kubernetes' own libraries). They have %v before they are given up. `There before`: the echoing ones are open "+
				"when the others stop, and share tunnels with them. The yardstick, which asks for no acknowledgements and has one tunnel, "+
				"shows what an upload that stands still does without them. The last lines: 64 uploads %v away.", bystanders, bystanderBytes,
				patience, veryFarSpan)},
		{"Start and size", []figure{
			{experiment: "start", value: "start", title: "from start to `Forwarding from`", unit: "ms", bars: bars{absolute: 15, kubectl: 0.2}},
			{experiment: "start", value: "cpu", title: "processor time until then", unit: "ms"},
			{experiment: "size", value: "stripped", title: "the program, stripped", unit: "MiB", decimals: 1, bars: bars{absolute: 23.8}},
			{experiment: "size", value: "libraries", title: "shared libraries that it loads besides libc", unit: "MiB", decimals: 1},
		}, "The yardstick asks nothing of the API before it opens its tunnel."},
		{"The server on Kubernetes' own Go libraries: its processor time", []figure{
			{experiment: "go-up-1", value: "cluster", title: "up, 1 connection", unit: "s/GiB", decimals: 2, bars: bars{kubectl: 0.75}},
			{experiment: "go-up-64-small", value: "cluster", title: "up, 64 connections, written 1 KiB at a time", unit: "s/GiB", decimals: 2, bars: bars{kubectl: 0.5}},
			{experiment: "go-messages-64", value: "cluster", title: "1 KiB there and back, 64 connections", unit: "µs", decimals: 1},
			{experiment: "go-up-1", value: "cpu", title: "the forwarder's, up, 1 connection", unit: "s/GiB", decimals: 2},
			{experiment: "go-up-64-small", value: "cpu", title: "the forwarder's, up, 64 connections", unit: "s/GiB", decimals: 2},
		}, "API server, kubelet and container runtime in one process ([Tests/Peers](../../Tests/Peers)): how the client cuts and " +
			"gathers its frames decides what these pay."},
		{"MiniCluster beside them: its processor time", append(transfers("cluster", "s/GiB", 2, false, false),
			figure{experiment: "messages-64", value: "cluster", title: "1 KiB there and back, 64 connections", unit: "µs", decimals: 1},
			figure{experiment: "connections-1", value: "cluster", title: "a connection, one after another", unit: "µs"},
			figure{experiment: "connections-64", value: "cluster", title: "a connection, 64 at a time", unit: "µs"}),
			"MiniCluster's API server, without its pod: what it had to do for each forwarder."},
	}
}

func holdings(held []string) (list []figure) {
	for _, id := range held {
		title := strings.TrimPrefix(id, "held-") + " connections held open"
		list = append(list,
			figure{experiment: id, value: "resident", title: title + ", resident", unit: "MiB", decimals: 1},
			figure{experiment: id, value: "each", title: title + ", for each of them", unit: "KiB", decimals: 2, bars: bars{absolute: 1}},
			figure{experiment: id, value: "seconds", title: title + ", opening them took", unit: "s", decimals: 2})
	}
	return list
}

// standingMax is ffwd's default --memory-limit and the bar for what it needs idle, in MiB.
const standingMax = 256 + 16

func standings() (list []figure) {
	for _, side := range []struct{ id, title, kept string }{
		{"standing-clients", "clients that do not read", "that got every byte once they read"},
		{"standing-pods", "connections to a pod that does not read", "that were left alone"},
	} {
		list = append(list,
			figure{experiment: side.id, value: "peak", title: side.title + ", peak", unit: "MiB", decimals: 1, bars: bars{absolute: standingMax}},
			figure{experiment: side.id, value: "kept", title: side.title + ", " + side.kept, unit: "%", decimals: 1, moreIsBetter: true,
				bars: bars{absolute: 100}})
	}
	return list
}

func separations() (list []figure) {
	for _, c := range []struct{ id, title string }{
		{"apart-down-1", "beside 1 stalled download"}, {"apart-down-8", "beside 8 stalled downloads"},
		{"apart-down-200", "beside 200 stalled downloads"}, {"apart-down-early", "there before 8 stalled downloads"},
		{"apart-up-1", "beside 1 stalled upload"}, {"apart-up-8", "beside 8 stalled uploads"},
		{"apart-up-early", "there before 8 stalled uploads"},
	} {
		early := strings.HasSuffix(c.id, "-early")
		ratio := figure{experiment: c.id, value: "ratio", title: c.title + ", 99th percentile over that alone", unit: "×", decimals: 2}
		if !early {
			ratio.bars.absolute = 1.5
		}
		list = append(list,
			figure{experiment: c.id, value: "beside", title: c.title + ", 99th percentile", unit: "µs"}, ratio)
		if early {
			list = append(list, figure{experiment: c.id, value: "worst", title: c.title + ", longest", unit: "ms", decimals: 1})
		}
		list = append(list,
			figure{experiment: c.id, value: "through", title: c.title + ", of these went through", unit: "%", decimals: 1, moreIsBetter: true,
				bars: bars{absolute: 100}},
			figure{experiment: c.id, value: "kept", title: c.title + ", of those that stood ended right", unit: "%", decimals: 1, moreIsBetter: true})
	}
	return append(list,
		figure{experiment: "far-busy", value: "rate", title: "64 uploads, far away", unit: "MiB/s", decimals: 1, moreIsBetter: true,
			bars: bars{yardstick: 0.9, kubectl: 0.9}},
		figure{experiment: "far-busy-brief", value: "rate", title: "64 uploads of 1 MiB, far away, opened at once", unit: "MiB/s", decimals: 1, moreIsBetter: true,
			bars: bars{yardstick: 0.9, kubectl: 0.9}},
		figure{experiment: "far-busy-beside", value: "rate", title: "64 uploads, far away, beside 1 stalled upload", unit: "MiB/s", decimals: 1, moreIsBetter: true})
}

func plural(connections int) string {
	if connections == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", connections)
}

func transfers(value, unit string, decimals int, moreIsBetter, hasBars bool) (list []figure) {
	for _, place := range []string{aes128, aes256} {
		for _, way := range []string{"down", "up"} {
			for _, connections := range []int{1, 64} {
				f := figure{
					experiment: transferID(place, way, connections), value: value, unit: unit, decimals: decimals,
					title: way + ", " + plural(connections), moreIsBetter: moreIsBetter,
				}
				if place == aes256 {
					f.title += ", AES-256"
				}
				if hasBars {
					f.bars = bars{yardstick: 1.1, kubectl: map[string]float64{"down": 0.4, "up": 0.65}[way]}
				}
				list = append(list, f)
			}
		}
	}
	return list
}

func smallAndLarge(value, unit string, decimals int, moreIsBetter bool) []figure {
	return []figure{
		{"down-1-small", value, "down, 1 connection, frames of 1 KiB", unit, decimals, moreIsBetter, bars{}},
		{"down-1-large", value, "down, 1 connection, frames of up to 256 KiB", unit, decimals, moreIsBetter, bars{}},
	}
}

func shares() (list []figure) {
	for _, bytes := range frameSizes {
		size := fmt.Sprintf("%d B", bytes)
		if bytes >= kibibyte {
			size = fmt.Sprintf("%d KiB", bytes/kibibyte)
		}
		list = append(list, figure{experiment: fmt.Sprintf("share-down-%d", bytes), title: "down, frames of " + size})
	}
	list = append(list, figure{experiment: "share-up", title: "up"},
		figure{experiment: "share-messages", title: "1 KiB there and back, 64 connections"})
	for i := range list {
		list[i].value, list[i].unit, list[i].decimals, list[i].bars = "share", "%", 1, bars{absolute: 5}
	}
	return list
}

func roundTrips() (list []figure) {
	for _, setting := range []struct {
		id, title string
		p99       float64
	}{{"echo", "", 0}, {"beside", " beside a download", 1.5}} {
		for _, size := range []struct{ id, title string }{{"1", "1 B"}, {"1024", "1 KiB"}} {
			id, title := setting.id+"-"+size.id, size.title+setting.title
			list = append(list,
				figure{experiment: id, value: "p50", title: title + ", median", unit: "µs", bars: bars{yardstick: 1.1}},
				figure{experiment: id, value: "p99", title: title + ", 99th percentile", unit: "µs", bars: bars{yardstick: setting.p99}})
			if setting.p99 == 0 {
				list = append(list, figure{experiment: id, value: "cpu", title: title + ", processor time", unit: "µs", decimals: 1})
			}
		}
	}
	for _, value := range []struct{ id, title string }{{"p50", "median"}, {"p99", "99th percentile"}, {"worst", "longest"}} {
		f := figure{experiment: "fair", value: value.id, title: "64 B on 500 connections beside a download, " + value.title, unit: "ms", decimals: 1}
		if value.id == "p99" {
			f.bars.yardstick = 1.5
		}
		list = append(list, f)
	}
	return list
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// framed has the cluster cut what it sends to the client.
func framed(frameBytes int, inner procedure) procedure {
	return func(b *bench, s subject) (values, error) {
		if err := b.cut(frameBytes); err != nil {
			return nil, err
		}
		defer b.cut(0)
		return inner(b, s)
	}
}

// down moves bytes from the pod; the client goes with the last byte, as the end itself is another question.
func down(connections, total int) procedure {
	flags := func(bytes int) []any {
		return []any{"--connections", connections, "--bytes", bytes, "--read", bytes, "--how", "fin"}
	}
	return transfer("abandon", 7001, connections, total, flags)
}

// up moves bytes to the pod, which answers with their count.
func up(connections, total, chunkBytes int) procedure {
	flags := func(bytes int) []any {
		return []any{"--connections", connections, "--bytes", bytes, "--chunk", chunkBytes}
	}
	return transfer("counted-sink", 7003, connections, total, flags)
}

// transfer counts processor time per GiB.
func transfer(command string, remote, connections, total int, flags func(bytes int) []any) procedure {
	return func(b *bench, s subject) (values, error) {
		each := s.share(total, connections) / connections
		f, err := b.forward(s, remote)
		if err != nil {
			return nil, err
		}
		defer f.end()
		// Warm: the tunnels that so many connections want are open, the buffers have their size.
		if _, err := b.run(command, f.port, flags(max(each/64, 16*kibibyte))...); err != nil {
			return nil, err
		}
		time.Sleep(settleSpan)
		var report *loadReport
		spent, err := b.measured(f, func() (err error) {
			report, err = b.run(command, f.port, flags(each)...)
			return err
		})
		if err != nil {
			return nil, err
		}
		gib := float64(each*connections) / gibibyte
		return values{
			"cpu":     spent.forwarder.Seconds() / gib,
			"cluster": spent.cluster.Seconds() / gib,
			"rate":    report.MiBPerSecond,
		}, nil
	}
}

// ending is how long a client waits for the end of a download after its last byte.
func ending(b *bench, s subject) (values, error) {
	f, err := b.forward(s, 7001)
	if err != nil {
		return nil, err
	}
	defer f.end()
	report, err := b.run("source", f.port, "--bytes", 16*kibibyte*kibibyte)
	if err != nil {
		return nil, err
	}
	return values{"end": (report.Latencies["whole"].P50 - report.Latencies["lastByte"].P50) / 1000}, nil
}

// messages counts small ones on connections that stay open: each waits for its echo, so none are gathered on the way.
func messages(connections, bytes, rounds int) procedure {
	return func(b *bench, s subject) (values, error) {
		f, err := b.forward(s, 7000)
		if err != nil {
			return nil, err
		}
		defer f.end()
		flags := func(rounds int) []any {
			return []any{"--connections", connections, "--bytes", bytes, "--rounds", rounds}
		}
		if _, err := b.run("latency", f.port, flags(max(rounds/20, 1))...); err != nil {
			return nil, err
		}
		var report *loadReport
		spent, err := b.measured(f, func() (err error) {
			report, err = b.run("latency", f.port, flags(rounds)...)
			return err
		})
		if err != nil {
			return nil, err
		}
		count := float64(connections * rounds)
		return values{
			"messages": count / spent.forwarder.Seconds() / 1000,
			"cluster":  spent.cluster.Seconds() / count * 1e6,
			"p50":      report.Latencies["roundTrip"].P50,
			"p99":      report.Latencies["roundTrip"].P99,
		}, nil
	}
}

// latency counts round trips on one open connection.
func latency(bytes, trips int) procedure {
	return func(b *bench, s subject) (values, error) {
		f, err := b.forward(s, 7000)
		if err != nil {
			return nil, err
		}
		defer f.end()
		return b.roundTrips(f, f.port, bytes, s.share(trips, 100))
	}
}

// duringDownload does something while another connection of the same forwarder downloads as fast as it can.
func duringDownload(inner func(*bench, *forward) (values, error)) procedure {
	return framed(kubernetesFrameBytes, func(b *bench, s subject) (values, error) {
		f, err := b.forward(s, 7000, 7001)
		if err != nil {
			return nil, err
		}
		defer f.end()
		download, err := start(b.client, loadArguments("source", f.ports[7001], "--bytes", 1<<40)...)
		if err != nil {
			return nil, err
		}
		defer download.Command.Process.Kill()
		time.Sleep(settleSpan)
		taken, err := inner(b, f)
		if err == nil && download.HasEnded() {
			err = fmt.Errorf("the download beside has ended: %s", download.Said.Last())
		}
		return taken, err
	})
}

// beside counts round trips of one connection during a download.
func beside(bytes, trips int) procedure {
	return duringDownload(func(b *bench, f *forward) (values, error) {
		taken, err := b.roundTrips(f, f.port, bytes, trips)
		delete(taken, "cpu") // the download's
		return taken, err
	})
}

// smallOnes are how many connections share the forwarder with a download.
const smallOnes = 500

// fair counts round trips of many small connections during a download.
func fair(trips int) procedure {
	return duringDownload(func(b *bench, f *forward) (values, error) {
		report, err := b.run("latency", f.port, "--connections", smallOnes, "--bytes", 64, "--rounds", trips)
		if err != nil {
			return nil, err
		}
		trip := report.Latencies["roundTrip"]
		return values{"p50": trip.P50 / 1000, "p99": trip.P99 / 1000, "worst": trip.Max / 1000}, nil
	})
}

func (b *bench) roundTrips(f *forward, port, bytes, trips int) (values, error) {
	if _, err := b.run("latency", port, "--bytes", bytes, "--rounds", max(trips/10, 1)); err != nil {
		return nil, err
	}
	var report *loadReport
	spent, err := b.measured(f, func() (err error) {
		report, err = b.run("latency", port, "--bytes", bytes, "--rounds", trips)
		return err
	})
	if err != nil {
		return nil, err
	}
	return values{
		"p50": report.Latencies["roundTrip"].P50, "p99": report.Latencies["roundTrip"].P99,
		"cpu": float64(spent.forwarder.Nanoseconds()) / 1000 / float64(trips),
	}, nil
}

// connections opens, uses (64 bytes there and back) and closes, so many at a time.
func connections(all, parallel int) procedure {
	return func(b *bench, s subject) (values, error) {
		count := s.share(all, parallel)
		f, err := b.forward(s, 7000)
		if err != nil {
			return nil, err
		}
		defer f.end()
		flags := func(count int) []any {
			return []any{"--connections", count, "--parallel", parallel, "--bytes", 64}
		}
		if _, err := b.run("sequential", f.port, flags(max(count/10, parallel))...); err != nil {
			return nil, err
		}
		time.Sleep(settleSpan)
		var report *loadReport
		spent, err := b.measured(f, func() (err error) {
			report, err = b.run("sequential", f.port, flags(count)...)
			return err
		})
		if err != nil {
			return nil, err
		}
		perConnection := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(count) }
		return values{
			"cpu": perConnection(spent.forwarder), "cluster": perConnection(spent.cluster),
			"p50": report.Latencies["whole"].P50, "p99": report.Latencies["whole"].P99,
			"first": report.Latencies["firstByte"].P50 / 1000,
		}, nil
	}
}

func startup(b *bench, s subject) (values, error) {
	f, err := b.forward(s, 7000)
	if err != nil {
		return nil, err
	}
	defer f.end()
	spent, err := f.cpu()
	return values{"start": f.startup.Seconds() * 1000, "cpu": spent.Seconds() * 1000}, err
}

// idleSpan is how long a forwarder is left alone before its memory is looked at.
const idleSpan = time.Second

func idle(b *bench, s subject) (values, error) {
	f, err := b.forward(s, 7000)
	if err != nil {
		return nil, err
	}
	defer f.end()
	time.Sleep(idleSpan)
	resident, err := f.Kibibytes("VmRSS")
	if err != nil {
		return nil, err
	}
	own, err := f.Kibibytes("RssAnon")
	return values{"resident": resident / 1024, "own": own / 1024}, err
}

// heldOnOnePort are as many as one port of a pod can have: ports of its clients are used again only after a while.
const heldOnOnePort = 10_000

// holding keeps connections open that have carried a byte, and counts memory for each: the forwarder's own, as pages of its
// program, which come and go, are no connection's.
func holding(all int) procedure {
	return func(b *bench, s subject) (values, error) {
		count := s.share(all, 100)
		remotes := []int{7000}
		if count > heldOnOnePort {
			remotes = []int{7000, 7011}
		}
		f, err := b.forward(s, remotes...)
		if err != nil {
			return nil, err
		}
		defer f.end()
		if _, err := b.run("echo", f.port, "--bytes", 1024); err != nil {
			return nil, err
		}
		time.Sleep(idleSpan)
		before, err := f.Kibibytes("RssAnon")
		if err != nil {
			return nil, err
		}
		begun := time.Now()
		var connections []*held
		defer func() {
			for _, some := range connections {
				some.end()
			}
		}()
		for _, remote := range remotes {
			some, err := b.hold(f.ports[remote], count/len(remotes))
			if err != nil {
				return nil, err
			}
			connections = append(connections, some)
		}
		opened := time.Since(begun)
		time.Sleep(idleSpan)
		resident, err := f.Kibibytes("VmRSS")
		if err != nil {
			return nil, err
		}
		own, err := f.Kibibytes("RssAnon")
		if err != nil {
			return nil, err
		}
		for _, some := range connections {
			if err := some.release(); err != nil {
				return nil, err
			}
		}
		return values{
			"resident": resident / 1024, "each": (own - before) / float64(count),
			"seconds": opened.Seconds(),
		}, nil
	}
}

// size is that of the stripped program, and of what it wants of the system.
func size(b *bench, s subject) (values, error) {
	f, err := b.forward(s, 7000)
	if err != nil {
		return nil, err
	}
	libraries := 0.0
	for _, path := range f.libraries() {
		libraries += fileMiB(path)
	}
	f.end()
	stripped := filepath.Join(b.dir, "stripped-"+s.Name)
	if output, err := exec.Command("strip", "-o", stripped, s.Path).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("strip: %w: %s", err, output)
	}
	defer os.Remove(stripped)
	return values{"stripped": fileMiB(stripped), "libraries": libraries}, nil
}

// share is the part of the processor time that a forwarder spends in its own program while another procedure runs:
// its code and the run time that is linked into it, without the kernel and the libraries.
func share(inner procedure) procedure {
	return func(b *bench, s subject) (values, error) {
		recorder := &recorder{data: filepath.Join(b.dir, "share.perf")}
		var failed error
		b.forwards = func(f *forward) { failed = recorder.start("-p", strconv.Itoa(f.PID())) }
		defer func() { b.forwards = nil }()
		_, err := inner(b, s)
		if failed != nil {
			return nil, failed
		}
		recorder.stop()
		if err != nil {
			return nil, err
		}
		shares, err := recorder.shares("dso")
		if err != nil {
			return nil, err
		}
		all := 0.0
		for _, share := range shares {
			all += share
		}
		if all == 0 {
			return nil, fmt.Errorf("no samples of %s", s.Path)
		}
		return values{"share": 100 * shares[filepath.Base(s.Path)] / all}, nil
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// values are what one sample has brought, by the names that report.go knows.
type values map[string]float64

// experiment is something that is done with each subject in turn, several times over.
type experiment struct {
	id     string
	rounds int
	sample func(*bench, subject) (values, error)
}

const gibibyte = 1 << 30

// amounts are how much is done in one sample.
type amounts struct {
	transferBytes, trips, sequential, parallel, held int
}

var (
	whole = amounts{transferBytes: gibibyte, trips: 5000, sequential: 1000, parallel: 4000, held: 9000}
	brief = amounts{transferBytes: gibibyte / 8, trips: 1000, sequential: 200, parallel: 800, held: 1000}
)

func experiments(a amounts, rounds int) []experiment {
	list := []experiment{}
	for _, connections := range []int{1, 64} {
		down := transfer("source", 7001, connections, a.transferBytes)
		list = append(list,
			experiment{fmt.Sprintf("down-%d", connections), rounds, framed(kubernetesFrameBytes, down)},
			experiment{fmt.Sprintf("up-%d", connections), rounds, transfer("counted-sink", 7003, connections, a.transferBytes)})
	}
	list = append(list,
		experiment{"down-1-small", rounds, framed(1024, transfer("source", 7001, 1, a.transferBytes/8))},
		experiment{"down-1-large", rounds, transfer("source", 7001, 1, a.transferBytes)})
	return append(list,
		experiment{"echo-1", rounds, latency(1, a.trips)},
		experiment{"echo-1024", rounds, latency(1024, a.trips)},
		experiment{"connections-1", rounds, connections(a.sequential, 1)},
		experiment{"connections-64", rounds, connections(a.parallel, 64)},
		experiment{"start", 2 * rounds, startup},
		experiment{"idle", rounds, idle},
		experiment{fmt.Sprintf("held-%d", a.held), rounds, holding(a.held)},
		experiment{"size", 1, size})
}

// kubernetesFrameBytes is how much the servers of Kubernetes put into one message at most: io.Copy's buffer.
const kubernetesFrameBytes = 32 << 10

// framed has the cluster cut what it sends to the client.
func framed(frameBytes int, inner func(*bench, subject) (values, error)) func(*bench, subject) (values, error) {
	return func(b *bench, s subject) (values, error) {
		if err := b.cut(frameBytes); err != nil {
			return nil, err
		}
		defer b.cut(0)
		return inner(b, s)
	}
}

// transfer moves bytes one way and counts processor time per GiB.
func transfer(command string, remote, connections, total int) func(*bench, subject) (values, error) {
	return func(b *bench, s subject) (values, error) {
		f, err := b.forward(s, remote)
		if err != nil {
			return nil, err
		}
		defer f.end()
		each := total / connections
		flags := func(bytes int) []any {
			list := []any{"--connections", connections, "--bytes", bytes}
			if command != "source" {
				list = append(list, "--chunk", 256<<10)
			}
			return list
		}
		// Warm: the tunnels that so many connections want are open, the buffers have their size.
		if _, err := b.run(command, f.port, flags(max(each/64, 16<<10))...); err != nil {
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
		taken := values{
			"cpu":     spent.forwarder.Seconds() / gib,
			"cluster": spent.cluster.Seconds() / gib,
			"rate":    report.MiBPerSecond,
		}
		if last, known := report.Latencies["lastByte"]; known {
			taken["end"] = (report.Latencies["whole"].P50 - last.P50) / 1000
		}
		return taken, nil
	}
}

// latency counts round trips on one open connection.
func latency(bytes, trips int) func(*bench, subject) (values, error) {
	return func(b *bench, s subject) (values, error) {
		f, err := b.forward(s, 7000)
		if err != nil {
			return nil, err
		}
		defer f.end()
		if _, err := b.run("latency", f.port, "--bytes", bytes, "--rounds", trips/10); err != nil {
			return nil, err
		}
		var report *loadReport
		spent, err := b.measured(f, func() (err error) {
			report, err = b.run("latency", f.port, "--bytes", bytes, "--rounds", trips)
			return err
		})
		if err != nil {
			return nil, err
		}
		trip := report.Latencies["roundTrip"]
		return values{
			"p50": trip.P50, "p99": trip.P99,
			"cpu": float64(spent.forwarder.Microseconds()) / float64(trips),
		}, nil
	}
}

// connections opens, uses (64 bytes there and back) and closes, so many at a time.
func connections(count, parallel int) func(*bench, subject) (values, error) {
	return func(b *bench, s subject) (values, error) {
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
	resident, err := f.status("VmRSS")
	if err != nil {
		return nil, err
	}
	own, err := f.status("RssAnon")
	return values{"resident": resident / 1024, "own": own / 1024}, err
}

// holding keeps connections open that have carried a byte, and counts memory for each.
func holding(count int) func(*bench, subject) (values, error) {
	return func(b *bench, s subject) (values, error) {
		f, err := b.forward(s, 7000)
		if err != nil {
			return nil, err
		}
		defer f.end()
		if _, err := b.run("echo", f.port, "--bytes", 1024); err != nil {
			return nil, err
		}
		time.Sleep(idleSpan)
		before, err := f.status("VmRSS")
		if err != nil {
			return nil, err
		}
		begun := time.Now()
		connections, err := b.hold(f.port, count)
		if err != nil {
			return nil, err
		}
		opened := time.Since(begun)
		time.Sleep(idleSpan)
		resident, err := f.status("VmRSS")
		if ended := connections.release(); err == nil {
			err = ended
		}
		if err != nil {
			return nil, err
		}
		return values{
			"resident": resident / 1024, "each": (resident - before) / float64(count),
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
	dir, err := os.MkdirTemp("", "ffwd-bench-size")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	stripped := filepath.Join(dir, "stripped")
	if output, err := exec.Command("strip", "-o", stripped, s.Path).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("strip: %w: %s", err, output)
	}
	return values{"stripped": fileMiB(stripped), "libraries": libraries}, nil
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

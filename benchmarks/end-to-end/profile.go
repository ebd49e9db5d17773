package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// profiledSpan is long enough for the fewest seconds that a run takes.
const profiledSpan = 60 * time.Second

func hasPerf() bool {
	_, err := exec.LookPath("perf")
	return err == nil
}

// recorder is a run of perf.
type recorder struct {
	data string
	*process
}

// start records from its return until stop; `what` says of whom.
func (r *recorder) start(what ...string) (err error) {
	os.Remove(r.data)
	arguments := append([]string{"record", "-q", "-F", "1999", "-o", r.data}, what...)
	arguments = append(arguments, "--", "sleep", strconv.Itoa(int(profiledSpan.Seconds())))
	if r.process, err = start("perf", arguments...); err != nil {
		return err
	}
	// It writes the head of its file when it has attached itself.
	for waited := time.Duration(0); fileMiB(r.data) == 0; waited += settleSpan / 10 {
		if waited > startMax || r.HasEnded() {
			return fmt.Errorf("perf does not record: %s", r.Said.Last())
		}
		time.Sleep(settleSpan / 10)
	}
	time.Sleep(settleSpan)
	return nil
}

func (r *recorder) stop() {
	r.Command.Process.Signal(os.Interrupt)
	<-r.Done()
}

// shares are per cent by the keys of `perf report --sort`; the addresses of a library without symbols count as one.
func (r *recorder) shares(keys string) (map[string]float64, error) {
	arguments := []string{"report", "-i", r.data, "--stdio", "-q", "--sort", keys}
	output, err := exec.Command("perf", arguments...).Output()
	if err != nil {
		return nil, fmt.Errorf("perf report: %w", err)
	}
	address := regexp.MustCompile(`\[\.\] 0x[0-9a-f]+`)
	shares := map[string]float64{}
	for _, line := range strings.Split(string(output), "\n") {
		words := strings.Fields(address.ReplaceAllString(strings.TrimRight(line, " -"), "(no symbols)"))
		if len(words) < 2 {
			continue
		}
		if share, err := strconv.ParseFloat(strings.TrimSuffix(words[0], "%"), 64); err == nil {
			shares[strings.Join(words[1:], " ")] += share
		}
	}
	return shares, nil
}

// profile says where ffwd and the yardstick spend their time: by library, then by symbol, for a download and an upload.
func (b *bench) profile() error {
	if !hasPerf() {
		return fmt.Errorf("perf is not there (Debian: linux-perf)")
	}
	for _, s := range b.subjects {
		for _, run := range []struct {
			title, command string
			port           int
		}{{"download", "source", 7001}, {"upload", "counted-sink", 7003}} {
			if err := b.profileOne(s, run.title, run.command, run.port); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) profileOne(s subject, title, command string, port int) error {
	f, err := b.forward(s, port)
	if err != nil {
		return err
	}
	defer f.end()
	if _, err := b.run(command, f.port, "--bytes", 16<<20); err != nil {
		return err
	}
	recorder := &recorder{data: filepath.Join(b.dir, title+".perf")}
	if err := recorder.start("-p", strconv.Itoa(f.PID())); err != nil {
		return err
	}
	defer recorder.process.end()
	report, err := b.run(command, f.port, "--bytes", 2*gibibyte)
	if err != nil {
		return err
	}
	recorder.stop()
	fmt.Printf("\n%s, %s, 2 GiB on one connection, %.0f MiB/s\n", s.Name, title, report.MiBPerSecond)
	for _, keys := range []string{"dso", "dso,symbol"} {
		shares, err := recorder.shares(keys)
		if err != nil {
			return err
		}
		printShares(shares)
	}
	return nil
}

// shareMin is the least share, in per cent, that is worth a line.
const shareMin = 0.5

// printShares prints the largest shares.
func printShares(shares map[string]float64) {
	names := []string{}
	for name, share := range shares {
		if share >= shareMin {
			names = append(names, name)
		}
	}
	sort.Slice(names, func(i, j int) bool { return shares[names[i]] > shares[names[j]] })
	for _, name := range names {
		fmt.Printf("%6.2f %%  %s\n", shares[name], name)
	}
	fmt.Println()
}

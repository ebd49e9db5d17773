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

// profiledSpan is long enough for the fewest seconds that a GiB takes.
const profiledSpan = 60 * time.Second

// profile says where ffwd spends its time: by library, then by symbol, for one download and one upload.
func (b *bench) profile(dir string) error {
	if _, err := exec.LookPath("perf"); err != nil {
		return fmt.Errorf("perf is not there (Debian: linux-perf): %w", err)
	}
	for _, run := range []struct {
		title, command string
		port           int
	}{{"download", "source", 7001}, {"upload", "counted-sink", 7003}} {
		if err := b.profileOne(dir, run.title, run.command, run.port); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) profileOne(dir, title, command string, port int) error {
	f, err := b.forward(b.subjects[0], port)
	if err != nil {
		return err
	}
	defer f.end()
	if _, err := b.run(command, f.port, "--bytes", 16<<20); err != nil {
		return err
	}
	data := filepath.Join(dir, title+".perf")
	recording, err := start("perf", "record", "-q", "-F", "1999", "-g", "-o", data,
		"-p", strconv.Itoa(f.pid()), "--", "sleep", strconv.Itoa(int(profiledSpan.Seconds())))
	if err != nil {
		return err
	}
	defer recording.end()
	time.Sleep(settleSpan)
	report, err := b.run(command, f.port, "--bytes", 2*gibibyte)
	if err != nil {
		return err
	}
	recording.command.Process.Signal(os.Interrupt)
	<-recording.done
	fmt.Printf("\n%s, 2 GiB on one connection, %.0f MiB/s\n", title, report.MiBPerSecond)
	for _, keys := range []string{"dso", "dso,symbol"} {
		list := exec.Command("perf", "report", "-i", data, "--stdio", "-q", "--no-children", "-g", "none", "--sort", keys)
		output, err := list.Output()
		if err != nil {
			return fmt.Errorf("perf report: %w", err)
		}
		printShares(string(output))
	}
	return nil
}

// shareMin is the least share, in per cent, that is worth a line.
const shareMin = 0.5

// printShares prints the largest shares; the addresses of a library without symbols count as one.
func printShares(text string) {
	address := regexp.MustCompile(`\[\.\] 0x[0-9a-f]+`)
	shares := map[string]float64{}
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(address.ReplaceAllString(strings.TrimRight(line, " -"), "(no symbols)"))
		if len(words) < 2 {
			continue
		}
		if share, err := strconv.ParseFloat(strings.TrimSuffix(words[0], "%"), 64); err == nil {
			shares[strings.Join(words[1:], " ")] += share
		}
	}
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

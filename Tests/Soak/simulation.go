package main

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// simulationResult is what came of seeds of the simulated forwarder, which run beside the faults.
type simulationResult struct {
	Commit  string  `json:"commit"`
	First   uint64  `json:"first"`
	Seeds   int     `json:"seeds"`
	Seconds float64 `json:"seconds"`
	// Failures are what was found, each with its seed.
	Failures []string `json:"failures,omitempty"`
	Failed   int      `json:"failed"`
}

// simulatedFailuresMax is how many failures are kept in words.
const simulatedFailuresMax = 20

// The last line of a run: all seeds, how long they took, and how many failed.
var simulatedSum = regexp.MustCompile(`^(\d+) seeds in \d+ s .*, (\d+) failed$`)

// What is said of the seed that the program did not survive.
var simulatedCrash = regexp.MustCompile(`^seed (\d+): the program crashed$`)

// simulate runs so many seeds of the whole forwarder on its simulated kernel, with less right to the processor than
// what is measured beside it.
//
// The program ends at its first crash; the seeds behind it are run all the same.
func (o options) simulate() (*simulationResult, error) {
	r := &simulationResult{Commit: commit(o.root), First: o.seed%1_000_000 + 1, Seeds: o.seeds}
	began := time.Now()
	last := r.First + uint64(r.Seeds) - 1
	for next := r.First; next <= last; {
		crashed, err := r.run(o.program().simulate, next, last)
		if err != nil {
			return nil, err
		}
		if crashed == 0 {
			break
		}
		next = crashed + 1
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// run runs the seeds `from` to `to`; it returns which one the program did not survive, or 0.
func (r *simulationResult) run(program string, from, to uint64) (uint64, error) {
	command := exec.Command("nice", "-n", "19", program, "--seeds", fmt.Sprintf("%d..%d", from, to))
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := command.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := command.Start(); err != nil {
		return 0, err
	}
	crashed, isWhole := r.take(output)
	err = command.Wait()
	switch {
	case isWhole || crashed != 0:
		return crashed, nil
	case err == nil:
		return 0, fmt.Errorf("%s has not said how many seeds failed", program)
	default:
		return 0, fmt.Errorf("%s: %w", program, err)
	}
}

// take takes what the program says: each failure, and the sum in the end.
func (r *simulationResult) take(output io.Reader) (crashed uint64, isWhole bool) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		line := lines.Text()
		if simulatedSum.MatchString(line) {
			isWhole = true
			continue
		}
		if !strings.HasPrefix(line, "seed ") {
			continue
		}
		r.Failed++
		if len(r.Failures) < simulatedFailuresMax {
			r.Failures = append(r.Failures, line)
		}
		if found := simulatedCrash.FindStringSubmatch(line); found != nil {
			crashed, _ = strconv.ParseUint(found[1], 10, 64)
		}
	}
	return crashed, isWhole
}

// violations are the failures, in the words of a report.
func (r *simulationResult) violations() (list []string) {
	if r == nil {
		return nil
	}
	for _, failure := range r.Failures {
		list = append(list, "simulation, "+failure)
	}
	if more := r.Failed - len(r.Failures); more > 0 {
		list = append(list, fmt.Sprintf("simulation: %d more", more))
	}
	return list
}

// text says in a line what was run.
func (r *simulationResult) text() string {
	return fmt.Sprintf("%d seeds of the whole forwarder on a simulated kernel (%d to %d, at %s, %.0f s): %d failed.",
		r.Seeds, r.First, r.First+uint64(r.Seeds)-1, r.Commit, r.Seconds, r.Failed)
}

// simulateInto runs only the seeds, and puts what came of them into a result file.
func (o options) simulateInto(path string) (int, error) {
	r, err := loadResults(path)
	if err != nil {
		return 0, err
	}
	if r.Simulation, err = o.simulate(); err != nil {
		return 0, err
	}
	fmt.Println(r.Simulation.text())
	failures := r.Simulation.violations()
	for _, failure := range failures {
		fmt.Println(failure)
	}
	if err := r.write(path); err != nil || len(failures) == 0 {
		return 0, err
	}
	return 1, nil
}

package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// plan is how one ffwd of a run is started.
type plan struct {
	name string
	// kubeconfig is the suffix of the file: "" or "-tokenfile", "-plugin".
	kubeconfig string
	options    []string
	target     string
	// ports maps what is written on the command line to the pod's ports: {":7": 7000}; nil: all of them, by number.
	ports map[string]int
	// descriptorsMax is a limit of descriptors for it; 0: the usual one.
	descriptorsMax int
	// memoryMiB is what it was told to keep to; 0: what it keeps to by itself.
	memoryMiB int
	// holdsEnds: a client's end does not reach the pod while the client lives.
	holdsEnds bool
	clients   int
	// isLong: a fault may keep it for longer than a short run has.
	isLong bool
}

// memoryStandardMiB is ffwd's memory limit where it was told none.
const memoryStandardMiB = 256

// allPorts are those that behaviours use, and one where nobody listens.
var allPorts = []int{7000, 7003, 7004, 7005, 7008, 7009, 7010, 7999}

// forward is a running ffwd and what is known of it.
type forward struct {
	*process
	plan
	locals map[int]int
	tally  *tally
	// base is how many descriptors it had when its first connections were over.
	base int
}

var forwardingLine = regexp.MustCompile(`^(\d+) -> (\d+)$`)

// startForward starts a forwarder and waits for its ports. ask is its command, up to the arguments.
func startForward(s *server, p plan, command ...string) (*forward, error) {
	f := &forward{plan: p, locals: map[int]int{}, tally: newTally()}
	var arguments []string
	if p.descriptorsMax > 0 {
		arguments = append(arguments, "prlimit", fmt.Sprintf("--nofile=%d:%d", p.descriptorsMax, p.descriptorsMax))
	}
	arguments = append(append(arguments, command...), "--kubeconfig", s.kubeconfig(p.kubeconfig))
	arguments = append(append(arguments, p.options...), p.target)
	wanted := len(p.ports)
	for text := range p.ports {
		arguments = append(arguments, ":"+text)
	}
	if p.ports == nil {
		wanted = len(allPorts)
		for _, port := range allPorts {
			arguments = append(arguments, fmt.Sprintf(":%d", port))
		}
	}
	var err error
	if f.process, err = start(s.dir, arguments...); err != nil {
		return nil, err
	}
	f.process.Name = p.name
	for len(f.locals) < wanted {
		text, err := f.Line("Forwarding from 127.0.0.1:", startMax)
		if err != nil {
			f.end(syscall.SIGKILL)
			return nil, err
		}
		if found := forwardingLine.FindStringSubmatch(text); found != nil {
			local, _ := strconv.Atoi(found[1])
			remote, _ := strconv.Atoi(found[2])
			f.locals[remote] = local
		}
	}
	return f, nil
}

// try echoes a little within so long; every ending but complete is an error.
func (f *forward) try(bytes int64, seed uint64, patience time.Duration, t *tally) error {
	c, err := connect(f.locals[7000], seed, patience, t)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.echo(bytes)
}

// memoryBoundMiB is what it may have had at most.
func (f *forward) memoryBoundMiB() int {
	if f.memoryMiB > 0 {
		return f.memoryMiB
	}
	return memoryStandardMiB
}

var summaryLine = regexp.MustCompile(`summary: (\d+) connections? accepted, (\d+) open`)

// summary asks it by SIGUSR1 what it has done.
func (f *forward) summary() (line string, open int, err error) {
	position := f.Said.Length()
	f.Signal(syscall.SIGUSR1)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if found := summaryLine.FindStringSubmatch(f.Said.Since(position)); found != nil {
			open, _ = strconv.Atoi(found[2])
			text := f.Said.Since(position)
			text = text[strings.Index(text, "summary: "):]
			return strings.SplitN(text, "\n", 2)[0], open, nil
		}
		if f.HasEnded() {
			return "", 0, fmt.Errorf("it has ended (%s): %s", f.exit(), f.Said.Last())
		}
	}
	return "", 0, fmt.Errorf("it does not answer SIGUSR1")
}

// settleMax is how long it may take until all is given back: ends of clients linger up to half a minute.
const settleMax = 60 * time.Second

// settled waits until no connection is left and its descriptors are those of its base, or of idle tunnels.
func (f *forward) settled() (line string, descriptors int, err error) {
	var open int
	for deadline := time.Now().Add(settleMax); ; time.Sleep(500 * time.Millisecond) {
		line, open, err = f.summary()
		descriptors = f.descriptors()
		if err != nil || open == 0 && descriptors <= f.descriptorBound() {
			return line, descriptors, err
		}
		if time.Now().After(deadline) {
			return line, descriptors, fmt.Errorf("after %v without clients: %d open, %d descriptors of %d",
				settleMax, open, descriptors, f.descriptorBound())
		}
	}
}

// descriptorBound is the base and as many tunnels as an idle ffwd may have kept.
func (f *forward) descriptorBound() int { return f.base + 16 }

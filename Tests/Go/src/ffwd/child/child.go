// Package child runs the programs that tests and benchmarks are made of, and ends them.
package child

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is one program that this one has started.
type Process struct {
	Name    string
	Command *exec.Cmd
	// Begun is when it was started.
	Begun time.Time
	// Said is the end of what it says on stderr.
	Said  Tail
	lines chan string
	done  chan struct{}
}

// Start runs a program; its first lines of output can be waited for.
//
// It dies with this program, whatever ends it. The kernel ties that to the starting thread, so main has to stay on its own.
func Start(path string, arguments ...string) (*Process, error) {
	return Run(exec.Command(path, arguments...))
}

// Run runs a command, whose output is taken.
func Run(command *exec.Cmd) (*Process, error) {
	p := &Process{
		Name: filepath.Base(command.Path), Command: command, lines: make(chan string, 64), done: make(chan struct{}),
	}
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	command.Stderr = &p.Said
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.Begun = time.Now()
	if err := command.Start(); err != nil {
		return nil, err
	}
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			select {
			case p.lines <- lines.Text():
			default: // Nobody waits for more than the first ones.
			}
		}
		io.Copy(io.Discard, output)
		close(p.lines)
		command.Wait()
		close(p.done)
	}()
	return p, nil
}

// Line waits for the next line of output that starts with prefix; it returns what follows.
func (p *Process) Line(prefix string, within time.Duration) (string, error) {
	deadline := time.After(within)
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				return "", fmt.Errorf("%s ended without saying %q: %s", p.Name, prefix, p.Said.Last())
			}
			if strings.HasPrefix(line, prefix) {
				return strings.TrimPrefix(line, prefix), nil
			}
		case <-deadline:
			return "", fmt.Errorf("%s did not say %q within %v: %s", p.Name, prefix, within, p.Said.Last())
		}
	}
}

// PID is its process id.
func (p *Process) PID() int { return p.Command.Process.Pid }

// Done is closed once it has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// HasEnded says whether it has ended.
func (p *Process) HasEnded() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Kibibytes reads a field of /proc/PID/status that is in KiB.
func (p *Process) Kibibytes(field string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) == 3 && words[0] == field+":" {
			return strconv.ParseFloat(words[1], 64)
		}
	}
	return 0, fmt.Errorf("no %s in the status of %s", field, p.Name)
}

// Signal sends a signal, unless it has ended.
func (p *Process) Signal(signal syscall.Signal) {
	if p != nil && !p.HasEnded() {
		p.Command.Process.Signal(signal)
	}
}

// End asks by a signal, and kills what has not ended after patience; it returns whether it has ended.
func (p *Process) End(ask syscall.Signal, patience time.Duration) bool {
	if p == nil {
		return true
	}
	for _, signal := range []syscall.Signal{ask, syscall.SIGKILL} {
		p.Signal(syscall.SIGCONT)
		p.Signal(signal)
		select {
		case <-p.done:
			return true
		case <-time.After(patience):
		}
	}
	return false
}

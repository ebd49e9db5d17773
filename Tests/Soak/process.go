package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ffwd/child"
)

const (
	// startMax is how long a program may take until it is ready.
	startMax = 30 * time.Second
	// endMax is how long a program may take to end after a signal before it is killed.
	endMax = 10 * time.Second
)

// process is one program that this one has started, and ends.
type process struct{ *child.Process }

// start runs a program in a home of its own.
func start(home string, arguments ...string) (*process, error) {
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG=/dev/null/none")
	p, err := child.Run(command)
	if err != nil {
		return nil, err
	}
	return &process{p}, nil
}

// end asks by a signal, then kills, and returns how the process ended, as a shell would say it.
func (p *process) end(ask syscall.Signal) string {
	if p == nil {
		return ""
	}
	if !p.End(ask, endMax) {
		return "does not end"
	}
	return p.exit()
}

// exit is how the process has ended; "" while it runs.
func (p *process) exit() string {
	if !p.HasEnded() {
		return ""
	}
	status, known := p.Command.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !known:
		return p.Command.ProcessState.String()
	case status.Signaled():
		return "signal " + strconv.Itoa(int(status.Signal()))
	}
	return strconv.Itoa(status.ExitStatus())
}

// descriptors counts the open ones.
func (p *process) descriptors() int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID()))
	return len(entries)
}

// child finds a child process one of whose arguments is the one given.
func (p *process) child(argument string) (int, bool) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.PID(), p.PID()))
	for _, word := range strings.Fields(string(text)) {
		line, _ := os.ReadFile("/proc/" + word + "/cmdline")
		for _, part := range strings.Split(string(line), "\x00") {
			if part == argument {
				pid, err := strconv.Atoi(word)
				return pid, err == nil
			}
		}
	}
	return 0, false
}

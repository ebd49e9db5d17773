package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startMax is how long a program may take until it is ready.
	startMax = 30 * time.Second
	// endMax is how long a program may take to end after a signal before it is killed.
	endMax = 10 * time.Second
)

// process is one program that this one has started, and ends.
type process struct {
	name    string
	command *exec.Cmd
	lines   chan string
	done    chan struct{}
	said    tail
}

// start runs a program; its first lines of output can be waited for.
//
// It dies with this program, whatever ends that.
func start(home string, arguments ...string) (*process, error) {
	p := &process{
		name: filepath.Base(arguments[0]), command: exec.Command(arguments[0], arguments[1:]...),
		lines: make(chan string, 64), done: make(chan struct{}),
	}
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	p.command.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG=/dev/null/none")
	p.command.Stderr = &p.said
	output, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
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
		p.command.Wait()
		close(p.done)
	}()
	return p, nil
}

// line waits for the next line of output that starts with prefix; it returns what follows.
func (p *process) line(prefix string, within time.Duration) (string, error) {
	deadline := time.After(within)
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				return "", fmt.Errorf("%s ended without saying %q: %s", p.name, prefix, p.said.last())
			}
			if strings.HasPrefix(line, prefix) {
				return strings.TrimPrefix(line, prefix), nil
			}
		case <-deadline:
			return "", fmt.Errorf("%s did not say %q within %v: %s", p.name, prefix, within, p.said.last())
		}
	}
}

func (p *process) pid() int { return p.command.Process.Pid }

func (p *process) hasEnded() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(signal syscall.Signal) {
	if p != nil && !p.hasEnded() {
		p.command.Process.Signal(signal)
	}
}

// end asks by a signal, then kills, and returns how the process ended, as a shell would say it.
func (p *process) end(ask syscall.Signal) string {
	if p == nil {
		return ""
	}
	for _, signal := range []syscall.Signal{ask, syscall.SIGKILL} {
		p.signal(syscall.SIGCONT)
		p.signal(signal)
		select {
		case <-p.done:
			return p.exit()
		case <-time.After(endMax):
		}
	}
	return "does not end"
}

// exit is how the process has ended; "" while it runs.
func (p *process) exit() string {
	if !p.hasEnded() {
		return ""
	}
	status, known := p.command.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !known:
		return p.command.ProcessState.String()
	case status.Signaled():
		return "signal " + strconv.Itoa(int(status.Signal()))
	}
	return strconv.Itoa(status.ExitStatus())
}

// kibibytes reads a field of /proc/PID/status.
func (p *process) kibibytes(field string) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) == 3 && words[0] == field+":" {
			number, _ := strconv.Atoi(words[1])
			return number
		}
	}
	return 0
}

// descriptors counts the open ones.
func (p *process) descriptors() int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid()))
	return len(entries)
}

// child finds a child process one of whose arguments is the one given.
func (p *process) child(argument string) (int, bool) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.pid(), p.pid()))
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

// tail keeps the end of what a program says on stderr, and the first lines that tell of its own failure.
type tail struct {
	mutex sync.Mutex
	bytes []byte
	all   int
}

const tailBytesMax = 256 << 10

func (t *tail) Write(bytes []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.bytes = append(t.bytes, bytes...)
	t.all += len(bytes)
	if excess := len(t.bytes) - tailBytesMax; excess > 0 {
		t.bytes = append([]byte(nil), t.bytes[excess:]...)
	}
	return len(bytes), nil
}

func (t *tail) text() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return string(t.bytes)
}

// since is what was said after so many bytes.
func (t *tail) since(position int) string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	from := position - (t.all - len(t.bytes))
	if from < 0 {
		from = 0
	}
	return string(t.bytes[from:])
}

func (t *tail) length() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.all
}

func (t *tail) last() string {
	lines := strings.Split(strings.TrimSpace(t.text()), "\n")
	return lines[len(lines)-1]
}

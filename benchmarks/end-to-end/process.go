package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// endMax is how long a program may take to end after SIGTERM before it is killed.
const endMax = 5 * time.Second

// process is one program that this one has started, and ends.
type process struct {
	name    string
	command *exec.Cmd
	begun   time.Time
	lines   chan string
	done    chan struct{}
	errors  tail
}

// start runs a program whose output lines are read from process.lines.
//
// It dies with this program, whatever ends it. The kernel ties that to the starting thread, so main stays on its own.
func start(path string, arguments ...string) (*process, error) {
	return (&process{name: filepath.Base(path), command: exec.Command(path, arguments...)}).start()
}

func (p *process) start() (*process, error) {
	p.lines = make(chan string, 64)
	p.done = make(chan struct{})
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	p.command.Stderr = &p.errors
	output, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.begun = time.Now()
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
				return "", fmt.Errorf("%s ended without saying %q: %s", p.name, prefix, p.errors.text())
			}
			if strings.HasPrefix(line, prefix) {
				return strings.TrimPrefix(line, prefix), nil
			}
		case <-deadline:
			return "", fmt.Errorf("%s did not say %q within %v: %s", p.name, prefix, within, p.errors.text())
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

func (p *process) end() {
	if p == nil {
		return
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if !p.hasEnded() {
			p.command.Process.Signal(signal)
		}
		select {
		case <-p.done:
			return
		case <-time.After(endMax):
		}
	}
}

// cpu is the processor time, user and system, that the process has used with all its threads, dead ones too.
//
// The same quantity as utime + stime in /proc/PID/stat, but in nanoseconds instead of hundredths of a second: the clock
// of a process is ~PID shifted by 3, with 2 for the scheduler's count (clock_getcpuclockid(3)).
func (p *process) cpu() (time.Duration, error) {
	var now syscall.Timespec
	clock := uintptr(int32(^p.pid())<<3 | 2)
	_, _, code := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&now)), 0)
	runtime.KeepAlive(&now)
	if code != 0 || p.hasEnded() {
		return 0, fmt.Errorf("%s has ended: %s", p.name, p.errors.text())
	}
	return time.Duration(now.Nano()), nil
}

// status reads a field of /proc/PID/status that is in KiB.
func (p *process) status(field string) (kibibytes float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) == 3 && words[0] == field+":" {
			return strconv.ParseFloat(words[1], 64)
		}
	}
	return 0, fmt.Errorf("no %s in the status of %s", field, p.name)
}

// libraries are the shared libraries that the process has mapped, without libc and what comes with it.
func (p *process) libraries() (paths []string) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid()))
	known := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) < 6 || !strings.Contains(words[5], ".so") || known[words[5]] {
			continue
		}
		known[words[5]] = true
		base := filepath.Base(words[5])
		ofLibc := false
		for _, name := range []string{"ld-", "libc.", "libm.", "libgcc_s.", "libstdc++.", "libresolv.", "libpthread."} {
			ofLibc = ofLibc || strings.HasPrefix(base, name)
		}
		if !ofLibc {
			paths = append(paths, words[5])
		}
	}
	return paths
}

// executable is the program that really runs, behind links and dispatchers.
func (p *process) executable() (string, error) {
	return os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid()))
}

// tail keeps the end of what a program says on stderr.
type tail struct {
	mutex sync.Mutex
	bytes []byte
}

const tailBytesMax = 2048

func (t *tail) Write(bytes []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.bytes = append(t.bytes, bytes...)
	if excess := len(t.bytes) - tailBytesMax; excess > 0 {
		t.bytes = append([]byte(nil), t.bytes[excess:]...)
	}
	return len(bytes), nil
}

func (t *tail) text() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.bytes)), "\n")
	return lines[len(lines)-1]
}

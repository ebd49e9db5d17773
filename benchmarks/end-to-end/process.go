package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"ffwd/child"
)

// endMax is how long a program may take to end after SIGTERM before it is killed.
const endMax = 5 * time.Second

// process is one program that this one has started, and ends.
type process struct{ *child.Process }

func start(path string, arguments ...string) (*process, error) {
	p, err := child.Start(path, arguments...)
	if err != nil {
		return nil, err
	}
	return &process{p}, nil
}

func (p *process) end() {
	if p != nil {
		p.End(syscall.SIGTERM, endMax)
	}
}

// cpu is the processor time, user and system, that the process has used with all its threads, dead ones too.
//
// The same quantity as utime + stime in /proc/PID/stat, but in nanoseconds instead of hundredths of a second: the clock
// of a process is ~PID shifted by 3, with 2 for the scheduler's count (clock_getcpuclockid(3)).
func (p *process) cpu() (time.Duration, error) {
	var now syscall.Timespec
	clock := uintptr(int32(^p.PID())<<3 | 2)
	_, _, code := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&now)), 0)
	runtime.KeepAlive(&now)
	if code != 0 || p.HasEnded() {
		return 0, fmt.Errorf("%s has ended: %s", p.Name, p.Said.Last())
	}
	return time.Duration(now.Nano()), nil
}

// libraries are the shared libraries that the process has mapped, without libc and what comes with it.
func (p *process) libraries() (paths []string) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID()))
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
	return os.Readlink(fmt.Sprintf("/proc/%d/exe", p.PID()))
}

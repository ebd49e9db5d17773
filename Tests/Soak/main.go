// Command soak breaks servers, networks and pods under running ffwds, while clients compare every byte.
//
//	soak --minutes 10 [--seed N] [--only REGEX]    faults without end; README.md says what must not be
//	soak --seeds 10000 [--simulate FILE]           simulated seeds beside them, or alone
//	soak --faults                                  one fault after another beside kubectl, as a table
//	soak --readme check|same|FILE                  README's table of a run
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

type options struct {
	programs, peers, root, out string
	kubectl                    string
	minutes, seconds           float64
	seed                       uint64
	only, fault                string
	faults                     bool
	readme                     string
	// seeds of the simulated forwarder run beside the faults; file gets them alone.
	seeds int
	file  string
	// inside is the name of a pair of network namespaces, in whose near one this process runs.
	inside string
	// dir holds everything of the run.
	dir string
}

func main() {
	// What a killed run leaves behind goes with the thread that has started it.
	runtime.LockOSThread()
	o := options{}
	flag.StringVar(&o.programs, "programs", "", "directory of ffwd and minicluster")
	flag.StringVar(&o.peers, "peers", "", "directory of ffwd-apiserver and ffwd-pod")
	flag.StringVar(&o.root, "root", ".", "the project's directory")
	flag.StringVar(&o.out, "out", "", "where the results go; nowhere without it")
	flag.StringVar(&o.kubectl, "kubectl", "kubectl", "the kubectl to compare with")
	flag.Float64Var(&o.minutes, "minutes", 10, "how long faults go on")
	flag.Float64Var(&o.seconds, "seconds", 0, "the same in seconds")
	flag.Uint64Var(&o.seed, "seed", 0, "what all is drawn from; 0 takes the time")
	flag.StringVar(&o.only, "only", "", "only the worlds, or faults, whose names match this regular expression")
	flag.StringVar(&o.fault, "fault", "", "only the faults of a soak whose names match this regular expression")
	flag.BoolVar(&o.faults, "faults", false, "compare with kubectl, fault by fault")
	flag.StringVar(&o.readme, "readme", "", "README's table: check, same, or of which file")
	flag.IntVar(&o.seeds, "seeds", 0, "how many seeds of the simulated forwarder run beside the faults")
	flag.StringVar(&o.file, "simulate", "", "only run the seeds, and put what came of them into this result file")
	flag.StringVar(&o.inside, "inside", "", "for the program's own use")
	flag.Parse()
	if flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	if o.seconds > 0 {
		o.minutes = o.seconds / 60
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	status, err := o.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	os.Exit(status)
}

// run does what the options say; 1 says that something was that must not be.
func (o options) run() (int, error) {
	if o.readme != "" {
		return 0, o.readmeStep()
	}
	var err error
	if o.dir, err = os.MkdirTemp("", "ffwd-soak-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(o.dir)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		// Children and namespaces must not outlive this, whatever goes on.
		os.RemoveAll(o.dir)
		if o.inside == "" {
			network{namespacePrefix + fmt.Sprint(os.Getpid()) + "-near", namespacePrefix + fmt.Sprint(os.Getpid()) + "-far"}.close()
		}
		os.Exit(130)
	}()
	if o.faults {
		return 0, o.compare()
	}
	if o.file != "" {
		return o.simulateInto(o.file)
	}
	return o.soak()
}

func (o options) program() programs {
	return programs{
		ffwd: filepath.Join(o.programs, "ffwd"), simulate: filepath.Join(o.programs, "simulate"), miniCluster: filepath.Join(o.programs, "minicluster"),
		apiServer: filepath.Join(o.peers, "ffwd-apiserver"), pod: filepath.Join(o.peers, "ffwd-pod"), kubectl: o.kubectl,
	}
}

func (o options) wants(name string) bool {
	matched, err := regexp.MatchString(o.only, name)
	return matched || err != nil
}

var saying sync.Mutex

// say tells of progress, on stderr.
func (o options) say(format string, arguments ...any) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", arguments...)
}

// soak runs all worlds at the same time, and says what came of them.
func (o options) soak() (int, error) {
	r := &results{
		Date: time.Now().UTC().Format("2006-01-02T15:04:05Z"), Command: os.Getenv("FFWD_SOAK_ARGUMENTS"), Commit: commit(o.root),
		Version: firstLine(o.program().ffwd, "--version"), Processor: processor(), Cores: runtime.NumCPU(),
		Kernel: firstLine("uname", "-sr"), Seed: o.seed, Minutes: o.minutes,
	}
	if o.inside == "" {
		o.say("seed %d, %.1f minutes", o.seed, o.minutes)
	}
	until := time.Now().Add(time.Duration(o.minutes * float64(time.Minute)))
	makers := o.worlds()
	var wait sync.WaitGroup
	var mutex sync.Mutex
	var failure error
	if o.seeds > 0 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			simulation, err := o.simulate()
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil && failure == nil {
				failure = err
			}
			r.Simulation = simulation
		}()
	}
	for _, m := range makers {
		if !o.wants(m.name) {
			continue
		}
		wait.Add(1)
		go func(m maker) {
			defer wait.Done()
			result, skipped, err := m.run(until)
			mutex.Lock()
			defer mutex.Unlock()
			switch {
			case err != nil && failure == nil:
				failure = err
			case skipped != "":
				r.Skipped = append(r.Skipped, skipped)
				o.say("skipped: %s", skipped)
			}
			r.Worlds = append(r.Worlds, result...)
		}(m)
	}
	wait.Wait()
	if o.inside != "" {
		if failure != nil {
			return 0, failure
		}
		return 0, json.NewEncoder(os.Stdout).Encode(r.Worlds)
	}
	sortWorlds(r.Worlds)
	r.report(os.Stdout)
	if failure != nil {
		return 0, failure
	}
	if o.out != "" {
		path, err := r.save(o.out)
		if err != nil {
			return 0, err
		}
		o.say("written: %s", path)
	}
	if violations := r.violations(); len(violations) > 0 {
		return 1, nil
	}
	return 0, nil
}

// again runs this program once more in the near namespace of a network; it returns what that prints.
func (o options) again(n network, arguments ...string) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command("ip", append([]string{"netns", "exec", n.near, self, "--inside", strings.TrimSuffix(n.near, "-near"),
		"--programs", o.programs, "--peers", o.peers, "--root", o.root, "--kubectl", o.kubectl,
		"--fault", o.fault, "--seed", fmt.Sprint(o.seed)}, arguments...)...)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	return command.Output()
}

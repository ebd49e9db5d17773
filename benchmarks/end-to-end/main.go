// Command end-to-end measures forwarders beside each other: the same cluster, the same loads, in turns.
//
// Theory of operation. One MiniCluster is there throughout. An experiment is a function from a forwarder to numbers; each
// round does it once with every forwarder, in an order that turns round by round, and with a fresh process each time. What
// a run has not delivered completely and correctly gives no number but an error. All numbers are kept; the report is made
// of what was kept, not of the run.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

type options struct {
	programs, peers, root string
	kubectl, before       string
	yardstick, pypi       string
	out, only, report     string
	readmeOf              string
	quick                 bool
	profile               bool
	rounds                int
}

// roundsOfRecord is how many rounds a run needs to be kept.
const roundsOfRecord = 5

func main() {
	// The children die with the thread that has started them.
	runtime.LockOSThread()
	o := options{}
	flag.StringVar(&o.programs, "programs", "", "directory of ffwd and minicluster")
	flag.StringVar(&o.peers, "peers", "", "directory of ffwd-client")
	flag.StringVar(&o.root, "root", ".", "the project's directory")
	flag.StringVar(&o.kubectl, "kubectl", "kubectl", "the kubectl to compare with")
	flag.StringVar(&o.yardstick, "yardstick", "", "the yardstick: benchmarks/reference")
	flag.StringVar(&o.pypi, "pypi", "", "the Python that has portforward and kr8s; \"\": leave them out")
	flag.StringVar(&o.before, "before", "", "another ffwd to compare with, instead of the two; nothing is kept unless --out")
	flag.StringVar(&o.out, "out", "", "where the results go: benchmarks/results, or nowhere with --quick, --only, --before or few rounds")
	flag.StringVar(&o.only, "only", "", "only the experiments whose names match this regular expression")
	flag.StringVar(&o.report, "report", "", "write the report and the pictures of this JSON file beside it, and measure nothing")
	flag.StringVar(&o.readmeOf, "readme", "", "rewrite README's table from this JSON file (same: the one that it names; check: only compare)")
	flag.BoolVar(&o.quick, "quick", false, "smaller amounts: under three minutes")
	flag.BoolVar(&o.profile, "profile", false, "profile ffwd and the yardstick instead: one download, one upload")
	flag.IntVar(&o.rounds, "rounds", 0, "how often each experiment is done; 0: 5, with --quick 2")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func (o options) run() error {
	if o.report != "" {
		r, err := load(o.report)
		if err != nil {
			return err
		}
		return r.write(strings.TrimSuffix(o.report, ".json"))
	}
	if o.readmeOf != "" {
		return o.readme()
	}
	if flag.NArg() != 0 || o.rounds < 0 {
		return fmt.Errorf("usage: benchmarks/run [--quick] [--only REGEX] [--rounds N] [--before FFWD] ...")
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ffwd-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.rounds == 0 {
		o.rounds = roundsOfRecord
		if o.quick {
			o.rounds = 2
		}
	}
	b := &bench{
		programs: o.programs, peers: o.peers, dir: dir, client: filepath.Join(o.peers, "ffwd-client"),
		places: map[string]*place{}, quick: o.quick,
	}
	defer b.endPlaces()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		os.RemoveAll(dir)
		os.Exit(130) // every child dies with us
	}()
	if err := b.goTo(aes128); err != nil {
		return err
	}
	b.subjects = []subject{{Name: "ffwd", Path: filepath.Join(o.programs, "ffwd")}}
	switch {
	case o.profile:
		b.subjects = append(b.subjects, subject{Name: "yardstick", Path: o.yardstick})
		return b.profile()
	case o.before != "":
		b.subjects = append(b.subjects, subject{Name: "before", Path: o.before})
	default:
		b.subjects = append(b.subjects,
			subject{Name: "yardstick", Path: o.yardstick},
			subject{Name: "kubectl", Path: o.kubectl, verb: []string{"port-forward"}})
		if o.pypi != "" && !o.quick {
			script := filepath.Join(o.root, "benchmarks", "pypi", "forward.py")
			for _, library := range []string{"portforward", "kr8s"} {
				b.subjects = append(b.subjects, subject{Name: library, Path: o.pypi, verb: []string{script, library}, IsSlow: true})
			}
		}
	}
	return o.measure(b, only)
}

func (o options) measure(b *bench, only *regexp.Regexp) error {
	r := &results{
		Date: now(), Command: strings.TrimSpace("benchmarks/run " + os.Getenv("FFWD_BENCH_ARGUMENTS")),
		Commit: commit(o.root), Machine: thisMachine(), Ciphers: map[string]string{},
	}
	begun := time.Now()
	var able []subject
	for i := range b.subjects {
		s := &b.subjects[i]
		if err := b.resolve(s); err != nil {
			return err
		}
		if err := b.verify(*s); err != nil && s.IsSlow {
			fmt.Fprintf(os.Stderr, "benchmarks: %s does not carry bytes here, so it is left out: %v\n", s.Name, err)
			continue
		} else if err != nil {
			return fmt.Errorf("%s does not carry bytes correctly, so nothing is measured: %w", s.Name, err)
		}
		able = append(able, *s)
	}
	b.subjects = able
	for _, place := range []string{aes256, aes128} {
		if err := b.goTo(place); err != nil {
			return err
		}
		for _, s := range b.subjects {
			if s.IsSlow {
				continue // MiniCluster tells of tunnels, and these have none
			}
			cipher, err := b.cipher(s)
			if err != nil {
				return err
			}
			r.Ciphers[s.Name+", "+place] = cipher
		}
	}
	r.Subjects = b.subjects
	r.Versions = o.versions(b)
	amounts := whole
	if o.quick {
		amounts = brief
	}
	for _, e := range experiments(amounts, o.rounds) {
		if !only.MatchString(e.id) {
			continue
		}
		if err := b.goTo(e.place); err != nil {
			return err
		}
		r.Experiments = append(r.Experiments, b.conduct(e))
	}
	r.Seconds = time.Since(begun).Seconds()
	r.Machine.LoadAtTheEnd = loadAverage()
	for name, p := range b.places {
		if p.cluster.HasEnded() {
			return fmt.Errorf("the cluster %s has ended: %s", name, p.cluster.Said.Last())
		}
	}
	r.Figures = r.summary()
	return o.keep(r)
}

// conduct does one experiment, round by round.
func (b *bench) conduct(e experiment) outcome {
	var subjects []subject
	for _, s := range b.subjects {
		if e.isFor(s) {
			subjects = append(subjects, s)
		}
	}
	o := outcome{ID: e.id}
	begun := time.Now()
	defer func() { fmt.Fprintf(os.Stderr, "%s: %.0f s\n", e.id, time.Since(begun).Seconds()) }()
	for round := 0; round < e.rounds; round++ {
		for turn := range subjects {
			s := subjects[(turn+round)%len(subjects)]
			if round >= e.roundsFor(s) {
				continue
			}
			fmt.Fprintf(os.Stderr, "%s %d/%d %s: ", e.id, round+1, e.rounds, s.Name)
			taken := sample{Round: round + 1, Subject: s.Name}
			var err error
			if taken.Values, err = e.sample(b, s); err != nil {
				taken.Values, taken.Error = nil, err.Error()
				fmt.Fprintln(os.Stderr, err)
			} else {
				fmt.Fprintln(os.Stderr, taken.Values)
			}
			o.Samples = append(o.Samples, taken)
		}
	}
	return o
}

func (o options) versions(b *bench) map[string]string {
	list := map[string]string{
		"ffwd":  firstLine(b.subjects[0].Path, "--version"),
		"Swift": firstLine("swift", "--version"),
		"Go":    strings.TrimPrefix(runtime.Version(), "go"),
	}
	for name, library := range map[string]string{"OpenSSL": "libssl", "libuv": "libuv"} {
		if version := firstLine("pkg-config", "--modversion", library); version != "" {
			list[name] = version
		}
	}
	if o.pypi != "" {
		for _, library := range []string{"portforward", "kr8s"} {
			list[library] = firstLine(o.pypi, "-c", "import importlib.metadata as m; print(m.version('"+library+"'))")
		}
	}
	if o.before == "" {
		list["kubectl"] = strings.TrimPrefix(firstLine(b.subjects[2].Path, "version", "--client"), "Client Version: ")
	}
	return list
}

// keep stores a run that deserves it, with its report, and prints the report.
func (o options) keep(r *results) error {
	out := o.out
	if out == "" && !o.quick && o.rounds >= roundsOfRecord && o.only == "" && o.before == "" {
		out = filepath.Join(o.root, "benchmarks", "results")
	}
	if out == "" {
		r.report(os.Stdout, "plot")
		return nil
	}
	path, err := r.save(out)
	if err != nil {
		return err
	}
	r.report(os.Stdout, strings.TrimSuffix(path, ".json"))
	return r.write(strings.TrimSuffix(path, ".json"))
}

// write stores a run's report and its pictures beside its results, whose path without its ending is base.
func (r *results) write(base string) error {
	page, err := os.Create(base + ".md")
	if err != nil {
		return err
	}
	defer page.Close()
	r.report(page, filepath.Base(base))
	if err := r.drawAll(base); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "kept in %s.md, with .json and .svg beside it\n", base)
	return nil
}

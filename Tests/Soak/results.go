package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strings"
)

// results are one run of the soak, as it is kept in Tests/Soak/results.
type results struct {
	Date      string  `json:"date"`
	Command   string  `json:"command"`
	Commit    string  `json:"commit"`
	Version   string  `json:"version"`
	Processor string  `json:"processor"`
	Cores     int     `json:"cores"`
	Kernel    string  `json:"kernel"`
	Seed      uint64  `json:"seed"`
	Minutes   float64 `json:"minutes"`
	// Skipped are parts that were left out, and why.
	Skipped []string      `json:"skipped,omitempty"`
	Worlds  []worldResult `json:"worlds"`
	// Simulation is nil where no seeds were run.
	Simulation *simulationResult `json:"simulation,omitempty"`
}

type worldResult struct {
	Name       string                  `json:"name"`
	Faults     map[string]*faultResult `json:"faults"`
	Forwards   []forwardResult         `json:"forwards"`
	Violations []string                `json:"violations,omitempty"`
}

// faultResult is what is known of all faults of one kind.
type faultResult struct {
	Count int `json:"count"`
	// HealSeconds are, for each, how long after its end the slowest forward carried again.
	HealSeconds []float64 `json:"healSeconds"`
}

type forwardResult struct {
	Name            string            `json:"name"`
	Command         []string          `json:"command"`
	Begun           int64             `json:"begun"`
	Endings         counts            `json:"endings"`
	Behaviours      map[string]counts `json:"behaviours"`
	Faults          map[string]counts `json:"faults"`
	SentBytes       int64             `json:"sentBytes"`
	ReceivedBytes   int64             `json:"receivedBytes"`
	MemoryMiB       float64           `json:"memoryMiB"`
	MemoryEndMiB    float64           `json:"memoryEndMiB"`
	MemoryBoundMiB  int               `json:"memoryBoundMiB"`
	Descriptors     int               `json:"descriptors"`
	DescriptorsBase int               `json:"descriptorsBase"`
	Unexplained     int               `json:"unexplained"`
	Summary         string            `json:"summary"`
	Exit            string            `json:"exit"`
	Complaints      []string          `json:"complaints,omitempty"`
}

// firstLine is what a program says, or "" where it is missing.
func firstLine(name string, arguments ...string) string {
	output, err := exec.Command(name, arguments...).Output()
	if err != nil {
		return ""
	}
	return strings.SplitN(strings.TrimSpace(string(output)), "\n", 2)[0]
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	if found := regexp.MustCompile(`model name\s*:\s*(.+)`).FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return runtime.GOARCH
}

// commit names what was built, as far as the work tree tells.
func commit(root string) string {
	name := firstLine("git", "-C", root, "rev-parse", "--short=12", "HEAD")
	if firstLine("git", "-C", root, "status", "--porcelain", "--untracked-files=no") != "" {
		name += " with changes"
	}
	return name
}

func (r *results) violations() (list []string) {
	for _, w := range r.Worlds {
		list = append(list, w.Violations...)
	}
	return append(list, r.Simulation.violations()...)
}

// sums are what all forwards of all worlds have seen.
type sums struct {
	forwards, faults, kinds int
	endings                 counts
	bytes                   int64
	unexplained             int
	heal                    []float64
	// late are the faults after which a forward did not carry in time.
	late int
}

func (r *results) sums() sums {
	s := sums{endings: counts{}}
	kinds := map[string]bool{}
	for _, w := range r.Worlds {
		for name, f := range w.Faults {
			kinds[name] = true
			s.faults += f.Count
			s.heal = append(s.heal, f.HealSeconds...)
			for _, seconds := range f.HealSeconds {
				if seconds >= healMax.Seconds() {
					s.late++
				}
			}
		}
		for _, f := range w.Forwards {
			s.forwards++
			s.endings.add(f.Endings)
			s.bytes += f.SentBytes + f.ReceivedBytes
			s.unexplained += f.Unexplained
		}
	}
	s.kinds = len(kinds)
	sort.Float64s(s.heal)
	return s
}

// quantile of sorted numbers, by the nearest rank.
func quantile(sorted []float64, part float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := int(part * float64(len(sorted)))
	if at >= len(sorted) {
		at = len(sorted) - 1
	}
	return sorted[at]
}

// base is what a run's files are called, without their ends.
func (r *results) base(dir string) string { return filepath.Join(dir, r.Date[:10]+"-soak") }

// save writes a run as JSON and as Markdown.
func (r *results) save(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := r.base(dir) + ".json"
	return path, r.write(path)
}

// write writes a run as JSON to a file, and as Markdown beside it.
func (r *results) write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return err
	}
	var page strings.Builder
	r.report(&page)
	return os.WriteFile(strings.TrimSuffix(path, ".json")+".md", []byte(page.String()), 0o644)
}

func loadResults(path string) (*results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &results{}
	return r, json.Unmarshal(text, r)
}

// report writes a run as Markdown.
func (r *results) report(out io.Writer) {
	s := r.sums()
	fmt.Fprintf(out, "# Soak of %s\n\nMade by `make soak` from the JSON beside it; [what it does](../README.md).\n\n", r.Date[:10])
	fmt.Fprintf(out, "%s at %s, %.0f minutes, seed %d; %s, %d cores, %s.\n\n",
		r.Version, r.Commit, r.Minutes, r.Seed, r.Processor, r.Cores, r.Kernel)
	for _, skipped := range r.Skipped {
		fmt.Fprintf(out, "Left out: %s.\n\n", skipped)
	}
	fmt.Fprintf(out, "%d `ffwd` carried %d connections with %.1f GiB through %d faults of %d kinds: %s; %d reset without a fault.\n",
		s.forwards, s.endings.total(), gib(s.bytes), s.faults, s.kinds, s.endings.text(), s.unexplained)
	fmt.Fprintf(out, "After a fault's end the slowest of the forwards to the server carried again within %.2f s (median), %.1f s at most.\n",
		quantile(s.heal, 0.5), quantile(s.heal, 1))
	if r.Simulation != nil {
		fmt.Fprintf(out, "\n%s\n", r.Simulation.text())
	}
	if violations := r.violations(); len(violations) > 0 {
		fmt.Fprintf(out, "\n## What must not be\n\n")
		for _, violation := range violations {
			fmt.Fprintf(out, "- %s\n", violation)
		}
	}
	for _, w := range r.Worlds {
		w.report(out)
	}
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }

func (w *worldResult) report(out io.Writer) {
	fmt.Fprintf(out, "\n## %s\n\n| `ffwd` | connections | GiB | endings | memory at most / at the end / bound, MiB | descriptors before / after |\n"+
		"|---|---|---|---|---|---|\n", w.Name)
	for _, f := range w.Forwards {
		fmt.Fprintf(out, "| %s | %d | %.2f | %s | %.0f / %.0f / %d | %d / %d |\n", f.Name, f.Endings.total(),
			gib(f.SentBytes+f.ReceivedBytes), f.Endings.text(), f.MemoryMiB, f.MemoryEndMiB, f.MemoryBoundMiB,
			f.DescriptorsBase, f.Descriptors)
	}
	fmt.Fprintf(out, "\n| fault | how often | carries again after, median / at most | connections that met it |\n|---|---|---|---|\n")
	var names []string
	for name := range w.Faults {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		met := counts{}
		for _, f := range w.Forwards {
			met.add(f.Faults[name])
		}
		heal := append([]float64{}, w.Faults[name].HealSeconds...)
		sort.Float64s(heal)
		fmt.Fprintf(out, "| %s | %d | %.2f / %.2f s | %s |\n", name, w.Faults[name].Count,
			quantile(heal, 0.5), quantile(heal, 1), met.text())
	}
	calm := counts{}
	for _, f := range w.Forwards {
		calm.add(f.Faults["calm"])
	}
	fmt.Fprintf(out, "| none | | | %s |\n", calm.text())
}

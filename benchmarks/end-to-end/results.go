package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"time"
)

// results are one run, as it is kept in benchmarks/results.
type results struct {
	Date     string            `json:"date"`
	Command  string            `json:"command"`
	Commit   string            `json:"commit"`
	Machine  machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Subjects []subject         `json:"subjects"`
	// Ciphers are what each subject's tunnels have agreed on with the cluster.
	Ciphers     map[string]string `json:"ciphers"`
	Seconds     float64           `json:"seconds"`
	Experiments []outcome         `json:"experiments"`
	// Figures are the medians of the samples and what they say of the bars, for programs that read this.
	Figures []summary `json:"figures"`
}

type machine struct {
	Name         string `json:"name"`
	Processor    string `json:"processor"`
	Cores        int    `json:"cores"`
	Kernel       string `json:"kernel"`
	System       string `json:"system"`
	LoadAtStart  string `json:"loadAtStart"`
	LoadAtTheEnd string `json:"loadAtTheEnd"`
}

// outcome is an experiment's samples, in the order in which they were taken.
type outcome struct {
	ID      string   `json:"id"`
	Samples []sample `json:"samples"`
}

type sample struct {
	Round   int    `json:"round"`
	Subject string `json:"subject"`
	Values  values `json:"values,omitempty"`
	Error   string `json:"error,omitempty"`
}

// of gives a subject's numbers of one name, sorted, and what went wrong.
func (o outcome) of(subject, name string) (numbers []float64, failures []string) {
	for _, s := range o.Samples {
		if s.Subject != subject {
			continue
		}
		if s.Error != "" {
			failures = append(failures, s.Error)
		} else if number, known := s.Values[name]; known {
			numbers = append(numbers, number)
		}
	}
	sort.Float64s(numbers)
	return numbers, failures
}

func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func (r *results) find(id string) (outcome, bool) {
	for _, o := range r.Experiments {
		if o.ID == id {
			return o, true
		}
	}
	return outcome{}, false
}

// firstLine is what a program says, or "" where it is missing.
func firstLine(name string, arguments ...string) string {
	output, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		return ""
	}
	return strings.SplitN(strings.TrimSpace(string(output)), "\n", 2)[0]
}

func thisMachine() machine {
	m := machine{
		Cores: runtime.NumCPU(), Processor: runtime.GOARCH,
		Kernel: firstLine("uname", "-sr"), LoadAtStart: loadAverage(),
	}
	text, _ := os.ReadFile("/proc/cpuinfo")
	if found := regexp.MustCompile(`model name\s*:\s*(.+)`).FindSubmatch(text); found != nil {
		m.Processor = string(found[1])
	}
	text, _ = os.ReadFile("/etc/os-release")
	if found := regexp.MustCompile(`PRETTY_NAME="(.+)"`).FindSubmatch(text); found != nil {
		m.System = string(found[1])
	}
	slug := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(m.Processor), "-")
	m.Name = fmt.Sprintf("%s-%d-cores", strings.Trim(slug, "-"), m.Cores)
	return m
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// commit names what was built, as far as the work tree tells.
func commit(root string) string {
	name := firstLine("git", "-C", root, "rev-parse", "--short=12", "HEAD")
	if firstLine("git", "-C", root, "status", "--porcelain", "--untracked-files=no") != "" {
		name += " with changes"
	}
	return name
}

func (r *results) save(dir string) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("%s-%s.json", r.Date[:10], r.Machine.Name))
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, append(text, '\n'), 0o644)
}

func load(path string) (*results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &results{}
	return r, json.Unmarshal(text, r)
}

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05Z") }

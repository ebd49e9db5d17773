package main

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strings"
)

// summary is a figure's outcome: what a program that reads the results wants to know.
type summary struct {
	Experiment string             `json:"experiment"`
	Value      string             `json:"value"`
	Title      string             `json:"title"`
	Unit       string             `json:"unit"`
	Medians    map[string]float64 `json:"medians"`
	// Ratios are the first subject's median over each of the others'.
	Ratios map[string]float64 `json:"ratios,omitempty"`
	// Bars are what there was to reach: "absolute" or over a subject.
	Bars   map[string]float64 `json:"bars,omitempty"`
	Missed []string           `json:"missed,omitempty"`
}

func (r *results) names() (list []string) {
	for _, s := range r.Subjects {
		list = append(list, s.Name)
	}
	return list
}

// columns are the subjects that took part in any of the figures, and those of them that the first is compared with.
func (r *results) columns(q question) (names, compared []string) {
	for i, s := range r.Subjects {
		takesPart := false
		for _, f := range q.figures {
			o, _ := r.find(f.experiment)
			numbers, failed := o.of(s.Name, f.value)
			takesPart = takesPart || len(numbers)+len(failed) > 0
		}
		if !takesPart {
			continue
		}
		names = append(names, s.Name)
		if i > 0 && !s.IsSlow {
			compared = append(compared, s.Name)
		}
	}
	return names, compared
}

// questions are those of the report, as far as there are figures of this run.
func (r *results) questions() []question { return questions(r.held()) }

// held are the experiments that have held connections open.
func (r *results) held() (held []string) {
	for _, o := range r.Experiments {
		if strings.HasPrefix(o.ID, "held-") {
			held = append(held, o.ID)
		}
	}
	return held
}

func (r *results) summary() (list []summary) {
	for _, q := range r.questions() {
		for _, f := range q.figures {
			if s, known := r.summarise(f); known {
				list = append(list, s)
			}
		}
	}
	return list
}

func (r *results) summarise(f figure) (summary, bool) {
	s := summary{Experiment: f.experiment, Value: f.value, Title: f.title, Unit: f.unit,
		Medians: map[string]float64{}, Ratios: map[string]float64{}, Bars: map[string]float64{}}
	o, _ := r.find(f.experiment)
	names := r.names()
	for _, name := range names {
		if numbers, _ := o.of(name, f.value); len(numbers) > 0 {
			s.Medians[name] = median(numbers)
		}
	}
	first, known := s.Medians[names[0]]
	if !known {
		return s, len(s.Medians) > 0
	}
	misses := func(what string, value, bar float64) {
		if bar == 0 {
			return
		}
		s.Bars[what] = bar
		if f.moreIsBetter && value < bar || !f.moreIsBetter && value > bar {
			s.Missed = append(s.Missed, what)
		}
	}
	misses("absolute", first, f.bars.absolute)
	for _, name := range names[1:] {
		other, known := s.Medians[name]
		ratio := first / other
		if !known || math.IsInf(ratio, 0) || math.IsNaN(ratio) {
			continue
		}
		s.Ratios[name] = ratio
		misses(name, ratio, map[string]float64{"yardstick": f.bars.yardstick, "kubectl": f.bars.kubectl}[name])
	}
	return s, true
}

// report writes a run as Markdown; base is what the names of its pictures begin with.
func (r *results) report(out io.Writer, base string) {
	names := r.names()
	fmt.Fprintf(out, "# %s\n\n", strings.Join(names, " beside "))
	fmt.Fprintf(out, "Made by `benchmarks/run --report` from the JSON beside it; [what is measured and how](../README.md).\n\n")
	r.describe(out)
	fmt.Fprintf(out, "\nMedian (least–most) of the rounds. Where a column is headed `× NAME`, it has %s's median over that one's. "+
		"In the last column stands the bar for %s; a figure that misses it is **bold**.\n", names[0], names[0])

	for _, p := range plots(r.held()) {
		if r.draw(io.Discard, p) {
			fmt.Fprintf(out, "\n![%s](%s-%s.svg)\n", p.title, base, p.name)
		}
	}

	var missed []string
	for _, q := range r.questions() {
		var rows strings.Builder
		names, compared := r.columns(q)
		for _, f := range q.figures {
			if s, known := r.summarise(f); known {
				r.row(&rows, f, s, names, compared)
				for _, what := range s.Missed {
					missed = append(missed, missText(q, s, what))
				}
			}
		}
		if rows.Len() == 0 {
			continue
		}
		fmt.Fprintf(out, "\n## %s\n\n", q.title)
		if q.note != "" {
			fmt.Fprintf(out, "%s\n\n", q.note)
		}
		fmt.Fprintf(out, "| | | %s |", strings.Join(names, " | "))
		for _, name := range compared {
			fmt.Fprintf(out, " × %s |", name)
		}
		fmt.Fprintf(out, " bar |\n|---|---|%s\n%s", strings.Repeat("---|", len(names)+len(compared)+1), rows.String())
	}
	fmt.Fprintf(out, "\n## What misses its bar\n\n")
	list(out, missed, "Nothing.")
	fmt.Fprintf(out, "\n## What failed\n\n")
	list(out, r.failures(), "Nothing: every connection of every run was complete, and its bytes were right.")
}

func missText(q question, s summary, what string) string {
	name := q.title + ": " + s.Title
	if what == "absolute" {
		return fmt.Sprintf("%s: the bar is %v %s", name, s.Bars[what], s.Unit)
	}
	return fmt.Sprintf("%s: %s × %s, the bar is %.2f", name, ratioText(s.Ratios[what]), what, s.Bars[what])
}

// ratioText leaves out the digits of ratios to next to nothing.
func ratioText(ratio float64) string {
	if ratio >= 1000 {
		return "> 1000"
	}
	return fmt.Sprintf("%.2f", ratio)
}

func list(out io.Writer, lines []string, otherwise string) {
	if len(lines) == 0 {
		fmt.Fprintln(out, otherwise)
	}
	for _, line := range lines {
		fmt.Fprintf(out, "- %s\n", line)
	}
}

func (r *results) failures() (lines []string) {
	for _, o := range r.Experiments {
		for _, name := range r.names() {
			if _, failed := o.of(name, ""); len(failed) > 0 {
				lines = append(lines, fmt.Sprintf("%s, %s: %d times, first: %s", o.ID, name, len(failed), failed[0]))
			}
		}
	}
	return lines
}

func (r *results) describe(out io.Writer) {
	m := r.Machine
	fmt.Fprintf(out, "- %s, %d cores, %s, %s; load before and after: %s, %s\n",
		m.Processor, m.Cores, m.Kernel, m.System, m.LoadAtStart, m.LoadAtTheEnd)
	fmt.Fprintf(out, "- %s, commit %s, `%s`, %.0f s in all\n", r.Date, r.Commit, r.Command, r.Seconds)
	keys := sortedKeys(r.Versions)
	for i, key := range keys {
		keys[i] = key + " " + r.Versions[key]
	}
	fmt.Fprintf(out, "- %s\n", strings.Join(keys, "; "))
	for _, key := range sortedKeys(r.Ciphers) {
		fmt.Fprintf(out, "- the tunnels of %s: %s\n", key, r.Ciphers[key])
	}
}

func sortedKeys(m map[string]string) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func (r *results) row(out io.Writer, f figure, s summary, names, compared []string) {
	o, _ := r.find(f.experiment)
	bold := func(text, what string) string {
		for _, missed := range s.Missed {
			if missed == what {
				return "**" + text + "**"
			}
		}
		return text
	}
	var cells, bars []string
	for i, name := range names {
		numbers, failed := o.of(name, f.value)
		cell := "–"
		if len(numbers) > 0 {
			cell = fmt.Sprintf("%.*f", f.decimals, median(numbers))
			if i == 0 && name == r.Subjects[0].Name {
				cell = bold(cell, "absolute")
			}
			if len(numbers) > 1 {
				cell += fmt.Sprintf(" (%.*f–%.*f)", f.decimals, numbers[0], f.decimals, numbers[len(numbers)-1])
			}
		}
		if len(failed) > 0 {
			cell += fmt.Sprintf(", %d failed", len(failed))
		}
		cells = append(cells, cell)
	}
	sign := "≤"
	if f.moreIsBetter {
		sign = "≥"
	}
	if bar, known := s.Bars["absolute"]; known {
		bars = append(bars, fmt.Sprintf("%s %v %s", sign, bar, f.unit))
	}
	for _, name := range compared {
		cell := ""
		if ratio, known := s.Ratios[name]; known {
			cell = bold(ratioText(ratio), name)
		}
		cells = append(cells, cell)
		if bar, known := s.Bars[name]; known {
			bars = append(bars, fmt.Sprintf("%s %v × %s", sign, bar, name))
		}
	}
	fmt.Fprintf(out, "| %s | %s | %s | %s |\n", f.title, f.unit, strings.Join(cells, " | "), strings.Join(bars, ", "))
}

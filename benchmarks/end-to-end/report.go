package main

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strings"
)

// figure is one line of the report: a value of an experiment.
type figure struct {
	experiment, value string
	title, unit       string
	decimals          int
	moreIsBetter      bool
}

// question is one table.
type question struct {
	title   string
	figures []figure
	note    string
}

// questions are all tables; held stands for the number of connections that this run has held.
func questions(held string) []question {
	transfers := func(value, unit string, decimals int, moreIsBetter bool) (list []figure) {
		for _, way := range []string{"down", "up"} {
			for _, connections := range []string{"1", "64"} {
				title := way + ", " + connections + " connection"
				if connections != "1" {
					title += "s"
				}
				list = append(list, figure{way + "-" + connections, value, title, unit, decimals, moreIsBetter})
			}
		}
		return append(list,
			figure{"down-1-small", value, "down, 1 connection, frames of 1 KiB", unit, decimals, moreIsBetter},
			figure{"down-1-large", value, "down, 1 connection, frames of up to 256 KiB", unit, decimals, moreIsBetter})
	}
	return []question{
		{"Processor time for bytes", transfers("cpu", "s/GiB", 2, false),
			"The forwarder's own user and system time for each GiB of payload. Where nothing else is said, the cluster sends " +
				"messages of up to 32 KiB, as Kubernetes does; how an upload is cut is the forwarder's own choice."},
		{"Rate", transfers("rate", "MiB/s", 0, true),
			"Forwarder, cluster, pod and load generator share the machine, so this is what is left of it, not what a " +
				"forwarder could do alone."},
		{"Round trips", []figure{
			{"echo-1", "p50", "1 B, median", "µs", 0, false},
			{"echo-1", "p99", "1 B, 99th percentile", "µs", 0, false},
			{"echo-1", "cpu", "1 B, processor time", "µs", 1, false},
			{"echo-1024", "p50", "1 KiB, median", "µs", 0, false},
			{"echo-1024", "p99", "1 KiB, 99th percentile", "µs", 0, false},
			{"echo-1024", "cpu", "1 KiB, processor time", "µs", 1, false},
		}, "One open connection to an echo."},
		{"Connections", []figure{
			{"connections-1", "cpu", "one after another, processor time each", "µs", 0, false},
			{"connections-1", "p50", "one after another, whole, median", "µs", 0, false},
			{"connections-64", "cpu", "64 at a time, processor time each", "µs", 0, false},
			{"connections-64", "p50", "64 at a time, whole, median", "µs", 0, false},
			{"connections-64", "p99", "64 at a time, whole, 99th percentile", "µs", 0, false},
			{"down-1", "end", "a download's end, after its last byte", "ms", 1, false},
		}, "Each is opened, echoes 64 bytes and is closed. The last line: how long a client waits for the end of a download on " +
			"MiniCluster's runtime `ideal`, which does not say whether a pod's end is a clean one before the client ends too; " +
			"ffwd waits for that, kubectl passes the end on unproved. Container runtimes do say it, a second late."},
		{"Memory", []figure{
			{"idle", "resident", "idle, resident", "MiB", 1, false},
			{"idle", "own", "idle, of it not backed by files", "MiB", 1, false},
			{"held-" + held, "resident", held + " connections held open, resident", "MiB", 1, false},
			{"held-" + held, "each", "for each of them", "KiB", 2, false},
			{"held-" + held, "seconds", "opening them took", "s", 2, false},
		}, "Each held connection has echoed a byte, and echoes another one before it is closed."},
		{"Start and size", []figure{
			{"start", "start", "from start to `Forwarding from`", "ms", 0, false},
			{"start", "cpu", "processor time until then", "ms", 0, false},
			{"size", "stripped", "the program, stripped", "MiB", 1, false},
			{"size", "libraries", "shared libraries that it loads besides libc", "MiB", 1, false},
		}, ""},
		{"The cluster beside them: its processor time", append(transfers("cluster", "s/GiB", 2, false),
			figure{"connections-1", "cluster", "a connection, one after another", "µs", 0, false},
			figure{"connections-64", "cluster", "a connection, 64 at a time", "µs", 0, false}),
			"MiniCluster's API server, without its pod: what it had to do for each forwarder."},
	}
}

// report writes a run as Markdown.
func (r *results) report(out io.Writer) {
	names := []string{}
	for _, s := range r.Subjects {
		names = append(names, s.Name)
	}
	held := "0"
	for _, o := range r.Experiments {
		if strings.HasPrefix(o.ID, "held-") {
			held = strings.TrimPrefix(o.ID, "held-")
		}
	}
	fmt.Fprintf(out, "# %s\n\n", strings.Join(names, " beside "))
	fmt.Fprintf(out, "Made by `benchmarks/run --report` from the JSON beside it; [what is measured and how](../README.md).\n\n")
	r.describe(out)
	fmt.Fprintf(out, "\nMedian (least–most) of the rounds. The last column is the second forwarder's median over the first's; "+
		"**bold** where the first is not better in every round than the second in any.\n")

	var failures []string
	for _, q := range questions(held) {
		var rows strings.Builder
		for _, f := range q.figures {
			if o, known := r.find(f.experiment); known {
				r.row(&rows, f, o, names)
			}
		}
		if rows.Len() == 0 {
			continue
		}
		fmt.Fprintf(out, "\n## %s\n\n", q.title)
		if q.note != "" {
			fmt.Fprintf(out, "%s\n\n", q.note)
		}
		fmt.Fprintf(out, "| | | %s | %s |\n|---|---|%s\n%s",
			strings.Join(names, " | "), "ratio", strings.Repeat("---|", len(names)+1), rows.String())
	}
	for _, o := range r.Experiments {
		for _, name := range names {
			if _, failed := o.of(name, ""); len(failed) > 0 {
				failures = append(failures, fmt.Sprintf("%s, %s: %d times, first: %s", o.ID, name, len(failed), failed[0]))
			}
		}
	}
	fmt.Fprintf(out, "\n## What failed\n\n")
	if len(failures) == 0 {
		fmt.Fprintf(out, "Nothing: every connection of every run was complete, and its bytes were right.\n")
	}
	for _, failure := range failures {
		fmt.Fprintf(out, "- %s\n", failure)
	}
}

func (r *results) describe(out io.Writer) {
	m := r.Machine
	fmt.Fprintf(out, "- %s, %d cores, %s, %s; load before and after: %s, %s\n",
		m.Processor, m.Cores, m.Kernel, m.System, m.LoadAtStart, m.LoadAtTheEnd)
	fmt.Fprintf(out, "- %s, commit %s, `%s`, %.0f s in all\n", r.Date, r.Commit, r.Command, r.Seconds)
	var keys []string
	for key := range r.Versions {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for i, key := range keys {
		keys[i] = key + " " + r.Versions[key]
	}
	fmt.Fprintf(out, "- %s\n", strings.Join(keys, "; "))
	for _, s := range r.Subjects {
		fmt.Fprintf(out, "- the tunnels of %s: %s\n", s.Name, r.Ciphers[s.Name])
	}
}

func (r *results) row(out io.Writer, f figure, o outcome, names []string) {
	var cells []string
	var all [][]float64
	for _, name := range names {
		numbers, failed := o.of(name, f.value)
		all = append(all, numbers)
		cell := "–"
		if len(numbers) > 0 {
			cell = fmt.Sprintf("%.*f", f.decimals, median(numbers))
			if len(numbers) > 1 {
				cell += fmt.Sprintf(" (%.*f–%.*f)", f.decimals, numbers[0], f.decimals, numbers[len(numbers)-1])
			}
		}
		if len(failed) > 0 {
			cell += fmt.Sprintf(", %d failed", len(failed))
		}
		cells = append(cells, cell)
	}
	fmt.Fprintf(out, "| %s | %s | %s | %s |\n", f.title, f.unit, strings.Join(cells, " | "), ratio(f, all))
}

// ratio compares the first two subjects.
func ratio(f figure, all [][]float64) string {
	if len(all) < 2 || len(all[0]) == 0 || len(all[1]) == 0 {
		return ""
	}
	first, second := all[0], all[1]
	quotient := median(second) / median(first)
	if math.IsInf(quotient, 0) || math.IsNaN(quotient) {
		return ""
	}
	text := fmt.Sprintf("%.2f", quotient)
	isBetter := first[len(first)-1] < second[0]
	if f.moreIsBetter {
		isBetter = first[0] > second[len(second)-1]
	}
	if !isBetter {
		text = "**" + text + "**"
	}
	return text
}

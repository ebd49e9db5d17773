package main

import (
	"fmt"
	"regexp"
	"strings"

	"ffwd/page"
)

// readmeLine is a row of README's table: figures of one kind, side by side.
type readmeLine struct {
	title    string
	decimals int
	unit     string
	values   [][2]string // experiment and value
}

func readmeLines(held []string) []readmeLine {
	list := []readmeLine{
		{"its CPU for a GiB down, 1 / 64 connections", 2, "s", [][2]string{{"down-1", "cpu"}, {"down-64", "cpu"}}},
		{"its CPU for a GiB up, 1 / 64 connections", 2, "s", [][2]string{{"up-1", "cpu"}, {"up-64", "cpu"}}},
		{"its CPU for a connection opened, used and closed, one after another / 64 at a time", 0, "µs",
			[][2]string{{"connections-1", "cpu"}, {"connections-64", "cpu"}}},
		{"echo of a byte, median", 0, "µs", [][2]string{{"echo-1", "p50"}}},
		{"echo of a byte beside a download, median", 0, "µs", [][2]string{{"beside-1", "p50"}}},
		{"of 200 connections, beside 1 stalled download / 1 stalled upload go on", 0, "%",
			[][2]string{{"apart-down-1", "through"}, {"apart-up-1", "through"}}},
		{"memory, idle", 0, "MiB", [][2]string{{"idle", "resident"}}},
	}
	for i, id := range held {
		if i == 0 {
			list = append(list, readmeLine{"memory for each of " + strings.TrimPrefix(id, "held-") + " open connections", 1, "KiB", [][2]string{{id, "each"}}})
		}
	}
	return append(list,
		readmeLine{"memory at most, with 1,000 clients that do not read", 0, "MiB", [][2]string{{"standing-clients", "peak"}}},
		readmeLine{"from start to `Forwarding from`", 0, "ms", [][2]string{{"start", "start"}}})
}

// cell is a row's text for one subject; "": not measured.
func (r *results) cell(line readmeLine, name string) string {
	var parts []string
	for _, v := range line.values {
		o, _ := r.find(v[0])
		numbers, _ := o.of(name, v[1])
		if len(numbers) == 0 {
			return ""
		}
		parts = append(parts, fmt.Sprintf("%.*f", line.decimals, median(numbers)))
	}
	return strings.Join(parts, " / ") + " " + line.unit
}

// readme makes README's part of a run.
func (r *results) readme(path string) string {
	titles := map[string]string{"ffwd": "`ffwd`", "yardstick": "[yardstick](benchmarks/reference)", "kubectl": "kubectl"}
	if version := regexp.MustCompile(`\d+\.\d+`).FindString(r.Versions["kubectl"]); version != "" {
		titles["kubectl"] += " " + version
	}
	var names []string
	for _, name := range r.names() {
		if _, known := titles[name]; known {
			names = append(names, name)
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "<!-- benchmarks of %s -->\n", path)
	fmt.Fprintf(&out, "Side by side on one machine against `minicluster`, medians (%s, %d cores, TLS 1.3 AES-128-GCM for all; "+
		"[the whole\nreport](%s) has spreads, conditions and losses; `make bench` makes it again):\n\n",
		r.Machine.Processor, r.Machine.Cores, strings.TrimSuffix(path, ".json")+".md")
	out.WriteString("| |")
	for _, name := range names {
		fmt.Fprintf(&out, " %s |", titles[name])
	}
	fmt.Fprintf(&out, "\n|---|%s\n", strings.Repeat("---|", len(names)))
	for _, line := range readmeLines(r.held()) {
		if r.cell(line, names[0]) == "" {
			continue
		}
		fmt.Fprintf(&out, "| %s |", line.title)
		for _, name := range names {
			fmt.Fprintf(&out, " %s |", strings.TrimSpace(r.cell(line, name)+" "))
		}
		out.WriteString("\n")
	}
	out.WriteString("<!-- end of benchmarks -->\n")
	return out.String()
}

// readme rewrites README's part of a result file, or only says whether it is in step with the file that it names.
func (o options) readme() error {
	return page.Part{
		Name: "benchmarks", Command: "benchmarks/run --readme same",
		Make: func(full, path string) (string, error) {
			r, err := load(full)
			if err != nil {
				return "", err
			}
			return r.readme(path), nil
		},
	}.Update(o.root, o.readmeOf)
}

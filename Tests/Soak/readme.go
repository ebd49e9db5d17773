package main

import (
	"fmt"
	"strings"

	"ffwd/page"
)

// readme makes README's part of a run.
func (r *results) readme(path string) string {
	s := r.sums()
	var out strings.Builder
	fmt.Fprintf(&out, "<!-- soak of %s -->\n", path)
	fmt.Fprintf(&out, "Under faults for %.0f minutes (`make soak`: servers killed and stopped, tunnels cut and black-holed, pods rolled and killed, "+
		"links down;\n[the whole report](%s)):\n\n",
		r.Minutes, strings.TrimSuffix(path, ".json")+".md")
	rows := [][2]string{
		{"`ffwd` processes, faults, kinds of faults", fmt.Sprintf("%d, %d, %d", s.forwards, s.faults, s.kinds)},
		{"connections, each byte compared", fmt.Sprintf("%d, %.1f GiB", s.endings.total(), gib(s.bytes))},
		{"wrong bytes / cut answers with a clean end / hung / listener closed",
			fmt.Sprintf("%d / %d / %d / %d", s.endings[wrong], s.endings[truncated], s.endings[hung], s.endings[refused])},
		{"reset, by a fault / without one", fmt.Sprintf("%d / %d", s.endings[reset]-s.unexplained, s.unexplained)},
		{"forwards that did not carry again within a minute of a fault's end", fmt.Sprint(s.late)},
		{"all forwards carry again after a fault, median / at most",
			fmt.Sprintf("%.2f / %.1f s", quantile(s.heal, 0.5), quantile(s.heal, 1))},
	}
	if r.Simulation != nil {
		rows = append(rows, [2]string{"seeds of the whole forwarder on a [simulated kernel](Tests/Simulation), how many failed",
			fmt.Sprintf("%d, %d", r.Simulation.Seeds, r.Simulation.Failed)})
	}
	out.WriteString("| | |\n|---|---|\n")
	for _, row := range rows {
		fmt.Fprintf(&out, "| %s | %s |\n", row[0], row[1])
	}
	out.WriteString("<!-- end of soak -->\n")
	return out.String()
}

// readmeStep rewrites README's part of a result file (`same`: of the one that it names), or only checks it (`check`).
func (o options) readmeStep() error {
	return page.Part{
		Name: "soak", Command: "Tests/Soak/run --readme same",
		Make: func(full, path string) (string, error) {
			r, err := loadResults(full)
			if err != nil {
				return "", err
			}
			return r.readme(path), nil
		},
	}.Update(o.root, o.readme)
}

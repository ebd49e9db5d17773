package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// comparison is one fault that both forwarders meet, each on a server of its own.
type comparison struct {
	name string
	// needsNetwork: it is run in network namespaces.
	needsNetwork bool
	run          func(t *trial) error
}

// plain is a comparison with clients that are there, a fault, and clients that come later.
func plain(name string, open func(t *trial) error, target string, fault func(t *trial) error) comparison {
	return comparison{name: name, run: func(t *trial) error {
		if err := open(t); err != nil {
			return err
		}
		if err := t.start(target, "", 0, 7000, 7010); err != nil {
			return err
		}
		t.bystanders(4, 4)
		if err := fault(t); err != nil {
			return err
		}
		t.afterwards(8)
		return nil
	}}
}

func peerOf(runtime string) func(t *trial) error {
	return func(t *trial) error { return t.peer(runtime) }
}

// killDemo kills the pod's process; another pod takes its place.
func killDemo(t *trial) error {
	pid, err := t.server.podProcess("demo")
	if err != nil {
		return err
	}
	syscall.Kill(pid, syscall.SIGKILL)
	time.Sleep(time.Second)
	return t.server.create("next", "demo")
}

var comparisons = []comparison{
	plain("pod deleted with a second of grace, its successor is there", func(t *trial) error { return t.mini("ideal", true) }, "deploy/demo",
		func(t *trial) error {
			if err := t.server.create("next", "demo"); err != nil {
				return err
			}
			time.Sleep(time.Second)
			err := t.server.do("/delete?pod=demo&grace=1000")
			time.Sleep(2 * time.Second)
			return err
		}),
	plain("pod killed, its connections reset", func(t *trial) error { return t.mini("ideal", true) }, "deploy/demo", killDemo),
	plain("pod killed, its connections ended by its kernel", func(t *trial) error { return t.mini("ideal", false) }, "deploy/demo", killDemo),
	{name: "one connection to a port where nobody listens, beside others", run: func(t *trial) error {
		if err := t.peer("containerd-1.6"); err != nil {
			return err
		}
		if err := t.start("pod/demo", "", 0, 7000, 7010, 7999); err != nil {
			return err
		}
		t.bystanders(4, 4)
		t.client(t.seen.Meanwhile, 7999, func(c *client) error { return c.refusedPort(0) })
		time.Sleep(2 * time.Second)
		t.afterwards(8)
		return nil
	}},
	plain("API server killed, started again after 1 s", peerOf("ideal"), "pod/demo",
		func(t *trial) error { return t.server.restart(time.Second) }),
	plain("API server stopped for 20 s", peerOf("ideal"), "pod/demo", func(t *trial) error {
		t.server.Signal(syscall.SIGSTOP)
		time.Sleep(20 * time.Second)
		t.server.Signal(syscall.SIGCONT)
		return nil
	}),
	plain("the tunnel's TCP connection reset", peerOf("ideal"), "pod/demo",
		func(t *trial) error { return t.server.do("/admin/cut?how=rst") }),
	plain("the tunnel's TCP connection ended", peerOf("ideal"), "pod/demo",
		func(t *trial) error { return t.server.do("/admin/cut?how=fin") }),
	plain("the tunnel's packets lost for good, new connections get through", peerOf("ideal"), "pod/demo",
		func(t *trial) error { return t.server.do("/admin/blackhole") }),
	{name: "network lost for 30 s, both ways, without a word", needsNetwork: true,
		run: plain("", peerOf("ideal"), "pod/demo", func(t *trial) error { return t.net().swallow(30 * time.Second) }).run},
	{name: "a client that does not read 64 MiB, others beside it", run: func(t *trial) error {
		if err := t.peer("ideal"); err != nil {
			return err
		}
		if err := t.start("pod/demo", "", 0, 7000, 7010); err != nil {
			return err
		}
		t.bystanders(0, 4)
		stalled, err := connect(t.forward.locals[7010], t.seed, standstillMax, t.tally)
		if err != nil {
			return err
		}
		defer stalled.Close()
		if _, err := stalled.ask(sizeMax); err != nil {
			return err
		}
		time.Sleep(3 * time.Second)
		t.afterwards(8)
		return nil
	}},
	{name: "half-close, then an answer 3 s later, on containerd 1.6", run: func(t *trial) error {
		if err := t.peer("containerd-1.6"); err != nil {
			return err
		}
		if err := t.start("pod/demo", "", 0, 7000, 7008); err != nil {
			return err
		}
		for i := 0; i < 4; i++ {
			t.client(t.seen.Meanwhile, 7008, func(c *client) error {
				if _, err := c.Write(binary.BigEndian.AppendUint32(nil, 3000)); err != nil {
					return err
				}
				if err := c.CloseWrite(); err != nil {
					return err
				}
				if err := c.receive(0, 4, func([]byte, int64) bool { return true }); err != nil {
					return err
				}
				return c.expectEnd()
			})
		}
		t.live.Wait()
		t.afterwards(8)
		return nil
	}},
	{name: "100 clients at once, 64 descriptors", run: func(t *trial) error {
		if err := t.peer("ideal"); err != nil {
			return err
		}
		if err := t.start("pod/demo", "", 64, 7000); err != nil {
			return err
		}
		t.crowd(100, time.Second)
		t.afterwards(8)
		return nil
	}},
	{name: "1,000 clients at once", run: func(t *trial) error {
		if err := t.peer("ideal"); err != nil {
			return err
		}
		if err := t.start("pod/demo", "", 0, 7000); err != nil {
			return err
		}
		t.crowd(1000, 0)
		t.afterwards(8)
		return nil
	}},
	{name: "token expired (a plugin gives another), then the tunnel reset", run: func(t *trial) error {
		if err := t.mini("ideal", true); err != nil {
			return err
		}
		if err := t.start("pod/demo", "-plugin", 0, 7000, 7010); err != nil {
			return err
		}
		t.bystanders(4, 4)
		if err := t.server.do("/rotate"); err != nil {
			return err
		}
		time.Sleep(500 * time.Millisecond)
		if err := t.server.do("/cut?how=rst"); err != nil {
			return err
		}
		t.afterwards(8)
		return nil
	}},
}

// crowd are clients that come at once; each stays for a while.
func (t *trial) crowd(count int, stay time.Duration) {
	for i := 0; i < count; i++ {
		t.client(t.seen.Meanwhile, 7000, func(c *client) error {
			if err := c.echo(4096); err != nil {
				return err
			}
			time.Sleep(stay)
			return nil
		})
	}
	t.live.Wait()
}

// compared is a row of the table.
type compared struct {
	Fault   string `json:"fault"`
	Kubectl seen   `json:"kubectl"`
	Ffwd    seen   `json:"ffwd"`
}

type comparedAll struct {
	Date    string     `json:"date"`
	Commit  string     `json:"commit"`
	Version string     `json:"version"`
	Kubectl string     `json:"kubectl"`
	Kernel  string     `json:"kernel"`
	Skipped []string   `json:"skipped,omitempty"`
	Rows    []compared `json:"rows"`
}

// compare has both forwarders meet each fault, at the same time on servers of their own, and writes the table.
func (o options) compare() error {
	all := comparedAll{Date: time.Now().UTC().Format("2006-01-02T15:04:05Z"), Commit: commit(o.root),
		Version: firstLine(o.program().ffwd, "--version"), Kubectl: firstLine(o.kubectl, "version", "--client"), Kernel: firstLine("uname", "-sr")}
	missing := networkMissing()
	for _, c := range comparisons {
		if !o.wants(c.name) || o.inside != "" && !c.needsNetwork {
			continue
		}
		o.say("%s", c.name)
		switch {
		case c.needsNetwork && o.inside == "" && missing != nil:
			all.Skipped = append(all.Skipped, fmt.Sprintf("%s: %v", c.name, missing))
			continue
		case c.needsNetwork && o.inside == "":
			rows, err := o.compareInside(c.name)
			if err != nil {
				return err
			}
			all.Rows = append(all.Rows, rows...)
			continue
		}
		row := compared{Fault: c.name}
		o.both(c, &row)
		all.Rows = append(all.Rows, row)
	}
	if o.inside != "" {
		return json.NewEncoder(os.Stdout).Encode(all.Rows)
	}
	all.write(os.Stdout)
	if o.out == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, "faults.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	var page strings.Builder
	all.write(&page)
	return os.WriteFile(filepath.Join(o.out, "faults.md"), []byte(page.String()), 0o644)
}

func (o options) compareInside(name string) ([]compared, error) {
	n, err := openNetwork()
	defer n.close()
	if err != nil {
		return nil, err
	}
	text, err := o.again(n, "--faults", "--only", name)
	if err != nil {
		return nil, err
	}
	var rows []compared
	return rows, json.Unmarshal(text, &rows)
}

// both lets kubectl and ffwd meet a fault: at the same time, or one after the other where there is one network.
func (o options) both(c comparison, row *compared) {
	var wait sync.WaitGroup
	for _, subject := range []struct {
		isKubectl bool
		seen      *seen
	}{{true, &row.Kubectl}, {false, &row.Ffwd}} {
		subject := subject
		wait.Add(1)
		meet := func() {
			defer wait.Done()
			t := o.newTrial(subject.isKubectl)
			defer t.end()
			if err := c.run(t); err != nil {
				subject.seen.Error = err.Error()
				o.say("%s: kubectl %v: %v", c.name, subject.isKubectl, err)
				return
			}
			*subject.seen = t.conclude()
		}
		if o.inside != "" {
			meet()
		} else {
			go meet()
		}
	}
	wait.Wait()
}

// write writes the table.
func (a *comparedAll) write(out io.Writer) {
	fmt.Fprintf(out, "# Fault by fault, beside kubectl\n\nMade by `make faults` (%s; %s at %s; kubectl: %s; %s), which runs both in the same setting, "+
		"each on a\nserver of its own. [How](../README.md#beside-kubectl).\n\n", a.Date[:10], a.Version, a.Commit, a.Kubectl, a.Kernel)
	fmt.Fprintf(out, "*Truncated* is an answer that was cut and looks whole: a clean end. *Hung* is a client without a byte for %.0f s. "+
		"*Refused*: nobody listens on the local\nport any more.\n\n", standstillMax.Seconds())
	fmt.Fprintf(out, "| fault | | clients that were there | clients that came later | the command | what it printed |\n|---|---|---|---|---|---|\n")
	for _, row := range a.Rows {
		row.Kubectl.write(out, row.Fault, "kubectl")
		row.Ffwd.write(out, "", "`ffwd`")
	}
	for _, skipped := range a.Skipped {
		fmt.Fprintf(out, "\nLeft out: %s\n", skipped)
	}
}

const (
	// linesShownMax and lineRunesMax bound what is shown of what a command has said.
	linesShownMax = 2
	lineRunesMax  = 170
)

func (s *seen) write(out io.Writer, fault, name string) {
	if s.Error != "" {
		fmt.Fprintf(out, "| %s | %s | | | not compared: %s | |\n", fault, name, s.Error)
		return
	}
	state := "goes on"
	if s.Exit != "" {
		state = "has ended: " + s.Exit
	}
	var lines []string
	for i, line := range s.Lines {
		if i == linesShownMax {
			lines = append(lines, fmt.Sprintf("(%d more kinds)", len(s.Lines)-i))
			break
		}
		if runes := []rune(line); len(runes) > lineRunesMax {
			line = string(runes[:lineRunesMax]) + "…"
		}
		lines = append(lines, "`"+strings.NewReplacer("|", "\\|", "`", "'").Replace(line)+"`")
	}
	fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s |\n", fault, name, s.Meanwhile.text(), s.After.text(), state, strings.Join(lines, "<br>"))
}

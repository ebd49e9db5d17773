package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// network is a pair of network namespaces with a link between them: the clients and ffwd here, the servers there.
//
// The link can be slowed, lose everything without a word, or be taken down on either side.
type network struct{ near, far string }

const (
	namespacePrefix = "ffwd-soak-"
	// The addresses of the two ends; no other network sees them.
	nearAddress, farAddress = "10.213.7.1", "10.213.7.2"
	nearLink, farLink       = "ffwd-near", "ffwd-far"
	// nowhere is a link address that nobody has: what is sent there is lost.
	nowhere = "02:00:00:00:00:99"
)

// networkMissing says why there can be no namespaces here; nil: there can.
func networkMissing() error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	for _, program := range []string{"ip", "tc"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("there is no `%s`", program)
		}
	}
	n, err := openNetwork()
	n.close()
	return err
}

// run runs a command of a few words.
func run(words ...string) error {
	text, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, strings.TrimSpace(string(text)))
	}
	return nil
}

// openNetwork makes both namespaces and the link, and removes what runs have left that were killed.
func openNetwork() (network, error) {
	entries, _ := os.ReadDir("/var/run/netns")
	for _, entry := range entries {
		words := strings.Split(strings.TrimPrefix(entry.Name(), namespacePrefix), "-")
		pid, err := strconv.Atoi(words[0])
		if strings.HasPrefix(entry.Name(), namespacePrefix) && err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			run("ip", "netns", "delete", entry.Name())
		}
	}
	base := namespacePrefix + strconv.Itoa(os.Getpid())
	n := network{base + "-near", base + "-far"}
	for _, command := range [][]string{
		{"ip", "netns", "add", n.near}, {"ip", "netns", "add", n.far},
		{"ip", "link", "add", nearLink, "netns", n.near, "type", "veth", "peer", "name", farLink, "netns", n.far},
		{"ip", "-n", n.near, "address", "add", nearAddress + "/24", "dev", nearLink},
		{"ip", "-n", n.far, "address", "add", farAddress + "/24", "dev", farLink},
		{"ip", "-n", n.near, "link", "set", "lo", "up"}, {"ip", "-n", n.far, "link", "set", "lo", "up"},
		{"ip", "-n", n.near, "link", "set", nearLink, "up"}, {"ip", "-n", n.far, "link", "set", farLink, "up"},
	} {
		if err := run(command...); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (n network) close() {
	for _, name := range []string{n.near, n.far} {
		if name != "" {
			run("ip", "netns", "delete", name)
		}
	}
}

// far is what stands in front of a command of the far side.
func (n network) onFarSide() []string { return []string{"ip", "netns", "exec", n.far} }

// down takes the link down on a side, and up again after a while.
func (n network) down(namespace, link string, span time.Duration) error {
	if err := run("ip", "-n", namespace, "link", "set", link, "down"); err != nil {
		return err
	}
	time.Sleep(span)
	return run("ip", "-n", namespace, "link", "set", link, "up")
}

// swallow loses all packets, both ways, without a word to anybody.
func (n network) swallow(span time.Duration) error {
	ways := [][3]string{{n.near, farAddress, nearLink}, {n.far, nearAddress, farLink}}
	for _, way := range ways {
		if err := run("ip", "-n", way[0], "neighbour", "replace", way[1], "lladdr", nowhere, "dev", way[2]); err != nil {
			return err
		}
	}
	time.Sleep(span)
	for _, way := range ways {
		if err := run("ip", "-n", way[0], "neighbour", "delete", way[1], "dev", way[2]); err != nil {
			return err
		}
	}
	return nil
}

// slow lets so many bits a second through, both ways, for a while.
func (n network) slow(rate string, span time.Duration) error {
	ends := [][2]string{{n.near, nearLink}, {n.far, farLink}}
	for _, end := range ends {
		if err := run("tc", "-n", end[0], "qdisc", "add", "dev", end[1], "root", "tbf",
			"rate", rate, "burst", "32kbit", "latency", "400ms"); err != nil {
			return err
		}
	}
	time.Sleep(span)
	for _, end := range ends {
		if err := run("tc", "-n", end[0], "qdisc", "delete", "dev", end[1], "root"); err != nil {
			return err
		}
	}
	return nil
}

// faults are those of the link.
func (n network) faults() []fault {
	return []fault{
		{name: "network lost for up to 5 s, silently", run: func(w *world) error { return n.swallow(w.between(500, 5000)) }},
		{name: "network lost for 25 s, silently", run: func(w *world) error { return n.swallow(25 * time.Second) }, isLong: true},
		{name: "link down on the near side", run: func(w *world) error { return n.down(n.near, nearLink, w.between(500, 5000)) }},
		{name: "link down on the far side", run: func(w *world) error { return n.down(n.far, farLink, w.between(500, 5000)) }},
		{name: "network slow, 4 Mbit/s", run: func(w *world) error { return n.slow("4mbit", w.between(2000, 6000)) }},
		serverKilled,
		serverStopped("API server stopped, up to 5 s", 200, 5000),
	}
}

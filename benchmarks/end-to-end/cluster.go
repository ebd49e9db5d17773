package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// startMax is how long a program may take until it is ready.
const startMax = 20 * time.Second

// settleSpan lets a forwarder finish what a run has left: ends of connections are part of what is measured.
const settleSpan = 150 * time.Millisecond

// bench is a run: the programs, and the cluster that is there throughout.
type bench struct {
	client   string
	cluster  *process
	admin    string
	config   string
	subjects []subject
	quick    bool
}

// subject is a forwarder that is measured.
type subject struct {
	Name string `json:"name"`
	// Path is the program itself, behind links and dispatchers.
	Path string `json:"path"`
	// verb stands in front of the pod.
	verb []string
}

// forward is a running forwarder.
type forward struct {
	*process
	port    int
	startup time.Duration
}

func (b *bench) startCluster(minicluster, dir string) (err error) {
	b.cluster, err = start(minicluster, "serve", "--dir", dir, "--admin", "--runtime", "ideal")
	if err != nil {
		return err
	}
	if _, err = b.cluster.line("ready ", startMax); err != nil {
		return err
	}
	b.admin, err = b.cluster.line("admin ", startMax)
	b.config = filepath.Join(dir, "kubeconfig")
	return err
}

// forward starts a fresh forwarder to one port of the pod, so that no run inherits another's heap or tunnels.
func (b *bench) forward(s subject, remote int) (*forward, error) {
	arguments := append(append([]string{}, s.verb...),
		"--kubeconfig", b.config, "pod/demo", fmt.Sprintf(":%d", remote))
	p, err := start(s.Path, arguments...)
	if err != nil {
		return nil, err
	}
	text, err := p.line("Forwarding from 127.0.0.1:", startMax)
	f := &forward{process: p, startup: time.Since(p.begun)}
	if err == nil {
		f.port, err = strconv.Atoi(strings.SplitN(text, " ", 2)[0])
	}
	if err != nil {
		p.end()
		return nil, err
	}
	return f, nil
}

// ciphers asks the cluster what its open tunnels have agreed on.
func (b *bench) ciphers() (string, error) {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(b.admin + "/stats")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var statistics struct {
		TunnelsTLS []string `json:"tunnelsTLS"`
	}
	if err := json.NewDecoder(response.Body).Decode(&statistics); err != nil {
		return "", err
	}
	return strings.Join(statistics.TunnelsTLS, ", "), nil
}

// cut has the cluster cut what comes from pods into frames of at most so many bytes; 0: as large as it likes.
func (b *bench) cut(frameBytes int) error {
	query := ""
	if frameBytes > 0 {
		query = fmt.Sprintf("?bytes=%d", frameBytes)
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Post(b.admin+"/frames"+query, "", nil)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the cluster cuts no frames: %s", response.Status)
	}
	return nil
}

// resolve finds the program that really runs: `kubectl` may be a link or a dispatcher that costs time at each start.
func (b *bench) resolve(s *subject) error {
	f, err := b.forward(*s, 7000)
	if err != nil {
		return err
	}
	defer f.end()
	path, err := f.executable()
	if err != nil {
		return err
	}
	s.Path = path
	return nil
}

// verify sends random bytes through the pod's echo on several connections and has each byte compared, both ways.
//
// The sink of the uploads only counts, so this is what says that a forwarder changes no byte on the way to the pod.
func (b *bench) verify(s subject) error {
	f, err := b.forward(s, 7000)
	if err != nil {
		return err
	}
	defer f.end()
	_, err = b.run("echo", f.port, "--connections", 8, "--bytes", 4<<20)
	return err
}

// meter reads the processor time of a forwarder and of the cluster at the same time.
type meter struct{ forwarder, cluster time.Duration }

func (b *bench) meter(f *forward) (m meter, err error) {
	if m.forwarder, err = f.cpu(); err == nil {
		m.cluster, err = b.cluster.cpu()
	}
	return m, err
}

// measured is what run costs, from before its start until everything has settled.
func (b *bench) measured(f *forward, run func() error) (spent meter, err error) {
	before, err := b.meter(f)
	if err != nil {
		return spent, err
	}
	if err = run(); err != nil {
		return spent, err
	}
	time.Sleep(settleSpan)
	after, err := b.meter(f)
	return meter{after.forwarder - before.forwarder, after.cluster - before.cluster}, err
}

func fileMiB(path string) float64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return float64(info.Size()) / (1 << 20)
}

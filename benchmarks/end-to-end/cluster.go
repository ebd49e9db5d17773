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

// place is a cluster that is there throughout: the server's process, and its pod's where that is not its child.
type place struct {
	cluster, pod  *process
	admin, config string
}

// The places of experiments.
const (
	aes128  = "aes-128" // MiniCluster as it is: TLS_AES_128_GCM_SHA256
	aes256  = "aes-256" // MiniCluster with TLS_AES_256_GCM_SHA384 only
	goPeer  = "go"      // Tests/Peers: a server on the Go libraries that Kubernetes is built on
	farAway = "far"     // the first, a round trip of farSpan away
	// The Go server, a round trip of veryFarSpan away.
	goFarAway = "go-far"
)

// bench is a run: the programs, and the clusters.
type bench struct {
	programs, peers, dir string
	client               string
	*place
	places   map[string]*place
	subjects []subject
	quick    bool
	// forwards is told of each forwarder that starts; nil: nobody asks.
	forwards func(*forward)
}

// subject is a forwarder that is measured.
type subject struct {
	Name string `json:"name"`
	// Path is the program itself, behind links and dispatchers.
	Path string `json:"path"`
	// verb stands in front of the pod.
	verb []string
	// IsSlow is for those that get less to do: a sixteenth, and three rounds.
	IsSlow bool `json:"isSlow,omitempty"`
}

// roundsOfSlow are the rounds of those that get less to do.
const roundsOfSlow = 3

// share is what of an amount a subject gets to do.
func (s subject) share(amount, least int) int {
	if s.IsSlow {
		return max(amount/16, least)
	}
	return amount
}

// forward is a running forwarder.
type forward struct {
	*process
	port    int
	ports   map[int]int // by the pod's port
	startup time.Duration
}

// goTo makes a place the one where things happen, and opens it when it is needed first.
func (b *bench) goTo(name string) (err error) {
	if _, known := b.places[name]; !known {
		if b.places[name], err = b.open(name); err != nil {
			return err
		}
	}
	b.place = b.places[name]
	return nil
}

func (b *bench) open(name string) (*place, error) {
	switch name {
	case farAway:
		return b.goFar(aes128, farSpan)
	case goFarAway:
		return b.goFar(goPeer, veryFarSpan)
	}
	dir := filepath.Join(b.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	p := &place{config: filepath.Join(dir, "kubeconfig")}
	server := []string{filepath.Join(b.programs, "minicluster"), "serve", "--dir", dir, "--admin", "--runtime", "ideal"}
	switch name {
	case aes256:
		server = append(server, "--cipher-suites", "TLS_AES_256_GCM_SHA384")
	case goPeer:
		address := fmt.Sprintf("127.%d.%d.1", 100+os.Getpid()>>8%100, os.Getpid()&255)
		server = []string{filepath.Join(b.peers, "ffwd-apiserver"), "--dir", dir, "--runtime", "ideal", "--pod-address", address}
		var err error
		if p.pod, err = start(filepath.Join(b.peers, "ffwd-pod"), "--address", address); err != nil {
			return nil, err
		}
		if _, err = p.pod.Line("ready ", startMax); err != nil {
			return nil, err
		}
	}
	return p, p.start(server)
}

func (p *place) start(server []string) (err error) {
	if p.cluster, err = start(server[0], server[1:]...); err != nil {
		return err
	}
	if _, err = p.cluster.Line("ready ", startMax); err != nil {
		return err
	}
	p.admin, err = p.cluster.Line("admin ", startMax)
	return err
}

func (b *bench) endPlaces() {
	for _, p := range b.places {
		if p == nil {
			continue
		}
		p.cluster.end()
		p.pod.end()
	}
}

// forward starts a fresh forwarder to ports of the pod, so that no run inherits another's heap or tunnels.
func (b *bench) forward(s subject, remotes ...int) (*forward, error) {
	arguments := append(append([]string{}, s.verb...), "--kubeconfig", b.config, "pod/demo")
	for _, remote := range remotes {
		arguments = append(arguments, fmt.Sprintf(":%d", remote))
	}
	p, err := start(s.Path, arguments...)
	if err != nil {
		return nil, err
	}
	f := &forward{process: p, ports: map[int]int{}}
	for range remotes {
		text, err := p.Line("Forwarding from 127.0.0.1:", startMax)
		if f.startup == 0 {
			f.startup = time.Since(p.Begun)
		}
		var local, remote int
		if err == nil {
			_, err = fmt.Sscanf(text, "%d -> %d", &local, &remote)
		}
		if err != nil {
			p.end()
			return nil, err
		}
		f.ports[remote] = local
	}
	f.port = f.ports[remotes[0]]
	if b.forwards != nil {
		b.forwards(f)
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
		query = "?bytes=" + strconv.Itoa(frameBytes)
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
	if s.IsSlow {
		return nil // a script: its interpreter alone would know nothing of the libraries
	}
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

// cipher is what a subject's tunnel has agreed on with the cluster; the tunnel is there once bytes were carried.
func (b *bench) cipher(s subject) (string, error) {
	f, err := b.forward(s, 7000)
	if err != nil {
		return "", err
	}
	defer f.end()
	connections, err := b.hold(f.port, 1)
	if err != nil {
		return "", err
	}
	cipher, err := b.ciphers()
	if ended := connections.release(); err == nil {
		err = ended
	}
	return cipher, err
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

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// programs are where everything lies that a run starts.
type programs struct {
	ffwd, simulate, miniCluster, apiServer, pod, kubectl string
}

// server is an API server with pods, which can be told to fail.
type server struct {
	*process
	programs programs
	// dir holds its kubeconfigs.
	dir string
	// isMini: MiniCluster; else the Go peer, whose pods are processes of ours.
	isMini bool
	// arguments of the server; the port is known once it has run.
	arguments []string
	port      int
	admin     string
	// before stands in front of every command of the far side: a network namespace.
	before []string
	pods   []*peerPod
	// count numbers the pods that were created.
	count int
}

// peerPod is a pod of the Go peer: a process that comes again at the same address.
type peerPod struct {
	*process
	name, address string
}

// miniCluster starts MiniCluster with pods of one deployment.
func miniCluster(p programs, dir, runtime string, pods ...string) (*server, error) {
	s := &server{programs: p, dir: dir, isMini: true, arguments: []string{
		p.miniCluster, "serve", "--dir", dir, "--admin", "--pods-reset-when-killed", "--runtime", runtime}}
	for _, pod := range pods {
		s.arguments = append(s.arguments, "--pod", pod)
	}
	return s, s.start()
}

// goPeer starts the server on Kubernetes' own libraries, at an address, with pods of one service.
func goPeer(p programs, dir, runtime, address string, before []string, pods ...string) (*server, error) {
	s := &server{programs: p, dir: dir, before: before}
	s.arguments = append(append(s.arguments, before...),
		p.apiServer, "--dir", dir, "--runtime", runtime, "--address", address)
	for _, name := range pods {
		pod := &peerPod{name: name, address: nextAddress()}
		if err := s.startPod(pod); err != nil {
			return s, err
		}
		s.pods = append(s.pods, pod)
		if name == "demo" {
			s.arguments = append(s.arguments, "--pod-address", pod.address)
		} else {
			s.arguments = append(s.arguments, "--pod", name+"="+pod.address)
		}
	}
	return s, s.start()
}

// addressesTaken keeps the pods of servers of one run apart.
var addressesTaken atomic.Int64

// nextAddress is an address of loopback that no other pod of this run has, nor one of another run.
func nextAddress() string {
	return fmt.Sprintf("127.%d.%d.%d", 100+os.Getpid()>>8%100, os.Getpid()&255, 1+addressesTaken.Add(1)%254)
}

func (s *server) startPod(pod *peerPod) (err error) {
	arguments := append(append([]string{}, s.before...), s.programs.pod, "--address", pod.address, "--reset-when-killed")
	if pod.process, err = start(s.dir, arguments...); err != nil {
		return err
	}
	_, err = pod.Line("ready ", startMax)
	return err
}

// start starts the server, at the port that it had before.
func (s *server) start() (err error) {
	arguments := s.arguments
	if s.port != 0 {
		arguments = append(append([]string{}, arguments...), "--port", strconv.Itoa(s.port))
	}
	if s.process, err = start(s.dir, arguments...); err != nil {
		return err
	}
	ready, err := s.Line("ready ", startMax)
	if err != nil {
		return err
	}
	s.port, _ = strconv.Atoi(ready[strings.LastIndex(ready, ":")+1:])
	s.admin, err = s.Line("admin ", startMax)
	return err
}

// restart kills the server and starts it again after a while.
func (s *server) restart(after time.Duration) error {
	s.Signal(syscall.SIGKILL)
	<-s.Done()
	time.Sleep(after)
	// The pods of MiniCluster go with it, and their addresses are free only then; the port may take a moment.
	var err error
	for attempt := 0; attempt < 10; attempt++ {
		if err = s.start(); err == nil {
			return nil
		}
		s.end(syscall.SIGKILL)
		time.Sleep(200 * time.Millisecond)
	}
	return err
}

func (s *server) endAll() {
	if s == nil {
		return
	}
	s.process.end(syscall.SIGTERM)
	for _, pod := range s.pods {
		pod.end(syscall.SIGTERM)
	}
}

func (s *server) kubeconfig(kind string) string { return filepath.Join(s.dir, "kubeconfig"+kind) }

// do sends a request to the switches.
func (s *server) do(path string) error {
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Post(s.admin+path, "", nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s: %s", path, response.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// create adds a pod to MiniCluster's deployment `demo`, or to another application.
func (s *server) create(name, app string) error {
	return s.do("/create?pod=" + name + "&labels=app=" + app)
}

// newName is one that no pod has had.
func (s *server) newName() string {
	s.count++
	return fmt.Sprintf("pod-%d", s.count)
}

// podProcess is the process of a pod of MiniCluster.
func (s *server) podProcess(name string) (int, error) {
	if pid, found := s.child("hello from " + name); found {
		return pid, nil
	}
	return 0, fmt.Errorf("no process of the pod %s", name)
}

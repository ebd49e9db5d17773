package main

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

// between draws a span of so many milliseconds.
func (w *world) between(least, most int) time.Duration {
	return time.Duration(least+w.random.Intn(most-least+1)) * time.Millisecond
}

// post is a fault that is one request to the server's switches, then a moment for it to be noticed.
func post(name, path string) fault {
	return fault{name: name, run: func(w *world) error {
		err := w.server.do(path)
		time.Sleep(w.between(0, 500))
		return err
	}}
}

// long marks a fault whose end is noticed late.
func long(f fault) fault {
	f.isLong = true
	return f
}

// during is a fault that is switched on and, some time later, off.
func during(name, on, off string, least, most int) fault {
	return fault{name: name, run: func(w *world) error {
		if err := w.server.do(on); err != nil {
			return err
		}
		time.Sleep(w.between(least, most))
		return w.server.do(off)
	}}
}

// serverKilled is the API server's end by SIGKILL and its return.
var serverKilled = fault{name: "API server killed, started again", run: func(w *world) error {
	if err := w.server.restart(w.between(0, 4000)); err != nil {
		return err
	}
	return w.refill(true)
}}

// serverStopped stops the API server: its kernel still acknowledges, its process does nothing.
func serverStopped(name string, least, most int) fault {
	return fault{name: name, run: func(w *world) error {
		w.server.Signal(syscall.SIGSTOP)
		time.Sleep(w.between(least, most))
		w.server.Signal(syscall.SIGCONT)
		return nil
	}, isLong: least > 5000}
}

// clients is a fault of the clients' own: many of them at once on every forward that has their port.
func clients(name string, count int, b behaviour, sizeMost int64) fault {
	return fault{name: name, run: func(w *world) error {
		var wait sync.WaitGroup
		for _, f := range w.forwards {
			sizes := make([]int64, count)
			for i := range sizes {
				sizes[i] = drawSize(w.random, sizeMost)
			}
			if _, known := f.locals[b.port]; !known {
				continue
			}
			for _, size := range sizes {
				wait.Add(1)
				go func(f *forward, size int64) {
					defer wait.Done()
					w.one(f, b, size)
				}(f, size)
			}
		}
		wait.Wait()
		return nil
	}}
}

// faultsOfClients are done to every forward, whatever the server is.
var faultsOfClients = []fault{
	clients("a port of the pod refused", 6, behaviour{name: "refused port", port: 7999, run: (*client).refusedPort}, 2000),
	clients("connections reset by the pod", 6, behaviour{name: "pod's reset", port: 7005, run: (*client).podReset}, 0),
	clients("clients that go in the middle", 20, behaviour{name: "abandoned", port: 7010, run: (*client).abandon}, 0),
	clients("clients that stop reading", 6, behaviour{name: "standstill", port: 7010,
		run: func(c *client, _ int64) error { return c.standStill(8 << 20) }}, 0),
	clients("150 clients at once", 150, behaviour{name: "crowd", port: 7000, run: (*client).echo}, 4096),
}

// What follows is for MiniCluster.

// podsWanted is how many pods the deployment has between faults.
const podsWanted = 5

// soloPod is a pod that comes again under its own name.
const soloPod = "solo"

// refill creates pods until there are as many as wanted; the server has forgotten those created where it is new.
func (w *world) refill(isNew bool) error {
	if !w.server.isMini {
		return nil
	}
	if isNew {
		w.pods = append([]string{}, podsOfDeployment...)
		if err := w.server.create(soloPod, soloPod); err != nil {
			return err
		}
	}
	for len(w.pods) < podsWanted {
		name := w.server.newName()
		if err := w.server.create(name, "demo"); err != nil {
			return err
		}
		w.pods = append(w.pods, name)
	}
	return nil
}

// podsOfDeployment are there from the start.
var podsOfDeployment = []string{"demo", "web-1", "web-2", "web-3", "web-4"}

// takePod draws a pod and takes it from the list of those that are there.
func (w *world) takePod() string {
	i := w.random.Intn(len(w.pods))
	name := w.pods[i]
	w.pods = append(w.pods[:i:i], w.pods[i+1:]...)
	return name
}

func (w *world) aPod() string { return w.pods[w.random.Intn(len(w.pods))] }

// replacePod deletes a pod with so much grace, in milliseconds, and creates another one first or afterwards.
func (w *world) replacePod(grace int) error {
	name := w.takePod()
	isFirst := w.random.Intn(2) == 0
	if isFirst {
		if err := w.refill(false); err != nil {
			return err
		}
	}
	if err := w.server.do(fmt.Sprintf("/delete?pod=%s&grace=%d", name, grace)); err != nil {
		return err
	}
	time.Sleep(time.Duration(grace) * time.Millisecond)
	return w.refill(false)
}

// stopPod stops the process of a pod of MiniCluster for a while.
func (w *world) stopPod() error {
	pid, err := w.server.podProcess(w.aPod())
	if err != nil {
		return err
	}
	syscall.Kill(pid, syscall.SIGSTOP)
	time.Sleep(w.between(500, 4000))
	return syscall.Kill(pid, syscall.SIGCONT)
}

// killPod ends the process of a pod: the pod fails, and is replaced.
func (w *world) killPod() error {
	name := w.takePod()
	pid, err := w.server.podProcess(name)
	if err != nil {
		return err
	}
	syscall.Kill(pid, syscall.SIGKILL)
	time.Sleep(w.between(0, 1000))
	if err := w.server.do("/delete?pod=" + name); err != nil {
		return err
	}
	return w.refill(false)
}

var faultsOfMiniCluster = []fault{
	post("all tunnels reset", "/cut?how=rst"),
	post("all tunnels ended", "/cut?how=fin"),
	post("one tunnel reset", "/cut?how=rst&tunnel=one"),
	post("one tunnel ended", "/cut?how=fin&tunnel=one"),
	post("GOAWAY on all tunnels", "/goaway"),
	during("tunnels not read", "/stall?on=1", "/stall?on=0", 500, 6000),
	serverKilled,
	serverStopped("API server stopped, up to 5 s", 200, 5000),
	serverStopped("API server stopped for 20 s", 20_000, 20_000),
	{name: "API errors while tunnels are made again", run: func(w *world) error {
		how := []string{"500", "401", "garbage", "hang"}[w.random.Intn(4)]
		if err := w.server.do("/answer?status=" + how); err != nil {
			return err
		}
		if err := w.server.do("/cut?how=rst"); err != nil {
			return err
		}
		time.Sleep(w.between(500, 4000))
		return w.server.do("/answer?status=normal")
	}},
	{name: "pod deleted with grace, replaced", run: func(w *world) error { return w.replacePod(200 + w.random.Intn(1500)) }},
	{name: "pod deleted at once, replaced", run: func(w *world) error { return w.replacePod(0) }},
	{name: "all pods rolled", run: func(w *world) error {
		for range podsOfDeployment {
			if err := w.replacePod(300); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "pod of one name made again", run: func(w *world) error {
		if err := w.server.do("/delete?pod=" + soloPod); err != nil {
			return err
		}
		time.Sleep(w.between(0, 2000))
		return w.server.create(soloPod, soloPod)
	}},
	{name: "pod unready for a while", run: func(w *world) error {
		name := w.aPod()
		if err := w.server.do("/ready?pod=" + name + "&on=0"); err != nil {
			return err
		}
		time.Sleep(w.between(200, 3000))
		return w.server.do("/ready?pod=" + name + "&on=1")
	}},
	{name: "pod killed", run: (*world).killPod},
	{name: "pod stopped, up to 4 s", run: (*world).stopPod},
	{name: "tokens expired, tunnels reset", run: func(w *world) error {
		// Known for a second, then refused, then new ones: the files are written before each.
		if err := w.server.do("/rotate?seconds=1"); err != nil {
			return err
		}
		time.Sleep(w.between(1000, 2500))
		if err := w.server.do("/cut?how=rst"); err != nil {
			return err
		}
		time.Sleep(w.between(0, 1000))
		return w.server.do("/rotate")
	}},
}

// What follows is for the Go peer.

// restartPod kills the process of a pod of the Go peer and starts it again at its address.
func (w *world) restartPod() error {
	pod := w.server.pods[w.random.Intn(len(w.server.pods))]
	pod.Signal(syscall.SIGKILL)
	<-pod.Done()
	time.Sleep(w.between(0, 2000))
	return w.server.startPod(pod)
}

func (w *world) stopPeerPod() error {
	pod := w.server.pods[w.random.Intn(len(w.server.pods))]
	pod.Signal(syscall.SIGSTOP)
	time.Sleep(w.between(500, 4000))
	pod.Signal(syscall.SIGCONT)
	return nil
}

var faultsOfGoPeer = []fault{
	post("all tunnels reset", "/admin/cut?how=rst"),
	post("all tunnels ended", "/admin/cut?how=fin"),
	post("one tunnel reset", "/admin/cut?how=rst&count=1"),
	post("one tunnel ended", "/admin/cut?how=fin&count=1"),
	long(post("all tunnels black-holed", "/admin/blackhole")),
	long(post("one tunnel black-holed", "/admin/blackhole?count=1")),
	during("tunnels frozen", "/admin/freeze?what=tunnels", "/admin/thaw", 500, 6000),
	during("API frozen", "/admin/freeze?what=api", "/admin/thaw", 500, 6000),
	{name: "tunnels reset while the API is frozen", run: func(w *world) error {
		if err := w.server.do("/admin/freeze?what=api"); err != nil {
			return err
		}
		if err := w.server.do("/admin/cut?how=rst"); err != nil {
			return err
		}
		time.Sleep(w.between(500, 5000))
		return w.server.do("/admin/thaw")
	}},
	serverKilled,
	serverStopped("API server stopped, up to 5 s", 200, 5000),
	serverStopped("API server stopped for 20 s", 20_000, 20_000),
	{name: "pod killed, started again", run: (*world).restartPod},
	{name: "pod stopped, up to 4 s", run: (*world).stopPeerPod},
}

// Command apiserver stands in for a Kubernetes API server, kubelet and container runtime, for port-forwarding.
//
// It is built on the libraries that Kubernetes itself is built on, gorilla/websocket and moby/spdystream, and
// shares no code with FastForward: what works against it was not made to work by a mistake on both sides.
//
//	client ─TLS─ api.go: HTTP, credentials, objects
//	               └ tunnel.go: upgrade, bytes copied unread ─loopback TCP─ kubelet.go: SPDY, pairs of streams
//	                                                                          └ runtime.go ─TCP─ the pod's process
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	log.SetPrefix("apiserver: ")

	directory := flag.String("dir", "", "directory for kubeconfig files (required)")
	address := flag.String("address", "127.0.0.1", "address of the API server")
	port := flag.Int("port", 0, "port of the API server; 0 takes a free one")
	runtimeName := flag.String("runtime", "containerd-1.6", "how connections end: "+strings.Join(runtimeNames(), ", "))
	podAddress := flag.String("pod-address", "127.0.0.1", "address where the process of pod demo listens")
	pods := podList{}
	flag.Var(&pods, "pod", "a further pod, NAME=ADDRESS (repeatable)")
	cipher := flag.String("cipher", "", "the one TLS cipher suite to speak, by Go's name; the connection is TLS 1.2 then")
	ways := flag.String("ways", "tunnel,spdy,channels", "ways in that the server knows (or base64: channels in that form only); without tunnel it answers as servers before 1.30")
	refusals := refusals{}
	flag.Var(refusals, "refuse", "a way in that a gateway in front does not let through, and how: WAY=STATUS or WAY=close (repeatable)")
	flag.Parse()

	newRuntime, known := runtimes[*runtimeName]
	if *directory == "" || flag.NArg() != 0 || !known {
		flag.Usage()
		os.Exit(2)
	}
	pods["demo"] = *podAddress
	if *runtimeName == "ideal" {
		containerScheme = "ideal"
	}

	if err := run(*directory, *address, *port, newRuntime, pods, *cipher, *ways, refusals); err != nil {
		log.Fatal(err)
	}
}

// podList maps the name of a pod to the address of its process.
type podList map[string]string

func (pods podList) String() string { return "" }

func (pods podList) Set(text string) error {
	name, address, found := strings.Cut(text, "=")
	if !found || name == "" || net.ParseIP(address) == nil {
		return fmt.Errorf("want NAME=ADDRESS")
	}
	pods[name] = address
	return nil
}

// names are the pods in the order in which lists show them.
func (pods podList) names() []string {
	names := make([]string, 0, len(pods))
	for name := range pods {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func run(directory, address string, port int, runtime portForwarder, pods podList, cipher, ways string, refusals refusals) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	authority, err := openAuthority(directory)
	if err != nil {
		return err
	}
	settings, err := serverTLS(authority, address, cipher)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", address, port))
	if err != nil {
		return err
	}
	url := "https://" + listener.Addr().String()
	if err := writeKubeconfigs(directory, url, authority); err != nil {
		return err
	}

	state := newState()
	server := &http.Server{
		Handler:  &apiServer{state: state, runtime: runtime, pods: pods, ways: parseWays(ways), refusals: refusals},
		ErrorLog: log.Default(),
		// What is still on its way to its first answer.
		ConnState: state.connectionChanged,
		// An HTTP/2 connection cannot be upgraded: a map that is not nil keeps Go from offering it.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(tls.NewListener(listener, settings)) }()

	admin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { failed <- http.Serve(admin, adminHandler(state)) }()
	adminURL := "http://" + admin.Addr().String()
	if err := os.WriteFile(filepath.Join(directory, "admin-url"), []byte(adminURL+"\n"), 0o644); err != nil {
		return err
	}

	fmt.Printf("ready %s\nadmin %s\n", url, adminURL)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err := <-failed:
		return err
	case <-stop:
		return nil
	}
}

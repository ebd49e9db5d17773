package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// farSpan is how long a round trip to the far place takes.
const farSpan = 20 * time.Millisecond

// veryFarSpan is a round trip over which acknowledgements could slow a forwarder that waits for them.
const veryFarSpan = 50 * time.Millisecond

// goFar makes a place of another one that is a round trip away, behind a relay in this process.
func (b *bench) goFar(near string, span time.Duration) (*place, error) {
	if err := b.goTo(near); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(b.config)
	if err != nil {
		return nil, err
	}
	server := regexp.MustCompile(`server: https://(\S+)`)
	found := server.FindSubmatch(text)
	if found == nil {
		return nil, fmt.Errorf("no server in %s", b.config)
	}
	address, err := relay(string(found[1]), span/2)
	if err != nil {
		return nil, err
	}
	far := *b.place
	far.config = filepath.Join(b.dir, "kubeconfig-far-from-"+near)
	text = server.ReplaceAll(text, []byte("server: https://"+address))
	return &far, os.WriteFile(far.config, text, 0o600)
}

// relay passes connections on to an address; each byte comes out `delay` after it went in.
func relay(to string, delay time.Duration) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			go pass(client.(*net.TCPConn), server.(*net.TCPConn), delay)
			go pass(server.(*net.TCPConn), client.(*net.TCPConn), delay)
		}
	}()
	return listener.Addr().String(), nil
}

// pass copies one direction, and its end.
func pass(from, to *net.TCPConn, delay time.Duration) {
	type piece struct {
		due   time.Time
		bytes []byte
	}
	pieces := make(chan piece, 256)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 64*kibibyte)
			count, err := from.Read(buffer)
			if count > 0 {
				pieces <- piece{time.Now().Add(delay), buffer[:count]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		to.Write(p.bytes) // where that fails, so does the reading
	}
	to.CloseWrite()
}

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ffwd/traffic"
)

// sequential opens each connection when one before it has ended; after SIGUSR1 none is begun any more, and those that have
// been are all.
func sequential(l *load) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for worker := 0; worker < l.parallel; worker++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				select {
				case <-l.goOn:
					return
				default:
				}
				number := int(next.Add(1)) - 1
				if number >= l.connections {
					return
				}
				l.ended(number, l.one(number, echo))
			}
		}()
	}
	wait.Wait()
	if begun := int(next.Load()); begun < l.connections {
		l.connections = begun
	}
	l.detail("connectionsPerSecond", float64(l.connections)/time.Since(l.started).Seconds())
}

// latency measures round trips; all connections are open before the first begins.
func latency(l *load) {
	var opened, wait sync.WaitGroup
	opened.Add(l.connections)
	l.inBackground(&wait, func(s *session, err error) error {
		if err == nil {
			err = s.roundTrip(0, 1) // the way to the pod is open
		}
		opened.Done()
		if err != nil {
			return err
		}
		opened.Wait()
		trips := make([]time.Duration, 0, l.rounds)
		defer func() { l.sample("roundTrip", trips...) }()
		for round := 0; round < l.rounds; round++ {
			begun := time.Now()
			if err := s.roundTrip(int64(round)*l.bytes, l.bytes); err != nil {
				return err
			}
			trips = append(trips, time.Since(begun))
		}
		return nil
	})
	wait.Wait()
}

// hold keeps connections open until it is told to go on, and shows that they still work then.
func hold(l *load) {
	var opened, wait sync.WaitGroup
	var held atomic.Int64
	release := make(chan struct{})
	opened.Add(l.connections)
	l.inBackground(&wait, func(s *session, err error) error {
		if err == nil {
			err = s.roundTrip(0, 1)
		}
		if err == nil {
			held.Add(1)
		}
		opened.Done()
		if err != nil {
			return err
		}
		<-release
		return s.roundTrip(1, 1)
	})
	opened.Wait()
	fmt.Printf("held %d\n", held.Load())
	l.detail("held", held.Load())
	if l.untilEOF {
		io.Copy(io.Discard, os.Stdin)
	} else {
		l.standStill()
	}
	close(release)
	wait.Wait()
}

// openingMax bounds the connections that are being opened at one time.
const openingMax = 256

// inBackground gives each connection to run, in a goroutine of its own.
func (l *load) inBackground(wait *sync.WaitGroup, run func(*session, error) error) {
	opening := make(chan struct{}, openingMax)
	for number := 0; number < l.connections; number++ {
		wait.Add(1)
		go func(number int) {
			defer wait.Done()
			opening <- struct{}{}
			s, err := l.open(number)
			<-opening
			if s != nil {
				defer s.Close()
			}
			l.ended(number, run(s, err))
		}(number)
	}
}

// roundTrip sends so many of the connection's bytes at once and reads them back.
func (s *session) roundTrip(at, count int64) error {
	if count > traffic.ReadBytesMax {
		return s.exchange(func() error { return s.send(at, at+count) },
			func() error { return s.receive(at, at+count, s.isOwn) })
	}
	buffer := writeBuffers.Get().(*[]byte)
	s.bytes.Fill((*buffer)[:count], at)
	_, err := s.Write((*buffer)[:count])
	writeBuffers.Put(buffer)
	if err != nil {
		return err
	}
	return s.receive(at, at+count, s.isOwn)
}

// fetch gets a URL, on --connections at once, and says what came.
func fetch(l *load) {
	if l.url == "" {
		l.url = fmt.Sprintf("http://%s:%d/", l.address, l.port)
	}
	client := &http.Client{Timeout: time.Until(l.deadline), Transport: &http.Transport{DisableKeepAlives: true}}
	var wait sync.WaitGroup
	for number := 0; number < l.connections; number++ {
		wait.Add(1)
		go func(number int) {
			defer wait.Done()
			begun := time.Now()
			err := l.fetchOnce(client)
			l.sample("whole", time.Since(begun))
			l.ended(number, err)
		}(number)
	}
	wait.Wait()
}

func (l *load) fetchOnce(client *http.Client) error {
	response, err := client.Get(l.url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, response.Body)
	l.received(int(size))
	l.detail("status", response.StatusCode)
	l.detail("size", size)
	l.detail("sha256", hex.EncodeToString(sum.Sum(nil)))
	return err
}

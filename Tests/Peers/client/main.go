// Command client loads forwarded ports and says how each connection ended.
//
// It prints one JSON object and exits 0 if the run was executed: what the numbers ought to be is the caller's
// knowledge. All random bytes come from --seed; after --timeout everything ends, whatever the far side does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ffwd/traffic"
)

// options are all flags of all commands; each command reads those that it names in README.md.
type options struct {
	address     string
	port        int
	connections int
	bytes       int64
	seed        uint64
	timeout     time.Duration

	chunk         string
	oneByte       int
	halfClose     bool
	rounds        int
	hold          time.Duration
	over          time.Duration
	wait          int
	read          int64
	how           string
	url           string
	parallel      int
	untilEOF      bool
	receiveBuffer int
}

// command is one behaviour of a client.
type command struct {
	port int // the pod's port, where the behaviour makes sense: the default of --port
	run  func(*session) error
	// whole marks commands that drive all connections themselves.
	whole func(*load)
	about string
}

var commands map[string]command

func init() {
	commands = map[string]command{
		"echo":         {7000, echo, nil, "send --bytes in --chunk pieces, compare what comes back; --one-byte K --half-close"},
		"source":       {7001, source, nil, "ask for --bytes, check them to the end; --half-close"},
		"sink":         {7002, sink, nil, "send --bytes, half-close, read the count"},
		"counted-sink": {7003, countedSink, nil, "send a count and --bytes, read the count"},
		"half-close":   {7004, halfClose, nil, "send --bytes, half-close, read them all back"},
		"pod-reset":    {7005, podReset, nil, "read 64 KiB, then a reset"},
		"pod-half-close": {7006, podHalfClose, nil,
			"read an end at once, send --bytes all the same, spread over --over"},
		"stall-pod":      {7007, stallPod, nil, "write until nothing is taken for --hold, or --bytes are sent"},
		"wait":           {7008, wait, nil, "ask for an answer after --ms; --half-close"},
		"greeting":       {7009, greeting, nil, "read the greeting before sending, then echo --bytes"},
		"refused":        {7999, refusedPort, nil, "connect, send --bytes, read to the end"},
		"stall-reader":   {7001, stallReader, nil, "ask for --bytes, read --read of them, then nothing for --hold, then all"},
		"send-and-go":    {7002, sendAndGo, nil, "send --bytes, close at once"},
		"send-and-reset": {7002, sendAndReset, nil, "send --bytes, reset"},
		"abandon":        {7001, abandon, nil, "ask for --bytes, read --read of them, then go by --how rst|fin"},
		"sequential":     {7000, nil, sequential, "echo --bytes on --connections, --parallel at a time, each one new"},
		"latency":        {7000, nil, latency, "--rounds of --bytes on --connections that stay open"},
		"hold":           {7000, nil, hold, "open --connections, print `held N`, wait for the end of stdin, try them again"},
		"http":           {8080, nil, fetch, "fetch --url, with size and checksum"},
	}
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	name := os.Args[1]
	chosen, known := commands[name]
	if !known {
		usage()
	}
	given := options{}
	flags := flag.NewFlagSet(name, flag.ExitOnError) // it exits 2
	flags.StringVar(&given.address, "address", "127.0.0.1", "address to connect to")
	flags.IntVar(&given.port, "port", chosen.port, "local port to connect to")
	flags.IntVar(&given.connections, "connections", 1, "how many connections")
	flags.Int64Var(&given.bytes, "bytes", 1<<10, "bytes on each connection")
	flags.Uint64Var(&given.seed, "seed", 1, "seed of all random bytes")
	flags.DurationVar(&given.timeout, "timeout", 60*time.Second, "when everything ends")
	flags.StringVar(&given.chunk, "chunk", "log-uniform", "bytes in one write, or log-uniform up to 256 KiB")
	flags.IntVar(&given.oneByte, "one-byte", 0, "on how many of the connections each chunk is one byte")
	flags.BoolVar(&given.halfClose, "half-close", false, "end the sending side behind the last byte")
	flags.IntVar(&given.receiveBuffer, "receive-buffer", 0, "SO_RCVBUF of each connection; 0: the kernel decides, and lets it grow")
	flags.IntVar(&given.rounds, "rounds", 100, "round trips on each connection")
	flags.DurationVar(&given.hold, "hold", time.Second, "how long to hold still, SIGUSR1 ends it")
	flags.DurationVar(&given.over, "over", 0, "over how long to spread what is sent")
	flags.IntVar(&given.wait, "ms", 100, "milliseconds that the pod waits")
	flags.Int64Var(&given.read, "read", -1, "bytes to read before going or holding still; -1: half, or none")
	flags.StringVar(&given.how, "how", "rst", "rst or fin")
	flags.StringVar(&given.url, "url", "", "what to fetch")
	flags.IntVar(&given.parallel, "parallel", 1, "how many connections at a time")
	flags.BoolVar(&given.untilEOF, "release-on-stdin-eof", true, "hold: wait for the end of stdin; false: for --hold")
	flags.Parse(os.Args[2:])
	if err := given.check(flags.NArg()); err != nil {
		fmt.Fprintf(os.Stderr, "client %s: %v\n", name, err)
		os.Exit(2)
	}

	all := &load{options: given, tally: newTally(), details: map[string]any{}, goOn: make(chan struct{})}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	go func() {
		<-told
		close(all.goOn)
	}()
	all.deadline = all.tally.started.Add(given.timeout)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if chosen.whole != nil {
			chosen.whole(all)
			return
		}
		all.atOnce(chosen.run)
	}()
	select {
	case <-done:
	case <-time.After(given.timeout + time.Second):
		// Deadlines end what waits for the network; this ends what does not.
	}
	all.print(name)
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: client COMMAND [--port P] [--connections N] [--bytes B] [--seed S] [--timeout D] ...")
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "  %-15s %s\n", name, commands[name].about)
	}
	os.Exit(2)
}

func (o *options) check(rest int) error {
	size, err := strconv.Atoi(o.chunk)
	switch {
	case rest != 0:
		return fmt.Errorf("arguments that are no flags")
	case o.chunk != "log-uniform" && (err != nil || size < 1 || size > chunkBytesMax):
		return fmt.Errorf("--chunk: log-uniform or 1 to %d", chunkBytesMax)
	case o.how != "rst" && o.how != "fin":
		return fmt.Errorf("--how: rst or fin")
	case o.connections < 1 || o.bytes < 0 || o.parallel < 1 || o.rounds < 1 || o.receiveBuffer < 0:
		return fmt.Errorf("numbers have to be positive")
	}
	return nil
}

// load is one run of one command.
type load struct {
	options
	*tally
	deadline time.Time

	detailMutex sync.Mutex
	details     map[string]any

	// began counts the connections that have had a first piece.
	began atomic.Int64
	// goOn is closed when SIGUSR1 has ended the time to hold still.
	goOn chan struct{}
}

// standStill takes --hold, or until SIGUSR1.
func (l *load) standStill() {
	select {
	case <-time.After(l.hold):
	case <-l.goOn:
	}
}

func (l *load) detail(name string, value any) {
	l.detailMutex.Lock()
	defer l.detailMutex.Unlock()
	l.details[name] = value
}

func (l *load) print(name string) {
	l.detailMutex.Lock()
	defer l.detailMutex.Unlock()
	encoded, err := json.Marshal(l.tally.report(name, l.seed, l.connections, l.details))
	if err != nil {
		panic(err) // the report holds nothing that JSON cannot
	}
	fmt.Println(string(encoded))
}

// session is one connection of a run.
type session struct {
	*net.TCPConn
	load   *load
	number int
	bytes  traffic.Generator
	opened time.Time
	gotOne bool
}

// open connects; from here on the connection has the run's deadline.
func (l *load) open(number int) (*session, error) {
	target := net.JoinHostPort(strings.Trim(l.address, "[]"), strconv.Itoa(l.port))
	opened := time.Now()
	dialer := net.Dialer{Deadline: l.deadline}
	if l.receiveBuffer > 0 {
		// Before the handshake, which decides on the largest window.
		dialer.Control = func(_, _ string, socket syscall.RawConn) error {
			var failure error
			err := socket.Control(func(descriptor uintptr) {
				failure = syscall.SetsockoptInt(int(descriptor), syscall.SOL_SOCKET, syscall.SO_RCVBUF, l.receiveBuffer)
			})
			if err != nil {
				return err
			}
			return failure
		}
	}
	connection, err := dialer.Dial("tcp", target)
	if err != nil {
		return nil, err
	}
	l.sample("connect", time.Since(opened))
	connection.SetDeadline(l.deadline)
	return &session{
		TCPConn: connection.(*net.TCPConn), load: l, number: number,
		bytes: newGenerator(l.seed, number), opened: opened,
	}, nil
}

// atOnce runs a behaviour on all connections at the same time.
func (l *load) atOnce(run func(*session) error) {
	var wait sync.WaitGroup
	for number := 0; number < l.connections; number++ {
		wait.Add(1)
		go func(number int) {
			defer wait.Done()
			l.ended(number, l.one(number, run))
		}(number)
	}
	wait.Wait()
}

// one runs a behaviour on one connection and closes it.
func (l *load) one(number int, run func(*session) error) error {
	connection, err := l.open(number)
	if err != nil {
		return err
	}
	defer connection.Close()
	err = run(connection)
	if err == nil {
		l.sample("whole", time.Since(connection.opened))
	}
	return err
}

// Read counts, and notes when the first byte came.
func (s *session) Read(buffer []byte) (int, error) {
	n, err := s.TCPConn.Read(buffer)
	if n > 0 {
		s.load.received(n)
		if !s.gotOne {
			s.gotOne = true
			s.load.sample("firstByte", time.Since(s.opened))
		}
	}
	return n, err
}

// Write counts.
func (s *session) Write(bytes []byte) (int, error) {
	n, err := s.TCPConn.Write(bytes)
	s.load.bytesSent.Add(int64(n))
	return n, err
}

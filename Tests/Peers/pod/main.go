// Command pod listens on the ports that the tests and benchmarks know, and behaves badly on demand.
//
// Each port is one behaviour of a server behind a port-forward; README.md lists them. Nothing here knows of
// Kubernetes: it is an ordinary TCP server on one address.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ffwd/traffic"
)

func main() {
	address := flag.String("address", "127.0.0.1", "address to listen on")
	greeting := flag.String("greeting", "hello from demo", "line that port 7009 sends first")
	resets := flag.Bool("reset-when-killed", false, "let connections be reset by the death of this process, not ended")
	flag.Parse()
	if flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}

	behaviours := map[int]func(*net.TCPConn){
		7000: echo,
		7001: source,
		7002: sink,
		7003: countedSink,
		7004: echoAtEnd,
		7005: resetAfterData,
		7006: closeSendingSide,
		7007: neverRead,
		7008: wait,
		7010: placedSource,
		7009: func(connection *net.TCPConn) {
			if _, err := fmt.Fprintf(connection, "%s\n", *greeting); err == nil {
				echo(connection)
			}
		},
	}
	for port, behave := range behaviours {
		go serve(listen(*address, port), behave, *resets)
	}
	go func() { fail(http.Serve(listen(*address, 8080), web())) }()

	fmt.Printf("ready %s\n", *address)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "pod:", err)
	os.Exit(1)
}

func listen(address string, port int) *net.TCPListener {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err != nil {
		fail(err)
	}
	return listener.(*net.TCPListener)
}

// serve hands each connection to a behaviour and closes it when the behaviour returns.
//
// A process that is killed has its connections ended by the kernel, cleanly: nobody can tell a cut answer from a whole
// one then. With resetsWhenKilled they are reset.
func serve(listener *net.TCPListener, behave func(*net.TCPConn), resetsWhenKilled bool) {
	for {
		connection, err := listener.AcceptTCP()
		if err != nil {
			// Out of descriptors: those in use come back, so wait and go on.
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go func() {
			defer connection.Close()
			if !resetsWhenKilled {
				behave(connection)
				return
			}
			connection.SetLinger(0)
			behave(connection)
			connection.SetLinger(-1)
		}()
	}
}

// buffers spare the collector a buffer for each of thousands of short connections.
var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

func echo(connection *net.TCPConn) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	for {
		n, err := connection.Read(*buffer)
		if n > 0 {
			if _, err := connection.Write((*buffer)[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func readCount(connection *net.TCPConn) (uint64, error) {
	var bytes [8]byte
	_, err := io.ReadFull(connection, bytes[:])
	return binary.BigEndian.Uint64(bytes[:]), err
}

func writeCount(connection *net.TCPConn, count uint64) {
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], count)
	connection.Write(bytes[:])
}

func source(connection *net.TCPConn) {
	count, err := readCount(connection)
	if err != nil {
		return
	}
	writePattern(connection, 0, count)
}

// placedSource is told where in the pattern to begin, so that no two connections need get the same bytes.
func placedSource(connection *net.TCPConn) {
	place, err := readCount(connection)
	if err != nil {
		return
	}
	count, err := readCount(connection)
	if err != nil {
		return
	}
	writePattern(connection, place%traffic.PatternPeriodBytes, count)
}

// writePattern writes count bytes of the endless pattern, from a place in it on.
func writePattern(destination io.Writer, place, count uint64) {
	for sent := uint64(0); sent < count; {
		n := count - sent
		if n > traffic.PatternPeriodBytes {
			n = traffic.PatternPeriodBytes
		}
		at := (place + sent) % traffic.PatternPeriodBytes
		if _, err := destination.Write(traffic.Pattern[at : at+n]); err != nil {
			return
		}
		sent += n
	}
}

// discard reads up to limit bytes and says how many came.
func discard(source io.Reader, limit uint64) uint64 {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	taken := uint64(0)
	for taken < limit {
		room := *buffer
		if left := limit - taken; left < uint64(len(room)) {
			room = room[:left]
		}
		n, err := source.Read(room)
		taken += uint64(n)
		if err != nil {
			break
		}
	}
	return taken
}

// sinkBytes are what all sinks have read so far, sinksOpen how many of them there are, and sinksEnded how many have come
// to an end that was no reset.
var sinkBytes, sinksOpen, sinksEnded atomic.Int64

func sink(connection *net.TCPConn) {
	sinksOpen.Add(1)
	defer sinksOpen.Add(-1)
	taken := uint64(0)
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	for {
		n, err := connection.Read(*buffer)
		taken += uint64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
	}
	sinkBytes.Add(int64(taken))
	sinksEnded.Add(1)
	writeCount(connection, taken)
}

func countedSink(connection *net.TCPConn) {
	count, err := readCount(connection)
	if err != nil {
		return
	}
	if taken := discard(connection, count); taken == count {
		writeCount(connection, taken)
	}
}

// echoAtEndBytesMax keeps a client from filling the memory of the pod.
const echoAtEndBytesMax = 1 << 30

func echoAtEnd(connection *net.TCPConn) {
	bytes, err := io.ReadAll(io.LimitReader(connection, echoAtEndBytesMax))
	if err == nil {
		connection.Write(bytes)
	}
}

func resetAfterData(connection *net.TCPConn) {
	connection.Write(traffic.Pattern[:64<<10])
	// The bytes have to reach the other side before the reset, which would discard them.
	time.Sleep(100 * time.Millisecond)
	connection.SetLinger(0)
	connection.Close()
}

func closeSendingSide(connection *net.TCPConn) {
	connection.CloseWrite()
	discard(connection, 1<<63)
}

// neverRead keeps the connection until its other end has closed or reset it, which only the kernel can tell.
func neverRead(connection *net.TCPConn) {
	raw, err := connection.SyscallConn()
	for state := tcpEstablished; err == nil && state == tcpEstablished; {
		time.Sleep(100 * time.Millisecond)
		err = raw.Control(func(descriptor uintptr) { state = tcpState(descriptor) })
	}
}

func wait(connection *net.TCPConn) {
	var bytes [4]byte
	if _, err := io.ReadFull(connection, bytes[:]); err != nil {
		return
	}
	time.Sleep(time.Duration(binary.BigEndian.Uint32(bytes[:])) * time.Millisecond)
	io.WriteString(connection, "done")
}

func web() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		if request.URL.Path != "/" {
			http.NotFound(response, request)
			return
		}
		io.WriteString(response, "hello from demo\n")
	})
	mux.HandleFunc("/bytes", func(response http.ResponseWriter, request *http.Request) {
		count, err := strconv.ParseUint(request.URL.Query().Get("n"), 10, 62)
		if err != nil {
			http.Error(response, "n: how many bytes", http.StatusBadRequest)
			return
		}
		response.Header().Set("Content-Type", "application/octet-stream")
		response.Header().Set("Content-Length", strconv.FormatUint(count, 10))
		writePattern(response, 0, count)
	})
	mux.HandleFunc("/counts", func(response http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(response, "%d bytes, %d open, %d ended\n", sinkBytes.Load(), sinksOpen.Load(), sinksEnded.Load())
	})
	mux.HandleFunc("/upload", func(response http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(response, "%d\n", discard(request.Body, 1<<63))
	})
	return mux
}

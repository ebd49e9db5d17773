package main

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/gorilla/websocket"
)

const (
	tunnelProtocol  = "SPDY/3.1+portforward.k8s.io"
	forwardProtocol = "portforward.k8s.io"

	// copyBytesMax is the buffer of io.Copy, with which an API server copies: so no message of a tunnel is longer.
	copyBytesMax = 32 << 10

	// cutPatience is how long a cut waits for a frame to cut before it makes do with the beginning of one.
	cutPatience = 100 * time.Millisecond
)

// pod is one pod that can be forwarded to.
type pod struct{ name, address string }

// upgrader is used with its default buffers on purpose. With the 4 KiB that net/http hands over, gorilla writes
// a long message as one frame without FIN and an empty frame with FIN behind it, as a real API server does.
var upgrader = websocket.Upgrader{Subprotocols: []string{tunnelProtocol}}

// upgrade chooses the way in that a request asks for.
func (server *apiServer) upgrade(response http.ResponseWriter, request *http.Request, target pod) {
	if websocket.IsWebSocketUpgrade(request) {
		for _, protocol := range websocket.Subprotocols(request) {
			if protocol == tunnelProtocol && server.ways.tunnel {
				server.webSocketTunnel(response, request, target)
				return
			}
		}
		server.webSocketChannels(response, request, target)
		return
	}
	if strings.EqualFold(request.Header.Get("Upgrade"), "SPDY/3.1") && request.Method == http.MethodPost && server.ways.spdy {
		server.spdyTunnel(response, request, target)
		return
	}
	writeStatus(response, http.StatusBadRequest, "BadRequest", "Upgrade request required", nil)
}

// tunnel is one upgraded connection of a client: bytes copied unread between it and the kubelet.
type tunnel struct {
	state   *state
	client  net.Conn
	kubelet *net.TCPConn

	// writing is held while a piece is written to the client, so that a cut falls between two pieces or inside one.
	writing sync.Mutex
	// cutting asks the writer to write half of its next piece and then to close; resetting says by a reset.
	cutting, resetting atomic.Bool
	closed             chan struct{}
	once               sync.Once
}

func (server *apiServer) newTunnel(client net.Conn, target pod) (*tunnel, error) {
	kubelet, far, err := loopbackPair()
	if err != nil {
		return nil, err
	}
	t := &tunnel{state: server.state, client: client, kubelet: kubelet, closed: make(chan struct{})}
	server.state.add(t)
	go serveSession(far, target, server.runtime, server.state)
	return t, nil
}

// close ends both hops; what ends first says so.
func (t *tunnel) close() {
	t.once.Do(func() {
		close(t.closed)
		t.kubelet.Close()
		t.client.Close()
		t.state.remove(t)
	})
}

// cut ends the tunnel in the middle of a frame, without the ends that TLS and WebSocket have for it.
func (t *tunnel) cut(reset bool) {
	t.resetting.Store(reset)
	t.cutting.Store(true)
	select {
	case <-t.closed:
	case <-time.After(cutPatience):
		// Nothing was on its way: the first two bytes of a frame have to do. A writer that holds the lock all
		// this time stands in the middle of a frame already, for the client does not read.
		if t.writing.TryLock() {
			t.client.SetWriteDeadline(time.Now().Add(cutPatience))
			t.client.Write([]byte{0x82, 0x7e})
			t.writing.Unlock()
		}
	}
	t.abort()
}

// abort closes the TCP connection under TLS.
func (t *tunnel) abort() {
	closeUnderTLS(t.client, t.resetting.Load())
	t.close()
}

func (t *tunnel) blackhole() { silence(t.client, &t.writing) }

// silence loses what comes for client from now on, and ends the server's own sending for good: who writes is kept waiting.
func silence(client net.Conn, writing *sync.Mutex) {
	if writing.TryLock() {
		dropAll(client)
		return
	}
	go func() {
		writing.Lock()
		dropAll(client)
	}()
}

// dropAll makes the kernel lose all that comes for the TCP connection that carries client, before TCP sees it, and ask
// nothing by itself: to the other side it is as if the network were gone.
func dropAll(client net.Conn) {
	if secure, ok := client.(*tls.Conn); ok {
		client = secure.NetConn()
	}
	connection, ok := client.(*net.TCPConn)
	if !ok {
		return
	}
	connection.SetKeepAlive(false)
	raw, err := connection.SyscallConn()
	if err != nil {
		return
	}
	// What is still on its way would be sent again and again.
	for patience := time.Now().Add(cutPatience); time.Now().Before(patience) && unacknowledged(raw) > 0; {
		time.Sleep(time.Millisecond)
	}
	raw.Control(func(descriptor uintptr) {
		syscall.AttachLsf(int(descriptor), []syscall.SockFilter{{Code: syscall.BPF_RET | syscall.BPF_K, K: 0}})
	})
}

// unacknowledged counts the bytes that the other side's kernel has not acknowledged.
func unacknowledged(raw syscall.RawConn) (count int32) {
	raw.Control(func(descriptor uintptr) {
		syscall.Syscall(syscall.SYS_IOCTL, descriptor, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&count)))
	})
	return count
}

// closeUnderTLS closes the TCP connection that carries client.
func closeUnderTLS(client net.Conn, reset bool) {
	if secure, ok := client.(*tls.Conn); ok {
		if plain, ok := secure.NetConn().(*net.TCPConn); ok {
			if reset {
				plain.SetLinger(0)
			}
			plain.Close()
		}
	}
}

// copyToClient copies what the kubelet sends with write, one piece a read, until either side ends.
func (t *tunnel) copyToClient(write, writeHalf func([]byte) error) {
	buffer := make([]byte, copyBytesMax)
	for {
		n, err := t.kubelet.Read(buffer)
		t.state.tunnelGate.wait()
		if n > 0 {
			t.writing.Lock()
			if t.cutting.Load() {
				writeHalf(buffer[:n])
				t.writing.Unlock()
				t.abort()
				return
			}
			failure := write(buffer[:n])
			t.writing.Unlock()
			if failure != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// copyToKubelet copies what the client sends with read until either side ends.
func (t *tunnel) copyToKubelet(read func([]byte) (int, error)) {
	buffer := make([]byte, copyBytesMax)
	for {
		n, err := read(buffer)
		t.state.tunnelGate.wait()
		if n > 0 {
			if _, failure := t.kubelet.Write(buffer[:n]); failure != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// webSocketTunnel is way (a): SPDY's bytes in binary messages, whose borders mean nothing.
func (server *apiServer) webSocketTunnel(response http.ResponseWriter, request *http.Request, target pod) {
	socket, err := upgrader.Upgrade(response, request, nil)
	if err != nil {
		return // the upgrader has answered
	}
	t, err := server.newTunnel(socket.UnderlyingConn(), target)
	if err != nil {
		log.Print(err)
		socket.Close()
		return
	}
	defer t.close()

	go func() {
		defer t.close()
		t.copyToClient(func(piece []byte) error {
			message, err := socket.NextWriter(websocket.BinaryMessage)
			if err != nil {
				return err
			}
			if _, err := message.Write(piece); err != nil {
				return err
			}
			return message.Close()
		}, func(piece []byte) error {
			_, err := t.client.Write(append(binaryHeader(len(piece)), piece[:len(piece)/2]...))
			return err
		})
		text := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		socket.WriteControl(websocket.CloseMessage, text, time.Now().Add(time.Second))
	}()

	var message io.Reader
	t.copyToKubelet(func(buffer []byte) (int, error) {
		for {
			if message == nil {
				kind, next, err := socket.NextReader()
				if err != nil {
					return 0, err
				}
				if kind != websocket.BinaryMessage {
					log.Printf("a message of type %d in a tunnel", kind)
					return 0, io.ErrUnexpectedEOF
				}
				message = next
			}
			n, err := message.Read(buffer)
			if err == io.EOF {
				message = nil
				err = nil
			}
			if n > 0 || err != nil {
				return n, err
			}
		}
	})
}

// binaryHeader is the header of a whole binary frame from a server (RFC 6455 §5.2).
func binaryHeader(length int) []byte {
	if length < 126 {
		return []byte{0x82, byte(length)}
	}
	return binary.BigEndian.AppendUint16([]byte{0x82, 126}, uint16(length))
}

// spdyTunnel is way (b): SPDY's bytes as they are, behind an upgrade of their own.
func (server *apiServer) spdyTunnel(response http.ResponseWriter, request *http.Request, target pod) {
	offered := request.Header.Values("X-Stream-Protocol-Version")
	if !contains(offered, forwardProtocol) {
		response.Header().Set("X-Accepted-Stream-Protocol-Versions", forwardProtocol)
		writeText(response, http.StatusForbidden, "unable to upgrade: unable to negotiate protocol: client supports ["+
			strings.Join(offered, " ")+"], server accepts ["+forwardProtocol+"]\n")
		return
	}
	hijacker, ok := response.(http.Hijacker)
	if !ok {
		writeText(response, http.StatusInternalServerError, "cannot upgrade")
		return
	}
	client, buffered, err := hijacker.Hijack()
	if err != nil {
		log.Print(err)
		return
	}
	t, err := server.newTunnel(client, target)
	if err != nil {
		log.Print(err)
		client.Close()
		return
	}
	defer t.close()

	head := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nDate: " + time.Now().UTC().Format(http.TimeFormat) +
		"\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: " + forwardProtocol + "\r\n\r\n"
	if _, err := io.WriteString(client, head); err != nil {
		return
	}
	go func() {
		defer t.close()
		t.copyToClient(func(piece []byte) error {
			_, err := client.Write(piece)
			return err
		}, func(piece []byte) error {
			_, err := client.Write(piece[:len(piece)/2])
			return err
		})
	}()
	t.copyToKubelet(buffered.Read)
}

func contains(list []string, wanted string) bool {
	for _, item := range list {
		if item == wanted {
			return true
		}
	}
	return false
}

func writeText(response http.ResponseWriter, code int, text string) {
	response.Header().Set("Content-Type", "text/plain; charset=utf-8")
	response.Header().Set("X-Content-Type-Options", "nosniff")
	response.WriteHeader(code)
	io.WriteString(response, text)
}

var loopback struct {
	sync.Mutex
	listener *net.TCPListener
}

// loopbackPair makes the TCP connection between API server and kubelet, with both of its ends.
func loopbackPair() (near, far *net.TCPConn, err error) {
	loopback.Lock()
	defer loopback.Unlock()
	if loopback.listener == nil {
		if loopback.listener, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			return nil, nil, err
		}
	}
	near, err = net.DialTCP("tcp4", nil, loopback.listener.Addr().(*net.TCPAddr))
	if err != nil {
		return nil, nil, err
	}
	for {
		if far, err = loopback.listener.AcceptTCP(); err != nil {
			near.Close()
			return nil, nil, err
		}
		if far.RemoteAddr().String() == near.LocalAddr().String() {
			return near, far, nil
		}
		far.Close() // a stranger
	}
}

package main

import (
	"encoding/base64"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	channelProtocol       = "v4.channel.k8s.io"
	channelProtocolBase64 = "v4.base64.channel.k8s.io"
)

// channelProtocols are the ones that the server knows.
func (w ways) channelProtocols() []string {
	switch {
	case w.channels:
		return []string{channelProtocol, channelProtocolBase64}
	case w.base64:
		return []string{channelProtocolBase64}
	}
	return nil
}

// webSocketChannels is way (c): each message begins with its channel, 2i for data and 2i+1 for errors of port i.
func (server *apiServer) webSocketChannels(response http.ResponseWriter, request *http.Request, target pod) {
	numbers, complaint := channelPorts(request.URL.Query()["ports"])
	if complaint != "" {
		response.Header().Set("Content-Type", "text/plain; charset=utf-8")
		response.WriteHeader(http.StatusBadRequest)
		io.WriteString(response, complaint)
		return
	}
	// Of those that both know the client's favourite is taken, as Kubernetes does; gorilla asks the server's order.
	chosen := ""
	for _, protocol := range websocket.Subprotocols(request) {
		if contains(server.ways.channelProtocols(), protocol) {
			chosen = protocol
			break
		}
	}
	if chosen == "" {
		response.Header().Set("Connection", "close")
		response.WriteHeader(http.StatusForbidden)
		return
	}
	upgrader := websocket.Upgrader{Subprotocols: []string{chosen}}
	socket, err := upgrader.Upgrade(response, request, nil)
	if err != nil {
		return
	}
	defer socket.Close()
	channels := &channels{state: server.state, socket: socket, isText: socket.Subprotocol() == channelProtocolBase64}
	server.state.add(channels)
	defer server.state.remove(channels)
	for i, port := range numbers {
		preamble := binary.LittleEndian.AppendUint16(nil, uint16(port))
		channels.send(byte(2*i), preamble)
		channels.send(byte(2*i+1), preamble)
	}

	var wait sync.WaitGroup
	pods := make([]*net.TCPConn, len(numbers))
	for i, port := range numbers {
		connection, err := dialPod(target, port, server.state)
		if err != nil {
			channels.send(byte(2*i+1), []byte(failureText(target, port, err)))
			continue
		}
		pods[i] = connection
		wait.Add(1)
		go func(i, port int) {
			defer wait.Done()
			defer server.state.podConnectionsOpen.Add(-1)
			defer connection.Close()
			if err := channels.copyFrom(connection, byte(2*i)); err != nil {
				channels.send(byte(2*i+1), []byte(failureText(target, port, err)))
			}
		}(i, port)
	}
	go func() {
		channels.receive(pods)
		for _, connection := range pods {
			if connection != nil {
				connection.Close()
			}
		}
	}()
	wait.Wait()
	socket.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""),
		time.Now().Add(time.Second))
}

// channelPorts reads the query; ports may also be a list with commas.
func channelPorts(values []string) (numbers []int, complaint string) {
	if len(values) == 0 {
		return nil, `query parameter "port" is required`
	}
	for _, value := range values {
		for _, text := range strings.Split(value, ",") {
			number, err := strconv.ParseUint(text, 10, 16)
			if err != nil || number == 0 {
				return nil, "unable to parse " + strconv.Quote(text) + " as a port"
			}
			numbers = append(numbers, int(number))
		}
	}
	return numbers, ""
}

// channels is one WebSocket of way (c).
type channels struct {
	state   *state
	socket  *websocket.Conn
	isText  bool
	writing sync.Mutex
}

// cut ends the WebSocket in the middle of a frame, without the ends that TLS and WebSocket have for it.
func (c *channels) cut(reset bool) {
	// A writer that holds the lock stands in the middle of a frame already, for the client does not read.
	if c.writing.TryLock() {
		c.socket.SetWriteDeadline(time.Now().Add(cutPatience))
		c.socket.UnderlyingConn().Write([]byte{0x82, 0x7e})
		c.writing.Unlock()
	}
	closeUnderTLS(c.socket.UnderlyingConn(), reset)
}

func (c *channels) blackhole() { silence(c.socket.UnderlyingConn(), &c.writing) }

func (c *channels) send(channel byte, payload []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.isText {
		text := append([]byte{'0' + channel}, base64.StdEncoding.EncodeToString(payload)...)
		if c.state.spoil.CompareAndSwap(true, false) {
			text = append(text[:1], "no base64!"...)
		}
		return c.socket.WriteMessage(websocket.TextMessage, text)
	}
	return c.socket.WriteMessage(websocket.BinaryMessage, append([]byte{channel}, payload...))
}

// copyFrom sends what a pod sends; nil means the pod ended.
func (c *channels) copyFrom(connection net.Conn, channel byte) error {
	buffer := make([]byte, copyBytesMax)
	for {
		n, err := connection.Read(buffer)
		if n > 0 && c.send(channel, buffer[:n]) != nil {
			return nil // nobody is left to tell
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// receive hands data to the pods until the client ends.
func (c *channels) receive(pods []*net.TCPConn) {
	for {
		_, message, err := c.socket.ReadMessage()
		if err != nil || len(message) == 0 {
			return
		}
		channel, payload := message[0], message[1:]
		if c.isText {
			channel -= '0'
			if payload, err = base64.StdEncoding.DecodeString(string(payload)); err != nil {
				log.Print(err)
				return
			}
		}
		i := int(channel / 2)
		if channel%2 != 0 || i >= len(pods) || pods[i] == nil {
			continue
		}
		if _, err := pods[i].Write(payload); err != nil {
			return
		}
	}
}

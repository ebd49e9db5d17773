package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// ways says which of the three ways into a pod the server knows.
type ways struct{ tunnel, spdy, channels, base64 bool }

func parseWays(text string) ways {
	known := ways{}
	for _, word := range strings.Split(text, ",") {
		switch word {
		case "tunnel":
			known.tunnel = true
		case "spdy":
			known.spdy = true
		case "channels":
			known.channels = true
		case "base64":
			known.base64 = true
		}
	}
	return known
}

// apiServer answers HTTP requests: objects to read, and upgrades at pods/portforward.
type apiServer struct {
	state   *state
	runtime portForwarder
	pods    podList
	ways    ways
	// refusals are what stands in front of the server.
	refusals refusals
}

// identity is who a request is from, and which verbs on pods/portforward that one has.
type identity struct {
	name        string
	get, create bool
	known       bool // false: a credential was shown that nobody issued
}

func identify(request *http.Request) identity {
	if peers := request.TLS.PeerCertificates; len(peers) > 0 {
		return identity{name: peers[0].Subject.CommonName, get: true, create: true, known: true}
	}
	header := request.Header.Get("Authorization")
	if header == "" {
		return identity{name: "system:anonymous", known: true}
	}
	switch strings.TrimPrefix(header, "Bearer ") {
	case tokenAll:
		return identity{name: tokenAll, get: true, create: true, known: true}
	case tokenCreate:
		return identity{name: tokenCreate, create: true, known: true}
	case tokenGet:
		return identity{name: tokenGet, get: true, known: true}
	case tokenNone:
		return identity{name: tokenNone, known: true}
	}
	return identity{}
}

func (server *apiServer) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	server.state.requests.Add(1)
	server.state.apiGate.wait()

	who := identify(request)
	if !who.known {
		writeStatus(response, http.StatusUnauthorized, "Unauthorized", "Unauthorized", nil)
		return
	}
	if found, ok := discovery[strings.TrimSuffix(request.URL.Path, "/")]; ok {
		writeJSON(response, http.StatusOK, found)
		return
	}

	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	if len(parts) < 5 || parts[0] != "api" || parts[1] != "v1" || parts[2] != "namespaces" {
		writeStatus(response, http.StatusNotFound, "NotFound", "the server could not find the requested resource", object{})
		return
	}
	namespace, kind, rest := parts[3], parts[4], parts[5:]
	isForward := kind == "pods" && len(rest) == 2 && rest[1] == "portforward"
	switch {
	case isForward:
		server.portForward(response, request, who, namespace, rest[0])
	case who.name == "system:anonymous":
		server.forbid(response, who, "get", kind, namespace, strings.Join(rest, "/"))
	case kind == "pods" && len(rest) == 0:
		server.listPods(response, request, namespace)
	case kind == "pods" && len(rest) == 1:
		server.getPod(response, namespace, rest[0])
	case kind == "services" && len(rest) == 1 && rest[0] == "demo" && namespace == "default":
		writeJSON(response, http.StatusOK, serviceObject())
	case kind == "services" && len(rest) == 0 && namespace == "default":
		writeJSON(response, http.StatusOK, listObject("ServiceList", "v1", []object{serviceObject()}))
	default:
		notFound(response, kind, strings.Join(rest, "/"))
	}
}

func (server *apiServer) getPod(response http.ResponseWriter, namespace, name string) {
	address, found := server.pods[name]
	switch {
	case namespace != "default":
		notFound(response, "pods", name)
	case found:
		writeJSON(response, http.StatusOK, podObject(name, address))
	case name == "pending":
		writeJSON(response, http.StatusOK, pendingPod(name))
	default:
		notFound(response, "pods", name)
	}
}

// listPods answers a list, or a watch that shows the pods and then stays silent until the client goes.
func (server *apiServer) listPods(response http.ResponseWriter, request *http.Request, namespace string) {
	query := request.URL.Query()
	_, name, byName := strings.Cut(query.Get("fieldSelector"), "metadata.name=")
	selector := query.Get("labelSelector")
	items := []object{}
	for _, pod := range server.pods.names() {
		if namespace == "default" && (!byName || name == pod) && (selector == "" || selector == "app=demo") {
			items = append(items, podObject(pod, server.pods[pod]))
		}
	}
	if watch := query.Get("watch"); watch != "1" && watch != "true" {
		writeJSON(response, http.StatusOK, listObject("PodList", "v1", items))
		return
	}
	response.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(response)
	for _, item := range items {
		encoder.Encode(object{"type": "ADDED", "object": item})
	}
	if flusher, ok := response.(http.Flusher); ok {
		flusher.Flush()
	}
	<-request.Context().Done()
}

// portForward refuses as a real API server does, in its order: rights, then the pod, then the upgrade.
func (server *apiServer) portForward(
	response http.ResponseWriter, request *http.Request, who identity, namespace, name string,
) {
	way := wayOf(request)
	server.state.countUpgrade(way)
	if server.refusals.refuse(response, way) {
		return
	}
	verb, allowed := "get", who.get
	if request.Method == http.MethodPost {
		verb, allowed = "create", who.create
	}
	if !allowed {
		server.forbid(response, who, verb, "pods/portforward", namespace, name)
		return
	}
	address, found := server.pods[name]
	if name == "pending" {
		writeStatus(response, http.StatusBadRequest, "BadRequest", "pod pending does not have a host assigned", nil)
		return
	}
	if !found || namespace != "default" {
		notFound(response, "pods", name)
		return
	}
	if !who.create {
		// Kubernetes from 1.35 on asks for this right too, and names no reason.
		writeStatus(response, http.StatusForbidden, "Forbidden", fmt.Sprintf("pods %q is forbidden: ", name),
			object{"name": name, "kind": "pods"})
		return
	}
	server.state.holdUpgrade()
	server.upgrade(response, request, pod{name: name, address: address})
}

// refusals say how something in front of the API server answers a way in that it does not let through: a status, or "close".
type refusals map[string]string

func (r refusals) String() string { return "" }

func (r refusals) Set(text string) error {
	way, how, found := strings.Cut(text, "=")
	if status, err := strconv.Atoi(how); !found || how != "close" && (err != nil || http.StatusText(status) == "") {
		return fmt.Errorf("want WAY=STATUS or WAY=close")
	}
	r[way] = how
	return nil
}

// refuse answers as such a thing does.
func (r refusals) refuse(response http.ResponseWriter, way string) bool {
	how, found := r[way]
	if !found {
		return false
	}
	if status, err := strconv.Atoi(how); err == nil {
		response.Header().Set("Content-Type", "text/html")
		response.Header().Set("Server", "gateway")
		response.WriteHeader(status)
		fmt.Fprintf(response, "<html><body>%d %s</body></html>", status, http.StatusText(status))
		return true
	}
	if hijacker, ok := response.(http.Hijacker); ok {
		if client, _, err := hijacker.Hijack(); err == nil {
			client.Close()
		}
	}
	return true
}

// wayOf is the way in that an upgrade request asks for.
func wayOf(request *http.Request) string {
	if !websocket.IsWebSocketUpgrade(request) {
		return "spdy"
	}
	if contains(websocket.Subprotocols(request), tunnelProtocol) {
		return "tunnel"
	}
	return "channels"
}

func (server *apiServer) forbid(response http.ResponseWriter, who identity, verb, kind, namespace, name string) {
	message := fmt.Sprintf("pods %q is forbidden: User %q cannot %s resource %q in API group \"\" in the namespace %q",
		name, who.name, verb, kind, namespace)
	response.Header().Set("X-Content-Type-Options", "nosniff")
	writeStatus(response, http.StatusForbidden, "Forbidden", message, object{"name": name, "kind": "pods"})
}

func notFound(response http.ResponseWriter, kind, name string) {
	writeStatus(response, http.StatusNotFound, "NotFound", fmt.Sprintf("%s %q not found", kind, name),
		object{"name": name, "kind": kind})
}

func writeStatus(response http.ResponseWriter, code int, reason, message string, details object) {
	writeJSON(response, code, statusObject(code, reason, message, details))
}

func writeJSON(response http.ResponseWriter, code int, value any) {
	header := response.Header()
	header.Set("Audit-Id", fmt.Sprintf("%016x", time.Now().UnixNano()))
	header.Set("Cache-Control", "no-cache, private")
	header.Set("Content-Type", "application/json")
	response.WriteHeader(code)
	json.NewEncoder(response).Encode(value)
}

package main

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
)

// adminHandler serves the switches of the tests, in plain HTTP on loopback.
//
//	GET  /admin/stats                          counts, as JSON
//	POST /admin/cut?how=fin|rst&count=N        ends tunnels and WebSockets in the middle of a frame: N, or all
//	POST /admin/blackhole?count=N              loses all that comes for tunnels and WebSockets of now: N, or all
//	POST /admin/freeze?what=tunnels|api|all    answers nothing any more, closes nothing
//	POST /admin/hold?count=N                   lets the next N upgrades wait
//	POST /admin/thaw                           goes on
//	POST /admin/spoil                          makes the next text message of channels one that is no base64
func adminHandler(s *state) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/admin/stats", func(response http.ResponseWriter, request *http.Request) {
		writeJSON(response, http.StatusOK, object{
			"tunnels": s.tunnelsOpen.Load(), "sessions": s.sessionsOpen.Load(), "pairs": s.pairsOpen.Load(),
			"podConnections": s.podConnectionsOpen.Load(), "requests": s.requests.Load(),
			"tunnelsOpened": s.tunnelsOpened.Load(), "pairsOpened": s.pairsOpened.Load(),
			"pairsFailed": s.pairsFailed.Load(), "dialsFailed": s.dialsFailed.Load(),
			"tunnelUpgrades": s.upgrades("tunnel"), "spdyUpgrades": s.upgrades("spdy"),
			"channelsUpgrades": s.upgrades("channels"), "mostOpening": s.mostOpening(),
			"goroutines": runtime.NumGoroutine(),
		})
	})
	mux.HandleFunc("/admin/cut", onPost(func(response http.ResponseWriter, request *http.Request) {
		tunnels := some(s.open(), request)
		done := make(chan struct{})
		for _, t := range tunnels {
			go func(t cuttable) {
				t.cut(request.URL.Query().Get("how") == "rst")
				done <- struct{}{}
			}(t)
		}
		for range tunnels {
			<-done
		}
		writeJSON(response, http.StatusOK, object{"cut": len(tunnels)})
	}))
	mux.HandleFunc("/admin/blackhole", onPost(func(response http.ResponseWriter, request *http.Request) {
		tunnels := some(s.open(), request)
		for _, t := range tunnels {
			t.blackhole()
		}
		writeJSON(response, http.StatusOK, object{"blackholed": len(tunnels)})
	}))
	mux.HandleFunc("/admin/freeze", onPost(func(response http.ResponseWriter, request *http.Request) {
		what := request.URL.Query().Get("what")
		if what == "tunnels" || what == "all" || what == "" {
			s.tunnelGate.shut()
		}
		if what == "api" || what == "all" || what == "" {
			s.apiGate.shut()
		}
		fmt.Fprintln(response, "frozen")
	}))
	mux.HandleFunc("/admin/hold", onPost(func(response http.ResponseWriter, request *http.Request) {
		count, err := strconv.ParseInt(request.URL.Query().Get("count"), 10, 64)
		if err != nil {
			http.Error(response, "count=N", http.StatusBadRequest)
			return
		}
		s.heldGate.shut()
		s.held.Store(count)
		fmt.Fprintln(response, "held")
	}))
	mux.HandleFunc("/admin/thaw", onPost(func(response http.ResponseWriter, request *http.Request) {
		s.tunnelGate.open()
		s.apiGate.open()
		s.heldGate.open()
		fmt.Fprintln(response, "thawed")
	}))
	mux.HandleFunc("/admin/spoil", onPost(func(response http.ResponseWriter, request *http.Request) {
		s.spoil.Store(true)
		fmt.Fprintln(response, "spoiled")
	}))
	return mux
}

// some are as many as the request asks for, any of them; without a count all.
func some(tunnels []cuttable, request *http.Request) []cuttable {
	count, err := strconv.Atoi(request.URL.Query().Get("count"))
	if err != nil || count < 0 || count > len(tunnels) {
		return tunnels
	}
	return tunnels[:count]
}

func onPost(handler http.HandlerFunc) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodPost {
			http.Error(response, "POST it", http.StatusMethodNotAllowed)
			return
		}
		handler(response, request)
	}
}

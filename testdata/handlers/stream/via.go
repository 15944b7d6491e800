package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"

	"devtool.internal/durable"
)

// A request to /via/ROUTE/DO is served at the end of that route:
//
//	worker  the worker itself
//	stub    an object, by its stub
//	twice   an object, by the stub of another object
//	proxy   an object, by a proxy of net/http
//
// DO says what is done there, and the query how.

// serveVia serves a request to /via/ in the worker.
func serveVia(env *durable.Env, w http.ResponseWriter, r *http.Request) {
	switch route, do := routeOf(r); route {
	case "worker":
		serveEnd(do, w, r)
	case "stub":
		env.Namespace("STREAM").GetByName("end").ServeHTTP(w, r)
	case "twice":
		env.Namespace("STREAM").GetByName("middle").ServeHTTP(w, r)
	case "proxy":
		proxy := &httputil.ReverseProxy{
			Rewrite:       func(*httputil.ProxyRequest) {},
			FlushInterval: -1, // at once
			Transport:     env.Namespace("STREAM").GetByName("end"),
			ErrorHandler:  func(_ http.ResponseWriter, _ *http.Request, err error) { panic(err) },
		}
		proxy.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// serveObjectVia serves a request to /via/ in the object called name.
func serveObjectVia(env *durable.Env, name string, w http.ResponseWriter, r *http.Request) {
	if name == "middle" {
		env.Namespace("STREAM").GetByName("end").ServeHTTP(w, r)
		return
	}
	_, do := routeOf(r)
	serveEnd(do, w, r)
}

func routeOf(r *http.Request) (route, do string) {
	route, do, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/via/"), "/")
	return route, do
}

// gates has a channel for each id. A request to /open closes it.
var gates sync.Map

func gate(id string) chan struct{} {
	g, _ := gates.LoadOrStore(id, make(chan struct{}))
	return g.(chan struct{})
}

func serveEnd(do string, w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	id := query.Get("id")
	switch do {
	case "flush": // answers with a head, and waits for the gate
		if length := query.Get("length"); length != "" {
			w.Header().Set("Content-Length", length)
		}
		status, _ := strconv.Atoi(query.Get("status"))
		w.WriteHeader(status)
		if err := http.NewResponseController(w).Flush(); err != nil {
			seen.add("flush " + id + ": " + err.Error())
		}
		<-gate(id)
		n, _ := strconv.Atoi(query.Get("length"))
		io.WriteString(w, strings.Repeat("x", n)) //nolint:errcheck // the test reads it
	case "pour": // writes until that fails
		piece := make([]byte, 32<<10)
		for {
			if _, err := w.Write(piece); err != nil {
				seen.add("pour " + id + ": " + err.Error())
				break
			}
		}
		if http.NewResponseController(w).Flush() != nil {
			seen.add("flush fails " + id)
		}
	case "read": // reads the body, and makes of an error what the query says
		seen.add("read begins " + id)
		if query.Get("when") == "late" {
			<-gate(id)
		}
		_, err := io.Copy(io.Discard, r.Body)
		if err != nil && query.Get("error") == "panic" {
			panic(err)
		}
		fmt.Fprint(w, "done")
	case "headers": // sets the headers of the query, and answers with the headers of the request
		for _, field := range query["set"] {
			name, value, _ := strings.Cut(field, ": ")
			w.Header().Add(name, value)
		}
		json.NewEncoder(w).Encode(r.Header) //nolint:errcheck // the test reads it
	case "length": // writes a body of the size that the query says
		n, _ := strconv.Atoi(query.Get("bytes"))
		io.WriteString(w, strings.Repeat("x", n)) //nolint:errcheck // the test reads it
	}
}

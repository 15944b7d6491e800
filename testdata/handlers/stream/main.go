// Command stream is a worker for bodies of any size, slow bodies and clients that disconnect. A
// request to /NAME/DO goes to the object NAME, which does what DO says.
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Stream": durable.NewClass(newStream)},
	})
}

// seen records what has happened to handlers; /seen shows it. It is a variable and not an object,
// because the objects are busy meanwhile.
var seen journal

type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/seen" {
			fmt.Fprint(w, &seen)
			return
		}
		if r.URL.Path == "/open" {
			close(gate(r.URL.Query().Get("id")))
			return
		}
		if strings.HasPrefix(r.URL.Path, "/via/") {
			serveVia(env, w, r)
			return
		}
		name, do, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if do == "wait" {
			defer noteCancel("worker", r.Context())
		}
		env.Namespace("STREAM").GetByName(name).ServeHTTP(w, r)
	})
}

// noteCancel records that ctx was canceled, if it was.
func noteCancel(where string, ctx context.Context) {
	if ctx.Err() != nil {
		seen.add(where + " canceled")
	}
}

// Stream is an object that stores nothing.
type Stream struct {
	env  *durable.Env
	name string
}

func newStream(_ context.Context, state *durable.State, env *durable.Env) (*Stream, error) {
	name, _ := state.ID.Name()
	return &Stream{env, name}, nil
}

func (s *Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/via/") {
		serveObjectVia(s.env, s.name, w, r)
		return
	}
	switch _, do, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); do {
	case "upload":
		upload(w, r)
	case "download":
		download(w, r)
	case "refuse":
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	case "wait":
		seen.add("object waits")
		<-r.Context().Done()
		noteCancel("object", r.Context())
	default:
		fmt.Fprint(w, "here")
	}
}

// upload answers with the body's size in bytes and its hash.
func upload(w http.ResponseWriter, r *http.Request) {
	seen.add("object uploads")
	hash := sha256.New()
	n, err := io.Copy(hash, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%d %x", n, hash.Sum(nil))
}

// download sends the number of bytes that the query asks for. They come from a random generator
// with a zero seed, so that the client knows them, too.
func download(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, err = io.CopyN(w, rand.NewChaCha8([32]byte{}), n)
	if err != nil {
		seen.add("download: " + err.Error())
	}
}

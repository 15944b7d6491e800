// Command stream is a worker whose objects deal with bodies of any size, slow
// ones and clients that go away. Every request to /NAME/DO goes to the object
// NAME, which does what DO says.
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
		Fetch:   fetch,
		Classes: durable.Classes{"Stream": durable.NewClass(newStream)},
	})
}

// seen is what has happened to handlers, for whoever asks the worker. It is not
// kept in an object, because the object is busy meanwhile.
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

func fetch(w http.ResponseWriter, r *http.Request, env *durable.Env) {
	if r.URL.Path == "/seen" {
		fmt.Fprint(w, &seen)
		return
	}
	name, do, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if do == "wait" {
		defer noteCancel("worker", r.Context())
	}
	env.Namespace("STREAM").GetByName(name).ServeHTTP(w, r)
}

func noteCancel(where string, ctx context.Context) {
	if ctx.Err() != nil {
		seen.add(where + " canceled")
	}
}

// Stream is an object without state.
type Stream struct{}

func newStream(context.Context, *durable.State, *durable.Env) (*Stream, error) {
	return &Stream{}, nil
}

func (*Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

// upload answers with the number of bytes of the body and their hash.
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

// download sends as many bytes as the query asks for. They are the output of a
// random generator with an empty seed, so that the client knows them too.
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

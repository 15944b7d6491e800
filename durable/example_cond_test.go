package durable_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"devtool.internal/durable"
)

// A Room sends each message to all streams that are open.
type Room struct {
	messages []string
	changed  durable.Cond
}

func (room *Room) post(_ http.ResponseWriter, r *http.Request) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	room.messages = append(room.messages, string(text))
	room.changed.Broadcast()
	return nil
}

// stream sends all messages as server-sent events, until the client goes.
func (room *Room) stream(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for sent := 0; ; {
		if err := out.Flush(); err != nil { // the turn is given up here …
			return err
		}
		for sent == len(room.messages) {
			if err := room.changed.Wait(r.Context()); err != nil { // … and here
				return err
			}
		}
		for ; sent < len(room.messages); sent++ {
			fmt.Fprintf(w, "data: %q\n\n", room.messages[sent])
		}
	}
}

func (room *Room) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	mux.Handle("POST /", durable.HandlerFunc(room.post))
	mux.Handle("GET /", durable.HandlerFunc(room.stream))
	mux.ServeHTTP(w, r)
}

func ExampleCond() {
	durable.Serve(durable.Worker{
		Handler: func(env *durable.Env) http.Handler { return env.Namespace("ROOM").GetByName("lobby") },
		Classes: durable.Classes{
			"Room": durable.NewClass(func(context.Context, *durable.State, *durable.Env) (*Room, error) {
				return &Room{}, nil
			}),
		},
	})
}

// The guide shows this very example.
func TestTheGuideShowsTheExampleOfCond(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b), "\r\n", "\n")
	}
	shown := regexp.MustCompile("(?s)```go\n(type Room struct.*?)```").FindStringSubmatch(read("../docs/handlers.md"))
	if shown == nil || !strings.Contains(read("example_cond_test.go"), shown[1]) {
		t.Error("docs/handlers.md does not show the example of Cond as it is compiled here")
	}
}

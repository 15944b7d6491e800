package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A Side runs programs. It is one of the two sides that are compared.
type Side interface {
	// Do sends a program to the side's worker and returns the fact of each operation. The scope
	// separates its objects from those of all other programs.
	Do(ctx context.Context, scope string, program []Op) ([]any, error)
}

// A server is a side that runs as a process of its own.
type server struct {
	name   string
	url    string
	client *http.Client
	output *tail
	ended  chan struct{} // closed when the process has ended
}

var _ Side = (*server)(nil)

func (s *server) Do(ctx context.Context, scope string, program []Op) ([]any, error) {
	body, err := json.Marshal(map[string]any{"scope": scope, "do": program})
	if err != nil {
		return nil, fmt.Errorf("encode program: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", s.name, err)
	}
	response, err := s.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w\n%s", s.name, err, s.output)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", s.name, err)
	}
	var answer struct{ Facts []any }
	if err := json.Unmarshal(b, &answer); response.StatusCode != http.StatusOK || err != nil {
		return nil, fmt.Errorf("%s answers %s: %.500s", s.name, response.Status, b)
	}
	return answer.Facts, nil
}

// serve starts the process of a side. attach gives the process a file, on which it writes its
// address as JSON; serve stores that in address. The process ends when ctx does; stop waits for
// that.
func serve(ctx context.Context, command *exec.Cmd, attach func(*os.File), address any) (*server, error) {
	name := strings.TrimSuffix(filepath.Base(command.Path), ".exe")
	s := &server{
		name:   name,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		output: &tail{},
		ended:  make(chan struct{}),
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer reader.Close()
	attach(writer)
	command.Stderr = s.output
	command.Cancel = func() error { return interrupt(command.Process) }
	command.WaitDelay = stopLimit
	err = command.Start()
	writer.Close()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(s.ended)
		command.Wait() //nolint:errcheck // it ends on request, and its status is not a result
	}()
	if err := json.NewDecoder(reader).Decode(address); err != nil {
		interrupt(command.Process) //nolint:errcheck // it has probably ended
		<-s.ended
		return nil, fmt.Errorf("start %s: it does not report its address: %w\n%s", name, err, s.output)
	}
	return s, nil
}

// stopLimit is how long a side may take to end after the interrupt.
const stopLimit = 5 * time.Second

// stop waits until the process, whose context has ended, is gone.
func (s *server) stop() {
	<-s.ended
	s.client.CloseIdleConnections()
}

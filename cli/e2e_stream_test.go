package cli_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

func TestAClientThatGoesAwayCancelsWorkerAndObject(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "stream").dev()
	ctx, leave := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	request := s.request(http.MethodGet, "/a/wait", nil).WithContext(ctx)
	go func() {
		_, _, err := s.send(request)
		answered <- err
	}()
	s.awaitSeen("object waits")
	if got := s.get("/seen"); strings.Contains(got, "canceled") {
		t.Errorf("handlers before the client left: got %q, want none canceled", got)
	}
	leave()
	if err := <-answered; err == nil {
		t.Error("the request was answered")
	}
	s.awaitSeen("object canceled")
	s.awaitSeen("worker canceled")
	if got, want := s.get("/a/"), "here"; got != want {
		t.Errorf("the object afterwards: got %q, want %q", got, want)
	}
}

func TestAnInterruptDoesNotWaitForHandlersThatGoOn(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "stream").dev()
	answered := make(chan error, 1)
	request := s.request(http.MethodGet, "/a/wait", nil)
	go func() {
		_, _, err := s.send(request)
		answered <- err
	}()
	s.awaitSeen("object waits")
	if got := s.interrupt(); got != 0 {
		t.Errorf("exit code: got %d, want 0", got)
	}
	<-answered // any answer or error will do, but the client must not hang
}

func TestASlowBodyDoesNotHoldUpOtherRequests(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "stream").dev()
	body, slow := io.Pipe()
	type answer struct {
		status int
		body   string
		err    error
	}
	answered := make(chan answer, 1)
	request := s.request(http.MethodPost, "/a/upload", body)
	go func() {
		var a answer
		a.status, a.body, a.err = s.send(request)
		answered <- a
	}()
	if _, err := io.WriteString(slow, "ab"); err != nil {
		t.Fatal(err)
	}
	s.awaitSeen("object uploads")
	if got, want := s.get("/a/"), "here"; got != want {
		t.Errorf("request during the upload: got %q, want %q", got, want)
	}
	if _, err := io.WriteString(slow, "c"); err != nil {
		t.Fatal(err)
	}
	slow.Close()
	const want = "3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got := <-answered; got.err != nil || got.status != http.StatusOK || got.body != want {
		t.Errorf("upload: got %d %q, %v, want 200 %q", got.status, got.body, got.err, want)
	}
}

func TestAHandlerMayAnswerWithoutReadingTheBody(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "stream").dev()
	request := s.request(http.MethodPost, "/a/refuse", io.LimitReader(rand.NewChaCha8([32]byte{}), 64<<20))
	request.ContentLength = 64 << 20
	status, body, err := s.send(request)
	if err != nil || status != http.StatusRequestEntityTooLarge || body != "too much\n" {
		t.Errorf("got %d %q, %v, want 413 %q", status, body, err, "too much\n")
	}
	if got, want := s.get("/a/"), "here"; got != want {
		t.Errorf("the object afterwards: got %q, want %q", got, want)
	}
}

// awaitSeen waits until the stream program has noted text.
func (s *server) awaitSeen(text string) {
	s.t.Helper()
	eventually(s.t, "the handler notes "+text, func() bool { return strings.Contains(s.get("/seen"), text) })
}

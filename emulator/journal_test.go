package emulator

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/internal/scripted"
)

// kept returns the journal's lines from number on.
func kept(j *Journal, number uint64) []string {
	_, lines, _, _ := j.since(number)
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = strings.TrimSuffix(string(line), "\n")
	}
	return texts
}

func TestAJournalForgetsTheOldestLines(t *testing.T) {
	var j Journal
	for i := range journalLines + 3 {
		fmt.Fprintf(&j, "%d\n", i)
	}
	all := kept(&j, 0)
	if len(all) != journalLines || all[0] != "3" || all[len(all)-1] != fmt.Sprint(journalLines+2) {
		t.Errorf("got %d lines from %s to %s, want %d from 3", len(all), all[0], all[len(all)-1], journalLines)
	}
	if got, want := kept(&j, j.last(2)), all[len(all)-2:]; !slices.Equal(got, want) {
		t.Errorf("last 2: got %q, want %q", got, want)
	}

	// A long line displaces several short ones, but never itself.
	long := bytes.Repeat([]byte("x"), journalBytes)
	j.Write(long)
	if got := kept(&j, 0); len(got) != 1 || len(got[0]) != len(long) {
		t.Errorf("after a line as long as all that is kept: got %d lines, want it alone", len(got))
	}
}

// A reader gets each line once and in order, however it spaces its reads. It may miss lines only if
// it comes too late.
func TestAFollowerOfAJournalMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var j Journal
		var want, got []string
		number := j.last(0)
		read := func() {
			_, lines, next, more := j.since(number)
			for _, line := range lines {
				got = append(got, string(line))
			}
			if more == nil {
				t.Fatal("the journal ended before the test ended it")
			}
			number = next
		}
		for i := range rapid.IntRange(0, 100).Draw(t, "lines") {
			line := fmt.Sprint(i)
			want = append(want, line)
			j.Write([]byte(line))
			if rapid.Bool().Draw(t, "read") {
				read()
			}
		}
		read()
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestAFollowerOfAJournalIsWoken(t *testing.T) {
	var j Journal
	_, _, next, more := j.since(0)
	j.Write([]byte("a"))
	<-more
	if got := kept(&j, next); !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %q, want the new line", got)
	}
	_, _, _, more = j.since(1)
	j.end()
	<-more
	if _, _, _, more := j.since(1); more != nil {
		t.Error("a journal that has ended says that more lines follow")
	}
}

// A follower that is too slow learns how many lines it has missed.
func TestASlowFollowerOfAJournalLearnsWhatItMissed(t *testing.T) {
	var j Journal
	for i := range journalLines + 3 {
		fmt.Fprintf(&j, "%d\n", i)
	}
	if lost, lines, next, _ := j.since(1); lost != 2 || len(lines) != journalLines || next != journalLines+3 {
		t.Errorf("got %d lost, %d lines and then line %d, want 2, %d and %d",
			lost, len(lines), next, journalLines, journalLines+3)
	}
	if got := string(lostLines(2)); !strings.Contains(got, "2 lines were dropped, because the reader") {
		t.Errorf("got the line %s", got)
	}
}

// journaled starts a world that also writes its log to its journal.
func journaled(t *testing.T, s *script) *testWorld {
	t.Helper()
	w := newStoppedWorld(t, nil)
	w.tune = func(o *Options) {
		o.Journal = new(Journal)
		o.Log = slog.New(slog.NewMultiHandler(o.Log.Handler(), slog.NewJSONHandler(o.Journal, nil)))
	}
	w.start(s)
	return w
}

func TestTheLogIsServedAndFollowed(t *testing.T) {
	w := journaled(t, scripted.Memory())
	client := &client.Client{URL: w.server.URL, Token: w.token}
	w.want("a", "/count", "1")
	var last string
	eventually(t, "the request is in the log", func() bool {
		err := client.Logs(t.Context(), control.LogsRequest{Lines: 1}, func(line []byte) error {
			last = string(line)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(last, "GET /count 200 OK")
	})

	lines := make(chan string)
	ended := make(chan error)
	go func() {
		ended <- client.Logs(t.Context(), control.LogsRequest{Lines: 1, Follow: true}, func(line []byte) error {
			lines <- string(line)
			return nil
		})
	}()
	if got := <-lines; got != last {
		t.Errorf("first line: got %s, want %s", got, last)
	}
	w.log.Info("news")
	if got := <-lines; !strings.Contains(got, `"msg":"news"`) {
		t.Errorf("followed: got %s, want a new line", got)
	}
	w.journal.end()
	if err := <-ended; err != nil {
		t.Errorf("when the emulator ends: got %v, want no error", err)
	}
}

func TestABadRequestForTheLogIsRefused(t *testing.T) {
	w := journaled(t, scripted.Memory())
	for _, query := range []string{"", "?lines=x&follow=true", "?lines=1&follow=perhaps"} {
		response, err := w.server.Client().Get(w.server.URL + control.Prefix + "logs" + query)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(bufio.NewReader(response.Body))
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: got %d %s, want 400", query, response.StatusCode, body)
		}
	}
}

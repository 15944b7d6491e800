package emulator

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"devtool.internal/emulator/internal/scripted"
)

func TestTheLogHasTheRequestsThatACrashEndsInTheOrderOfTheirArrival(t *testing.T) {
	const many = 10
	s := scripted.New(nil)
	begun := make(chan struct{})
	s.Handlers = make(handlers)
	for i := range many {
		s.Handlers[fmt.Sprint("/", i)] = func(c *call) (string, error) {
			begun <- struct{}{}
			<-c.Context.Done()
			return "", nil
		}
	}
	w, book := newLoggedWorld(t, s, slog.LevelInfo)
	for range 10 {
		book.Reset()
		var wg sync.WaitGroup
		var want []string
		for i := range many {
			path := fmt.Sprint("/", i)
			wg.Go(func() { w.get(fmt.Sprint("o", i), path) })
			<-begun
			want = append(want, path)
		}
		w.crash(s)
		wg.Wait()
		var got []string
		lines, _ := book.lines(t)
		for _, line := range lines {
			if _, request, found := strings.Cut(line, "ERROR GET "); found {
				path, _, _ := strings.Cut(request, " ")
				got = append(got, path)
			}
		}
		wantList(t, "requests in the log", got, want)
	}
}

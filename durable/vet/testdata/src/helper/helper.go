// Package helper does not know the SDK: what it does with the clock is reported where handlers call it.
package helper

import (
	"fmt"
	"log"
	"time"
)

func Stamp() string { return time.Now().Format(time.RFC3339) } // want Stamp:`time.Now at helper.go:10`

func Pause() { pause() } // want Pause:`time.Sleep at helper.go:14`

func pause() { time.Sleep(time.Second) } // want pause:`time.Sleep at helper.go:14`

// Queue is generic, as helpers may be.
type Queue[T any] struct{ items []T }

func (q *Queue[T]) Deadline() time.Time { return time.Now().Add(time.Hour) } // want Deadline:`time.Now at helper.go:19`

func Before(t, now time.Time) bool { return t.Before(now) }

func Timed(f func()) {
	start := time.Now()
	f()
	log.Print(time.Since(start))
}

// Trace is for people who look at this machine.
//
//devtool:realtime
func Trace(text string) { fmt.Println(time.Now(), text) }

var started = time.Now()

func Started() time.Time { return started }

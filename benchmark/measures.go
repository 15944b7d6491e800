package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// The programs that both sides serve.
const (
	bench   = "bench"
	batcher = "batcher"
)

const (
	connections = 16
	creators    = 4    // connections that create objects
	population  = 1000 // objects created for a figure
	operations  = 1000 // operations in one handler
)

// A measure is one row of the table.
type measure struct {
	name    string
	unit    string
	lower   bool // less is better
	program string
	// take returns the figure of a server that has just started without state.
	take func(ctx context.Context, s *server, duration time.Duration) (float64, error)
}

// workerdMeasures are the measures that the platform's own runtime has, too.
var workerdMeasures = []measure{
	toOneObject,
	{"worker to 16 objects, 16 connections", "requests/s", false, bench,
		func(ctx context.Context, s *server, d time.Duration) (float64, error) {
			return rate(ctx, s.address, connections, d, func(n int) []byte { return get("/hello", strconv.Itoa(n)) })
		}},
	{"batcher: POST to one object, 16 connections", "requests/s", false, batcher,
		func(ctx context.Context, s *server, d time.Duration) (float64, error) {
			order := post("/orders", `{"item":"tea","count":2}`)
			return rate(ctx, s.address, connections, d, func(int) []byte { return order })
		}},
	{"put in one handler", "µs", true, bench, operation("/put", "/put?n=100")},
	{"get in one handler", "µs", true, bench, operation("/get", "/put?n=100")},
	{"SQL insert in one handler", "µs", true, bench, operation("/insert", "/table")},
	{"SQL select of one row in one handler", "µs", true, bench, operation("/select", "/table", "/insert?n=100")},
	{"new objects with one put each, 4 connections", "objects/s", false, bench,
		func(ctx context.Context, s *server, _ time.Duration) (float64, error) {
			took, err := populate(ctx, s, creators, "/put?n=1")
			return population / took.Seconds(), err
		}},
	atRest,
	{"memory with 1,000 live objects", "MB", true, bench,
		func(ctx context.Context, s *server, _ time.Duration) (float64, error) {
			if _, err := populate(ctx, s, creators, "/put?n=1"); err != nil {
				return 0, err
			}
			// Both sides drop an object after 10 s without an event. On a slow machine the first
			// objects are about to go, so each gets another event.
			if _, err := populate(ctx, s, connections, "/hello"); err != nil {
				return 0, err
			}
			return s.memory()
		}},
}

// Measures in more than one table.
var (
	toOneObject = measure{"worker to one object, 16 connections", "requests/s", false, bench,
		func(ctx context.Context, s *server, d time.Duration) (float64, error) {
			return rate(ctx, s.address, connections, d, func(int) []byte { return get("/hello", "one") })
		}}
	atRest = measure{"memory at rest, all processes", "MB", true, bench,
		func(_ context.Context, s *server, _ time.Duration) (float64, error) { return s.memory() }}
)

// operation measures the time of one of many equal operations in one handler. The request around
// them adds less than a microsecond to each. The paths in before are requested first, to prepare
// the object.
func operation(path string, before ...string) func(context.Context, *server, time.Duration) (float64, error) {
	return func(ctx context.Context, s *server, d time.Duration) (float64, error) {
		for _, path := range before {
			if _, err := one(ctx, s.address, get(path, "one")); err != nil {
				return 0, err
			}
		}
		request := get(fmt.Sprintf("%s?n=%d", path, operations), "one")
		perSecond, err := rate(ctx, s.address, 1, d, func(int) []byte { return request })
		return 1e6 / (perSecond * operations), err
	}
}

// populate sends a request for path to each of the objects.
func populate(ctx context.Context, s *server, connections int, path string) (time.Duration, error) {
	return each(ctx, s.address, connections, population, func(i int) []byte { return get(path, strconv.Itoa(i)) })
}

// twinRequests are requests that both sides must answer alike, in this order. Otherwise they do not
// do the same work.
var twinRequests = map[string][][]byte{
	bench: {
		get("/version", "a"), get("/put?n=3", "a"), get("/get?n=3", "a"), get("/hello", "b"),
		get("/table", "c"), get("/insert?n=3", "c"), get("/select?n=3", "c"),
	},
	batcher: {post("/x", "1"), post("/x/", "2"), post("/", "1")},
}

// A benchmark is one run.
type benchmark struct {
	work     string
	duration time.Duration
	rounds   int
	progress io.Writer
	starts   int // servers started so far
}

// A comparison is one table: the measures of our side and of a peer.
type comparison struct {
	*benchmark
	sides    [2]side
	measures []measure
}

// programs returns the programs of the measures.
func (c *comparison) programs() []string {
	var programs []string
	for _, m := range c.measures {
		if !slices.Contains(programs, m.program) {
			programs = append(programs, m.program)
		}
	}
	return programs
}

// table compares the sides.
func (c *comparison) table(ctx context.Context) (table, error) {
	if err := c.compareTwins(ctx); err != nil {
		return table{}, err
	}
	rows, err := c.measure(ctx)
	return table{Peer: c.sides[1].name(), Version: c.sides[1].version(), Rows: rows}, err
}

// with calls f with a fresh server of s.
func (b *benchmark) with(ctx context.Context, s side, program string, f func(*server) error) error {
	b.starts++
	state := filepath.Join(b.work, "state", strconv.Itoa(b.starts))
	running, err := start(ctx, s, program, state)
	if err != nil {
		return err
	}
	err = f(running)
	printed := running.stop()
	if err != nil {
		return fmt.Errorf("measure %s with %s: %w", s.name(), program, withOutput(err, printed))
	}
	return os.RemoveAll(state)
}

// compareTwins returns an error if the sides do not answer alike.
func (c *comparison) compareTwins(ctx context.Context) error {
	for _, program := range c.programs() {
		var answers [2][]string
		for i, s := range c.sides {
			err := c.with(ctx, s, program, func(running *server) error {
				for _, request := range twinRequests[program] {
					answer, err := one(ctx, running.address, request)
					if err != nil {
						return err
					}
					answers[i] = append(answers[i], answer)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if !slices.Equal(answers[0], answers[1]) {
			return fmt.Errorf("the twins of %s differ, so their speed can't be compared: %s answers %q, %s answers %q",
				program, c.sides[0].name(), answers[0], c.sides[1].name(), answers[1])
		}
	}
	return nil
}

// measure takes each measure of both sides, once in each round.
func (c *comparison) measure(ctx context.Context) ([]row, error) {
	var rows []row
	for i, m := range c.measures {
		fmt.Fprintf(c.progress, "%s %d/%d %s\n", c.sides[1].name(), i+1, len(c.measures), m.name)
		var figures [2][]float64
		for round := range c.rounds {
			for turn := range 2 {
				which := (round + turn) % 2
				err := c.with(ctx, c.sides[which], m.program, func(s *server) error {
					figure, err := m.take(ctx, s, c.duration)
					figures[which] = append(figures[which], figure)
					return err
				})
				if err != nil {
					return nil, fmt.Errorf("%s: %w", m.name, err)
				}
			}
		}
		rows = append(rows, newRow(m, figures[0], figures[1]))
	}
	return rows, nil
}

// Command benchmark sets devtool beside raw workerd, the platform's own runtime, beside `wrangler dev`, and beside the
// go command, on one machine in one run, and prints a table for each with both figures and their ratio. `make bench`
// runs it; docs/benchmarks.md says how to read it.
//
// Both sides serve the same programs: handlers in Go (testdata/handlers/bench and the template batcher) and their
// twins in JavaScript (peer/). Before anything is measured, twins have to give the same answers. Every figure is then
// taken from a server of its own, freshly started with no state, so that none influences another; the sides take
// turns, the order changes from round to round, and what counts is the median of the rounds.
//
//	main.go      flags, and the order of the run
//	measures.go  what is measured beside workerd, and how
//	loop.go      what is measured beside wrangler dev and go build
//	load.go      the clients: few connections, kept alive
//	server.go    starting either side, and its memory
//	devtool.go   our side: the binary as it is released, projects as `devtool init` makes them
//	workerd.go   a peer, and wrangler.go another
//	npm.go       fetching them, into the user's cache folder
//	report.go    the table, and JSON
//	machine.go   what it ran on
//
// Nothing of ours is imported: the binary is measured from outside, as it is used.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		stop()
		os.Exit(1)
	}
}

type options struct {
	rounds   int
	duration time.Duration
	workerd  string
	only     string
	json     bool
}

// The tables, as -only names them.
const (
	tableWorkerd  = "workerd"
	tableWrangler = "wrangler"
	tableBuild    = "build"
)

// has reports whether a table is wanted.
func (o options) has(table string) bool { return o.only == "" || o.only == table }

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("benchmark", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.rounds, "rounds", 3, "take the median of `N` rounds")
	f.DurationVar(&o.duration, "duration", 2*time.Second, "how long each rate is measured; a quarter of it goes before to warm up")
	f.StringVar(&o.workerd, "workerd", "", "use this `FILE` instead of the latest workerd from npm")
	f.StringVar(&o.only, "only", "", "one `TABLE` only: workerd, wrangler or build")
	f.BoolVar(&o.json, "json", false, "print JSON instead of the table")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: there are only flags, see -help", f.Arg(0))
	case o.rounds < 1:
		return o, fmt.Errorf("-rounds is %d: it has to be at least 1", o.rounds)
	case !slices.Contains([]string{"", tableWorkerd, tableWrangler, tableBuild}, o.only):
		return o, fmt.Errorf("-only is %q: it has to be workerd, wrangler or build", o.only)
	case o.duration <= 0:
		return o, fmt.Errorf("-duration is %s: it has to be more than nothing", o.duration)
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "devtool-benchmark-")
	if err != nil {
		return fmt.Errorf("create work folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	// The peers first: where one can't be had, nothing has been built in vain.
	var peers []comparison
	if o.has(tableWorkerd) {
		w, err := newWorkerd(ctx, work, o.workerd, stderr)
		if err != nil {
			return err
		}
		peers = append(peers, comparison{sides: [2]side{nil, w}, measures: besideWorkerd})
	}
	if o.has(tableWrangler) {
		w, err := newWrangler(ctx, work, stderr)
		if err != nil {
			return err
		}
		peers = append(peers, comparison{sides: [2]side{nil, w}, measures: besideWrangler})
	}
	ours, err := newDevtool(ctx, work)
	if err != nil {
		return err
	}
	b := &benchmark{work: work, duration: o.duration, rounds: o.rounds, progress: stderr}
	r := report{Machine: describeMachine(), Version: ours.version(), Rounds: o.rounds}
	for _, c := range peers {
		c.benchmark, c.sides[0] = b, ours
		t, err := c.table(ctx)
		if err != nil {
			return err
		}
		r.Tables = append(r.Tables, t)
	}
	if o.has(tableBuild) {
		t, err := b.besideBuild(ctx, ours)
		if err != nil {
			return err
		}
		r.Tables = append(r.Tables, t)
	}
	if o.json {
		return r.writeJSON(stdout)
	}
	return r.writeTables(stdout)
}

// Command benchmark compares devtool with raw workerd, the platform's own runtime, with `wrangler
// dev`, and with the go command, on one machine in one run. For each it prints a table with both
// figures and their ratio. `make bench` runs it; docs/benchmarks.md says how to read it.
//
// Both sides serve the same programs: handlers in Go (testdata/handlers/bench and the template
// batcher) and their twins in JavaScript (peer/). The twins must give the same answers before
// anything is measured. Each figure comes from a server of its own, freshly started without state,
// so that none influences another. The sides take turns, the order changes from round to round, and
// the result is the median of the rounds.
//
//	main.go      flags, and the order of the run
//	measures.go  the measures for workerd, and how to take them
//	loop.go      the measures for wrangler dev and go build
//	load.go      the clients: few connections, kept alive
//	server.go    starting either side, and its memory
//	devtool.go   our side: the binary as it is released, projects from `devtool init`
//	workerd.go   a peer, and wrangler.go another
//	npm.go       fetching them into the user's cache folder
//	report.go    the tables, and JSON
//	machine.go   a description of the machine
//
// It imports no other package of this module: it measures the binary from outside, as users run it.
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

// The names of the tables for -only.
const (
	tableWorkerd  = "workerd"
	tableWrangler = "wrangler"
	tableBuild    = "build"
)

// has reports whether the run includes a table.
func (o options) has(table string) bool { return o.only == "" || o.only == table }

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("benchmark", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.rounds, "rounds", 3, "take the median of `N` rounds")
	f.DurationVar(&o.duration, "duration", 2*time.Second,
		"measure each rate for this `TIME`, after a quarter of it to warm up")
	f.StringVar(&o.workerd, "workerd", "", "use the workerd in `FILE` instead of the latest one from npm")
	f.StringVar(&o.only, "only", "", "make only one `TABLE`: workerd, wrangler or build")
	f.BoolVar(&o.json, "json", false, "print JSON instead of the table")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: use flags only, see -help", f.Arg(0))
	case o.rounds < 1:
		return o, fmt.Errorf("-rounds is %d: it must be at least 1", o.rounds)
	case !slices.Contains([]string{"", tableWorkerd, tableWrangler, tableBuild}, o.only):
		return o, fmt.Errorf("-only is %q: it must be workerd, wrangler or build", o.only)
	case o.duration <= 0:
		return o, fmt.Errorf("-duration is %s: it must be above zero", o.duration)
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

	// The peers come first: if one is unavailable, the run fails before it builds anything.
	var peers []comparison
	if o.has(tableWorkerd) {
		w, err := newWorkerd(ctx, work, o.workerd, stderr)
		if err != nil {
			return err
		}
		peers = append(peers, comparison{sides: [2]side{nil, w}, measures: workerdMeasures})
	}
	if o.has(tableWrangler) {
		w, err := newWrangler(ctx, work, stderr)
		if err != nil {
			return err
		}
		peers = append(peers, comparison{sides: [2]side{nil, w}, measures: wranglerMeasures})
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
		t, err := b.compareBuild(ctx, ours)
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

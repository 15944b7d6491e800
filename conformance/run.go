package conformance

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Options say what Run compares.
type Options struct {
	// Cache is the folder that keeps the platform's runtime between runs.
	Cache string
	// Workerd is the path of the runtime; if it is empty, Run fetches one.
	Workerd string
	// Filter selects cases by name; nil selects all.
	Filter *regexp.Regexp
	// Sequences is the number of random programs, and Seed the number of the first one. Sort
	// selects the programs of one sort (see Sorts); empty selects all.
	Sequences int
	Seed      uint64
	Sort      string
	// Out receives the differences and the summary.
	Out io.Writer
}

// A Summary is the result of a run.
type Summary struct {
	Cases, Sequences int
	// Chosen is the number of cases that expect a difference.
	Chosen int
	// Different is the number of cases and random programs with an unexpected fact.
	Different int
	// Again is the number of cases and random programs about time that succeeded only when Run
	// tried them again.
	Again int
}

// Run starts both sides, compares them and stops them. Differences are part of the summary and not
// an error. The error says why nothing was compared; it is an ErrNoWorkerd if the platform's
// runtime can't be fetched.
func Run(ctx context.Context, o Options) (Summary, error) {
	began := time.Now()
	if len(chosenCases(o)) == 0 && o.Sequences == 0 {
		return Summary{}, nil
	}
	binary, err := locateWorkerd(ctx, o)
	if err != nil {
		return Summary{}, err
	}
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return Summary{}, fmt.Errorf("make folder for the state: %w", err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	platform, err := startWorkerd(ctx, binary, filepath.Join(dir, "platform"))
	if err != nil {
		return Summary{}, err
	}
	defer platform.stop()
	defer cancel()
	sides := &pair{platform: platform}
	binary, root, err := buildDevtool(ctx, dir)
	if err != nil {
		return Summary{}, err
	}
	for p := range paces {
		if p != realTime && o.Sequences == 0 {
			continue
		}
		ours, err := startDevtool(ctx, binary, root, filepath.Join(dir, fmt.Sprint("ours", int(p))), p)
		if err != nil {
			return Summary{}, err
		}
		defer ours.stop()
		defer cancel()
		sides.ours[p] = ours
	}
	summary, err := sides.runAll(ctx, o)
	if err == nil {
		fmt.Fprintf(o.Out, "%s in %.0f s, against workerd %s\n", summary, time.Since(began).Seconds(), workerdVersion)
	}
	return summary, err
}

func locateWorkerd(ctx context.Context, o Options) (string, error) {
	if o.Workerd != "" {
		return filepath.Abs(o.Workerd)
	}
	return fetchWorkerd(ctx, o.Cache)
}

func (s Summary) String() string {
	text := fmt.Sprintf("%d cases and %d random programs: %d unexplained differences, %d chosen ones",
		s.Cases, s.Sequences, s.Different, s.Chosen)
	if s.Again > 0 {
		text += fmt.Sprintf(" (%d were late, and passed when tried again)", s.Again)
	}
	return text
}

// A pair is the two sides. Ours runs once for each pace.
type pair struct {
	platform Side
	ours     [paces]Side
}

// How many programs run at a time. Long cases wait for alarms, and would miss their times on a busy
// machine, and so would crowds, which mostly sleep. Another random program waits for the disk, at
// each commit of workerd. What depends on time and differs runs again with few others, so that
// sleeps and alarms end when they should.
const (
	casesAtOnce     = 24
	timedAtOnce     = 24
	againAtOnce     = 3
	sequencesAtOnce = 48
)

func (p *pair) runAll(ctx context.Context, o Options) (Summary, error) {
	cases := chosenCases(o)
	summary := Summary{Cases: len(cases), Sequences: o.Sequences}
	var mu sync.Mutex // guards summary and o.Out
	record := func(report string, again bool) {
		mu.Lock()
		defer mu.Unlock()
		if again {
			summary.Again++
		}
		if report != "" {
			summary.Different++
			fmt.Fprintln(o.Out, report)
		}
	}
	var late []Case // guarded by mu
	err := forEach(ctx, casesAtOnce, len(cases), func(ctx context.Context, i int) error {
		report, again, err := p.tryCase(ctx, cases[i])
		if report != "" && cases[i].timed() {
			mu.Lock()
			defer mu.Unlock()
			late = append(late, Case{cases[i].Name + ", with few others", cases[i].Do}) // on fresh objects
			return err
		}
		record(report, again)
		return err
	})
	if err == nil {
		err = forEach(ctx, againAtOnce, len(late), func(ctx context.Context, i int) error {
			report, _, err := p.tryCase(ctx, late[i])
			record(report, report == "")
			return err
		})
	}
	timed, others := chosenSeeds(o)
	random := func(atOnce int, seeds []uint64, again bool) error {
		return forEach(ctx, atOnce, len(seeds), func(ctx context.Context, i int) error {
			report, err := p.tryRandom(ctx, seeds[i])
			record(report, again && report == "")
			return err
		})
	}
	if err == nil {
		timed, err = p.differing(ctx, timed)
	}
	if err == nil {
		err = random(againAtOnce, timed, true)
	}
	if err == nil {
		err = random(sequencesAtOnce, others, false)
	}
	for _, c := range cases {
		if c.differs() {
			summary.Chosen++
		}
	}
	return summary, err
}

func chosenCases(o Options) []Case {
	var cases []Case
	for _, c := range Cases() {
		if o.Filter == nil || o.Filter.MatchString(c.Name) {
			cases = append(cases, c)
		}
	}
	return cases
}

// tries is how often Run may try a case about time.
const tries = 3

// tryCase compares the sides on a case, and returns a report, or nothing if they agree. On a busy
// machine an alarm is late, on either side, so tryCase tries a case about time again. again says
// that this helped.
func (p *pair) tryCase(ctx context.Context, c Case) (report string, again bool, err error) {
	scope := c.Name
	for try := 1; ; try++ {
		mismatches, err := p.try(ctx, scope, c.Do, realTime)
		if err != nil {
			return "", false, fmt.Errorf("case %q: %w", c.Name, err)
		}
		if len(mismatches) == 0 {
			return "", try > 1, nil
		}
		if try == tries || !c.timed() {
			return describe("case "+c.Name, mismatches), false, nil
		}
		scope = fmt.Sprintf("%s, try %d", c.Name, try+1) // on fresh objects
	}
}

// differing returns the seeds of those random programs about time on which the sides differ once.
func (p *pair) differing(ctx context.Context, seeds []uint64) ([]uint64, error) {
	var mu sync.Mutex
	var differ []uint64
	err := forEach(ctx, timedAtOnce, len(seeds), func(ctx context.Context, i int) error {
		g, parts := random(seeds[i])
		mismatches, err := p.try(ctx, fmt.Sprintf("program %d at first", seeds[i]), g.program(parts), realTime)
		if len(mismatches) > 0 {
			mu.Lock()
			defer mu.Unlock()
			differ = append(differ, seeds[i])
		}
		return err
	})
	return differ, err
}

// tryRandom compares the sides on the random program of a seed. If they differ, it reports the
// fewest parts on which they do.
func (p *pair) tryRandom(ctx context.Context, seed uint64) (report string, err error) {
	g, parts := random(seed)
	at := paceOf(seed)
	parts = fit(parts, at)
	scope := fmt.Sprintf("program %d (%s, %s)", seed, g.name, at)
	var mismatches []Mismatch // of the shortest program so far on which the sides differ
	attempt := 0
	differ := func(parts []Op) bool {
		if attempt >= maxAttempts {
			return false
		}
		var found []Mismatch
		for try := 1; err == nil; try++ {
			attempt++ // each on fresh objects
			found, err = p.try(ctx, fmt.Sprintf("%s, attempt %d", scope, attempt), fit(g.program(parts), at), at)
			// On a busy machine, an object may be idle for so long that it leaves memory.
			if len(found) == 0 || try == tries {
				break
			}
		}
		if len(found) > 0 {
			mismatches = found
		}
		return len(found) > 0 && err == nil
	}
	if differ(parts) {
		parts = shrink(parts, differ)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", scope, err)
	}
	return describe(scope+", shrunk to: "+showUpTo(maxProgram, g.program(parts)), mismatches), nil
}

// maxAttempts is how often a program is run to find the parts that matter. What is left then is
// reported.
const maxAttempts = 120

// answerTime is how long a program may take. The longest ones wait until an idle object leaves
// memory; the rest is a reserve for busy machines.
const answerTime = time.Minute

// try runs a program on both sides at once. A side that does not answer differs from one that does.
func (p *pair) try(ctx context.Context, scope string, program []Op, at pace) ([]Mismatch, error) {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var platform, ours []any
	var errPlatform, errOurs error
	var both sync.WaitGroup
	both.Go(func() { platform, errPlatform = do(limited, p.platform, scope, program) })
	both.Go(func() { ours, errOurs = do(limited, p.ours[at], scope, program) })
	both.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errPlatform != nil || errOurs != nil {
		return []Mismatch{{Where: "all of it", Platform: outcome(errPlatform), Ours: outcome(errOurs)}}, nil
	}
	_, program = leavers(program)
	return compare(program, platform, ours), nil
}

func outcome(err error) string {
	if err != nil {
		return err.Error()
	}
	return "answers"
}

// describe says where the two sides differ, or returns nothing if they agree.
func describe(what string, mismatches []Mismatch) string {
	if len(mismatches) == 0 {
		return ""
	}
	s := what
	for _, m := range mismatches {
		s += "\n  " + m.String()
	}
	return s
}

// forEach calls f for each number below n, atOnce at a time, until one fails.
func forEach(ctx context.Context, atOnce, n int, f func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for i := range numbers {
				if ctx.Err() != nil {
					continue
				}
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	workers.Wait()
	return context.Cause(ctx)
}

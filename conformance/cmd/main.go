// Command cmd compares this project with the platform's own runtime and, for configurations, with
// its own tool. It exits with 1 on an unexplained difference. `make conformance` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"devtool.internal/conformance"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 if every difference is explained, 1 if one is not or nothing could
// be compared, 2 for misuse.
func run(ctx context.Context, args []string, out, problems io.Writer) int {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(problems)
	o := conformance.Options{Out: out}
	flags.IntVar(&o.Sequences, "sequences", 2000, "try this `number` of random programs")
	flags.Uint64Var(&o.Seed, "seed", 1, "begin at the random program with this `number`")
	flags.StringVar(&o.Workerd, "workerd", "", "use the workerd at this `path` instead of fetching one")
	filter := flags.String("run", "", "run only the cases whose names match this `pattern`; "+
		"names of configuration cases begin with \"config: \"")
	flags.StringVar(&o.Sort, "sort", "", "try only random programs of this `sort`: "+
		strings.Join(conformance.Sorts(), ", "))
	ifAvailable := flags.Bool("if-available", false, "exit with 0 if workerd or wrangler can't be fetched")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(problems, "unexpected argument %q: choose cases with --run\n", flags.Arg(0))
		return 2
	}
	if o.Sort != "" && !slices.Contains(conformance.Sorts(), o.Sort) {
		fmt.Fprintf(problems, "unknown sort %q: the sorts are %s\n", o.Sort, strings.Join(conformance.Sorts(), ", "))
		return 2
	}
	if *filter != "" {
		var err error
		if o.Filter, err = regexp.Compile(*filter); err != nil {
			fmt.Fprintf(problems, "read --run: %v\n", err)
			return 2
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		fmt.Fprintf(problems, "find a folder for workerd: %v\n", err)
		return 1
	}
	o.Cache = filepath.Join(cache, "devtool")
	different, err := conformance.RunConfigs(ctx, conformance.ConfigOptions{Cache: o.Cache, Filter: o.Filter, Out: out})
	code := exitCode(different, err, *ifAvailable, out, problems)
	if ctx.Err() != nil {
		return 1
	}
	summary, err := conformance.Run(ctx, o)
	return max(code, exitCode(summary.Different, err, *ifAvailable, out, problems))
}

// exitCode returns the exit code of a comparison, and prints why nothing was compared.
func exitCode(different int, err error, ifAvailable bool, out, problems io.Writer) int {
	switch {
	case errors.Is(err, conformance.ErrNoWorkerd), errors.Is(err, conformance.ErrNoWrangler):
		fmt.Fprintln(out, "NOT RUN:", strings.Join(strings.Fields(err.Error()), " "))
		if ifAvailable {
			return 0
		}
		return 1
	case err != nil:
		fmt.Fprintln(problems, err)
		return 1
	case different > 0:
		return 1
	}
	return 0
}

package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"devtool.internal/durable/vet"
	"devtool.internal/emulator/plugin"
)

func vetCommand() *command {
	var asJSON bool
	return &command{
		name:    "vet",
		summary: "Find uses of the machine's clock in handler code",
		about: `time.Now, time.Sleep, context.WithTimeout and the like don't follow the emulator's
clock. Handlers use durable.Now(ctx), durable.Sleep and durable.WithTimeout instead.
Handler code is the code of packages that import devtool.internal/durable, and the code
of the module that it calls. Measuring durations is allowed. For other intended uses,
write a comment //devtool:realtime on the line, above it or above the function.

Exits with 1 if it finds a use.`,
		args: []argument{{name: "DIR|PACKAGE", optional: true, many: true,
			usage: "folder, with all folders below (default: this one), or packages as go names them"}},
		flags: []flag{{name: "json", usage: "print JSON", target: &asJSON}},
		examples: []example{
			{"devtool vet", ""},
			{"devtool vet ./worker ./queue/...", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			return vetPackages(ctx, s, asJSON, args)
		},
	}
}

func vetPackages(ctx context.Context, s Streams, asJSON bool, args []string) error {
	if len(args) == 1 {
		if info, err := os.Stat(s.path(args[0])); err == nil && info.IsDir() {
			s.Dir, args = s.path(args[0]), nil
		}
	}
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			return misuse("write ./"+arg, "%q is not a package", arg)
		}
		if info, err := os.Stat(s.path(arg)); err == nil && !info.IsDir() {
			return misuse("name its folder", "%s is a file", arg)
		}
	}
	if len(args) == 0 {
		args = []string{"./..."}
	}
	if err := refuseModule(s, s.Dir); err != nil {
		return err
	}
	found, err := checkVet(ctx, s.Dir, args...)
	if err != nil {
		return explainVet(s, args, err)
	}
	if found == nil {
		found = []vet.Finding{} // a list in JSON, too
	}
	answer := struct {
		Findings []vet.Finding `json:"findings"`
	}{found}
	err = printer{out: s.Out, json: asJSON}.print(answer, func(w io.Writer) {
		for _, f := range found {
			fmt.Fprintln(w, f)
			if f.Fix != "" && !strings.Contains(f.Was, "\n") {
				fmt.Fprintf(w, "\t%s -> %s\n", f.Was, f.Fix)
			}
		}
	})
	if err != nil || len(found) == 0 {
		return err
	}
	return failure("where the machine's clock is meant, say so with a comment //devtool:realtime",
		"%s", clockUses(len(found)))
}

// checkVet is vet.Check, which runs the go command. A file in the module of dir that would stop the
// command is an error.
func checkVet(ctx context.Context, dir string, packages ...string) ([]vet.Finding, error) {
	if err := (&plugin.Builder{Dir: dir, Package: "."}).CheckModule(ctx); err != nil {
		return nil, err
	}
	return vet.Check(ctx, dir, packages...)
}

// explainVet adds a hint to err if a name of args is not a folder, so that go has taken it for a
// package.
func explainVet(s Streams, args []string, err error) error {
	for _, arg := range args {
		if _, missing := os.Stat(s.path(arg)); missing != nil && strings.Contains(err.Error(), "package "+arg+" ") {
			return failure("there is no folder "+arg+" here", "%v", err)
		}
	}
	if hint := importHint(s, s.Dir, err.Error()); hint != "" {
		return failure(hint, "%v", err)
	}
	return err
}

// clockUses describes the number of findings.
func clockUses(n int) string {
	return plural(int64(n), "use") + " of the machine's clock in handler code"
}

// hintAtClock returns a function that logs the number of uses of the machine's clock in the handler
// code of project, if the number has changed. It ignores code that it can't check, which `devtool
// vet` reports. A program that names no such function costs no run of the go command.
func hintAtClock(project string, log *slog.Logger) func(context.Context) {
	var mu sync.Mutex
	said := 0
	return func(ctx context.Context) {
		var found []vet.Finding
		if vet.MayFind(project) {
			var err error
			if found, err = checkVet(ctx, project, "./..."); err != nil {
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if n := len(found); n != said {
			if said = n; n > 0 {
				log.Info(clockUses(n) + ": `devtool vet` shows where")
			}
		}
	}
}
